"""`supervisor restart ACTOR`: one actor afresh, while the others run."""

import time
from typing import TYPE_CHECKING, Final

import click

from supervisor.advice import advise
from supervisor.home import Home
from supervisor.options import home_option

if TYPE_CHECKING:
    from supervisor.reports import ActorStatus

POLL_S: Final = 0.05
PATIENCE_S: Final = 60.0


@click.command()
@click.argument("actor")
@home_option
def command(actor: str, home: Home) -> None:
    """Start one actor afresh while the others run.

    It ends in order first, and goes on where it was. Works for an actor that was given up as well, and is never counted
    as a failure. Returns when the actor is ready again; exit code 1 when it does not become so.

    \b
    Example:
      supervisor restart learner
    """
    from supervisor.actor_names import unknown_actor
    from supervisor.asking import ask_home
    from supervisor.control import Request
    from supervisor.errors import ControlError, UsageError

    rows = _rows(home)
    if actor not in rows:
        raise UsageError(unknown_actor(actor, rows))
    before = rows[actor]
    see = f"see {advise(f'logs --actor {actor}', home.root)}"
    ask_home(home, Request(verb="restart", actor=actor))
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        now = _rows(home).get(actor, before)
        is_new = now.epoch > before.epoch
        if is_new and now.state == "ready":
            click.echo(f"{actor}: ready, epoch {now.epoch}, pid {now.pid}")
            return
        if is_new and now.state == "failed":
            raise ControlError(f"{actor} was given up again: {now.reason}; {see}")
        time.sleep(POLL_S)
    raise ControlError(f"{actor} is not ready after {PATIENCE_S:g} s; {see}")


def _rows(home: Home) -> "dict[str, ActorStatus]":
    """The actors that there are, by name."""
    from supervisor.asking import ask_home
    from supervisor.control import Request

    report = ask_home(home, Request(verb="status")).status
    return {row.name: row for row in report.actors if row.role != "supervisor"} if report is not None else {}
