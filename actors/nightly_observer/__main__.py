"""The nightly-observer as a process: `python -m actors.nightly_observer`."""

import os
from functools import partial

from actors.nightly_observer.core import NightlyObserver
from actors.nightly_observer.starting import Start
from actors.nightly_observer.world import Boxing, NightWorld
from bus.actor_log import ActorLog
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The nightly-observer of `start`; its nights are lived in processes of their own."""
    settings, note = start.settings, ActorLog(start.seat.instance).info
    boxing = Boxing(settings.supervisor.strongest_box, settings.supervisor.isolation)
    started = Start(dict(os.environ), settings.nightly.limit_s)
    open_world = partial(NightWorld, start.home, boxing, started, note)
    return Actor(NightlyObserver(), start.randomness(), open_world=open_world)


if __name__ == "__main__":
    raise SystemExit(run("nightly-observer", build))
