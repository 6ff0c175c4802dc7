"""`supervisor down`: stop the running loop, and wait until nothing of it is left."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from supervisor.home import Home
from supervisor.options import home_option

if TYPE_CHECKING:
    from supervisor.lock import Holder

POLL_S: Final = 0.05
PATIENCE_S: Final = 120.0
"""Far above the sum of all stop deadlines that make sense."""


@click.command()
@home_option
def command(home: Home) -> None:
    """Stop the running loop in order, and wait until nothing of it is left.

    Who dreams stops first, who stores stops last. Exit code 3 when nothing runs.

    \b
    Example:
      supervisor down
    """
    from supervisor.errors import ControlError, NotRunningError
    from supervisor.lock import find_holder

    holder = find_holder(home)
    if holder is None:
        raise NotRunningError(str(home.root))
    pids = _ask_to_stop(holder)
    deadline_s = time.monotonic() + PATIENCE_S
    while left := _left(home, pids):
        if time.monotonic() > deadline_s:
            raise ControlError(f"still there after {PATIENCE_S:g} s: {left}; see `supervisor logs`")
        time.sleep(POLL_S)
    click.echo(f"down: {home.root}")


def _ask_to_stop(holder: "Holder") -> tuple[int, ...]:
    """Ask over the control socket, by a signal where that is not served; every process that has to go."""
    from supervisor.control import Request, ask
    from supervisor.errors import ControlError

    runtime = Path(holder.runtime)
    try:
        report = ask(runtime, Request(verb="status")).status
        ask(runtime, Request(verb="stop"))
    except ControlError:
        os.kill(holder.pid, signal.SIGTERM)
        return (holder.pid,)
    actors = report.actors if report is not None else ()
    return (holder.pid, *(actor.pid for actor in actors if actor.pid is not None))


def _left(home: Home, pids: tuple[int, ...]) -> str:
    """Who has not gone yet, in words; empty when all have."""
    from supervisor.kernel import is_alive
    from supervisor.lock import is_held

    alive = [str(pid) for pid in pids if is_alive(pid)]
    return f"processes {', '.join(alive)}" if alive else "the lock of the home" if is_held(home) else ""
