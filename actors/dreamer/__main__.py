"""The dreamer as a process: `python -m actors.dreamer`."""

from actors.dreamer.core import DreamerCore
from actors.dreamer.finalize import RunFacts
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The dreamer of `start`; raises OSError when the run's inputs are gone."""
    randomness = start.randomness()
    facts = RunFacts(start.settings, start.inputs, start.manifest.seed, start.manifest.ordinal)
    return Actor(core=DreamerCore(facts, randomness, start.randomness()), randomness=randomness)


if __name__ == "__main__":
    raise SystemExit(run("dreamer", build))
