"""`supervisor attach`: a seat in the running loop for a learner or a field of your own."""

import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Final, cast

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from schemas.guests import GuestRole
    from supervisor.seats import CommandLine, SeatGiven, SeatRequest

POLL_S: Final = 0.05
PATIENCE_S: Final = 15.0


@click.command()
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ...]")
@click.option(
    "--role",
    type=click.Choice(["learner", "field-host"]),
    default="learner",
    show_default=True,
    help="What it may say: a field-host has a field of its own, for the friend to talk to itself in.",
)
@click.option("--replace", is_flag=True, help="Take a seat that was given before; its old key counts no more.")
@click.option("--frames", is_flag=True, help="Send it tensors, however large: for a client that reads no journal.")
@home_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - the options of the command
    name: str, words: tuple[str, ...], role: str, replace: bool, frames: bool, home: Home, as_json: bool
) -> None:
    """Give a learner, or a field, of your own a seat in the running loop.

    The seat is called NAME; what is printed is to be exported for the process that sits there. With COMMAND, the
    supervisor runs it in the seat: from this folder, in this environment, its output in logs/NAME.log; it is started
    again when it dies (but not after exit code 2 or 78, by which it says that it was misused), and stopped with the
    run. Seats end with the run.

    \b
    Examples:
      eval "$(supervisor attach ann)" && python learner.py
      supervisor attach ann -- python learner.py
      supervisor attach leo --role field-host
    """
    from supervisor.asking import ask_home
    from supervisor.control import Request
    from supervisor.errors import ControlError, UsageError
    from supervisor.seats import SeatRequest, fault_of_name

    if fault := fault_of_name(name):
        raise UsageError(fault)
    request = SeatRequest(
        name=name,
        role=cast("GuestRole", role),
        is_replacing=replace,
        takes_frames=frames,
        command=_command_line(words) if words else None,
    )
    given = ask_home(home, Request(verb="attach", seat=request)).seat
    if given is None:
        raise ControlError("the supervisor's answer holds no seat")
    _wait_until_known(home, given)
    if as_json:
        click.echo(json.dumps({"name": name, "role": role, "offer": given.offer, "command": list(words) or None}))
    else:
        click.echo("\n".join(_told(given, request)))


def _command_line(words: tuple[str, ...]) -> "CommandLine":
    """`words` as this shell would run them; raises UsageError when there is no such program."""
    from supervisor.errors import UsageError
    from supervisor.seats import CommandLine

    program = shutil.which(words[0])
    if program is None:
        raise UsageError(f"{words[0]}: no such program; give the command as this shell would run it")
    return CommandLine(words=(os.path.abspath(program), *words[1:]), folder=os.getcwd(), environment=dict(os.environ))


def _wait_until_known(home: Home, given: "SeatGiven") -> None:
    """Return once the actors know the seat; raises ControlError when that takes too long."""
    from supervisor.asking import ask_home
    from supervisor.control import Request
    from supervisor.errors import ControlError

    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        report = ask_home(home, Request(verb="status")).status
        if report is not None and any(row.name == given.name and row.state != "granted" for row in report.guests):
            return
        time.sleep(POLL_S)
    raise ControlError(
        f"the actors do not know the seat {given.name} after {PATIENCE_S:g} s; see `supervisor status`; "
        f"once they run, the seat holds: ONEIROS_SEAT={given.offer}"
    )


def _told(given: "SeatGiven", request: "SeatRequest") -> tuple[str, ...]:
    """What a shell can take over as it is."""
    import shlex

    if request.command is not None:
        return (f"{given.name}: {shlex.join(request.command.words)}; its output is in logs/{given.name}.log",)
    return (f"export ONEIROS_SEAT={shlex.quote(given.offer)}",)
