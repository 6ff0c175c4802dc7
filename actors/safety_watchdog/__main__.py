"""The safety-watchdog as a process: `python -m actors.safety_watchdog`."""

import os
from functools import partial

from actors.safety_watchdog.core import CAPS, CPUS, SafetyWatchdogCore
from actors.safety_watchdog.vigil import place_of
from actors.safety_watchdog.world import WatchdogWorld
from bus.core import Actor, Observed
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The safety-watchdog of `start`; it observes the caps of the run and how large the machine is."""
    observations = (
        Observed(CAPS, start.run_file(CAPS)),
        Observed(CPUS, str(os.cpu_count() or 1).encode()),
    )
    place = place_of(start.home, start.settings.regimes)
    return Actor(
        core=SafetyWatchdogCore(),
        randomness=start.randomness(),
        observations=observations,
        open_world=partial(WatchdogWorld, place),
    )


if __name__ == "__main__":
    raise SystemExit(run("safety-watchdog", build))
