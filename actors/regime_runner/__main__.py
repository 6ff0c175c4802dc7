"""The regime-runner as a process: `python -m actors.regime_runner`."""

import json
import os
from functools import partial
from typing import get_args

from actors.regime_runner.core import RegimeRunner
from actors.regime_runner.house import House
from actors.regime_runner.places import BASELINES, evolution_path
from actors.regime_runner.world import TrialWorld
from bus.actor_log import ActorLog
from bus.core import Actor, Observed
from bus.host import run
from bus.launch import ActorStart
from schemas.regimes import Domain

TAIL_BYTES = 64 * 1024


def build(start: ActorStart) -> Actor:
    """The regime-runner of `start`; what the run's files say reaches the core as observations alone."""
    randomness, manifest = start.randomness(), start.manifest
    house = House(start.settings.regimes, manifest.seed, manifest.run_id, manifest.ordinal, randomness)
    logs = {domain: start.observation(evolution_path(domain)) or b"" for domain in get_args(Domain)}
    ends = {domain: (len(lines), lines[-TAIL_BYTES:].decode(errors="replace")) for domain, lines in logs.items()}
    observations = (
        Observed("regimes.yaml", start.run_file("regimes.yaml")),
        Observed("caps.yaml", start.run_file("caps.yaml")),
        Observed("baselines.json", start.observation(BASELINES) or b""),
        Observed("domain_evolution", json.dumps(ends).encode()),
    )
    open_world = partial(TrialWorld, start.home, dict(os.environ), ActorLog(start.seat.instance).warning)
    return Actor(RegimeRunner(house), randomness, observations=observations, open_world=open_world)


if __name__ == "__main__":
    raise SystemExit(run("regime-runner", build))
