"""The bias-synthesizer as a process: `python -m actors.bias_synthesizer`."""

from actors.bias_synthesizer.core import PREVIOUS_PROFILE, BiasSynthesizerCore
from actors.bias_synthesizer.explanation import PROFILE_PATH
from bus.core import Actor, Observed
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The bias-synthesizer of `start`; it observes the profile that an earlier run has left."""
    randomness = start.randomness()
    left = start.observation(PROFILE_PATH)
    observations = () if left is None else (Observed(PREVIOUS_PROFILE, left),)
    residents = tuple(seat.instance for seat in start.manifest.seats if seat.role == "learner")
    core = BiasSynthesizerCore(start.settings, randomness, residents)
    return Actor(core=core, randomness=randomness, observations=observations)


if __name__ == "__main__":
    raise SystemExit(run("bias-synthesizer", build))
