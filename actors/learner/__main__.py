"""The learner as a process: `python -m actors.learner`."""

from actors.learner.core import LearnerCore
from actors.learner.training import prepare
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The learner of `start`; raises TaskError when the pictures of the run make no task."""
    # the draws of the preparation come from a source of their own: the journal records those of steps alone
    training = prepare(start.inputs, start.settings, start.randomness())
    randomness = start.randomness()
    return Actor(core=LearnerCore(training, randomness), randomness=randomness)


if __name__ == "__main__":
    raise SystemExit(run("learner", build))
