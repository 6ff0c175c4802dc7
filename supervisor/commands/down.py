"""`supervisor down`: stop the running loop, and wait until nothing of it is left."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from supervisor.advice import advise
from supervisor.home import Home
from supervisor.options import home_option

if TYPE_CHECKING:
    from supervisor.lock import Holder

POLL_S: Final = 0.05
PATIENCE_S: Final = 120.0
"""Far above the sum of all stop deadlines that make sense."""
SILENT_PATIENCE_S: Final = 30.0
"""For a supervisor that does not answer, from the first question on."""


@dataclass(frozen=True)
class _Asked:
    """A stop that was asked for."""

    pids: tuple[int, ...]
    """Every process that has to go, the supervisor first."""
    patience_s: float


@click.command()
@home_option
def command(home: Home) -> None:
    """Stop the running loop in order, and wait until nothing of it is left.

    Who dreams stops first, who stores stops last. A supervisor that cannot be asked gets SIGTERM. Exit code 3 when
    nothing runs, 1 when something is still there after all patience.

    \b
    Example:
      supervisor down
    """
    from supervisor.errors import ControlError, NotRunningError
    from supervisor.lock import find_holder

    began_s = time.monotonic()
    holder = find_holder(home)
    if holder is None:
        raise NotRunningError(str(home.root))
    asked = _ask_to_stop(home, holder)
    while left := _left(home, asked.pids):
        if time.monotonic() - began_s > asked.patience_s:
            raise ControlError(
                f"still there after {asked.patience_s:g} s: {left}; see {advise('logs', home.root)}, or end the "
                f"supervisor and every actor with it: `kill -9 {holder.pid}`"
            )
        time.sleep(POLL_S)
    click.echo(f"down: {home.root}")


def _ask_to_stop(home: Home, holder: "Holder") -> _Asked:
    """Ask over the control socket, by a signal where that is not served."""
    from supervisor.asking import describe_silence
    from supervisor.control import Request, ask
    from supervisor.errors import ControlError, SilentError

    runtime = Path(holder.runtime)
    try:
        report = ask(runtime, Request(verb="status")).status
        ask(runtime, Request(verb="stop"))
    except SilentError as error:
        _signal(home, holder)
        waits = f"it stops as soon as it can; waiting at most {SILENT_PATIENCE_S:g} s"
        click.echo(f"{error}: {describe_silence(holder)}; {waits}", err=True)
        return _Asked((holder.pid,), SILENT_PATIENCE_S)
    except ControlError:
        _signal(home, holder)
        return _Asked((holder.pid,), PATIENCE_S)
    actors = report.actors if report is not None else ()
    return _Asked((holder.pid, *(actor.pid for actor in actors if actor.pid is not None)), PATIENCE_S)


def _signal(home: Home, holder: "Holder") -> None:
    """SIGTERM to the holder, when it is still the process that holds the home."""
    from supervisor.errors import ControlError, NotRunningError
    from supervisor.lock import is_held, is_held_by

    if is_held_by(home, holder.pid):
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGTERM)
    elif not is_held(home):
        raise NotRunningError(str(home.root))
    else:
        raise ControlError(
            f"{home.lock_file} names pid {holder.pid}, which is not the process of yours that holds it; "
            f"find that with `fuser {home.lock_file}`"
        )


def _left(home: Home, pids: tuple[int, ...]) -> str:
    """Who has not gone yet, in words; empty when all have."""
    from supervisor.kernel import is_alive
    from supervisor.lock import is_held

    alive = [str(pid) for pid in pids if is_alive(pid)]
    return f"processes {', '.join(alive)}" if alive else "the lock of the home" if is_held(home) else ""
