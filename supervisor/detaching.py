"""`up --detach`: a supervisor of its own session, and the pipe over which it says that it is up.

In: the command line without --detach. Out: a process whose output goes to `home/logs/supervisor.log`, and one report:
its pid when every actor is ready, or why it is not up. The parent returns with the report.
"""

import os
import subprocess
import sys
from contextlib import suppress

import click
from pydantic import ValidationError

from schemas.base import Record
from supervisor.advice import advise
from supervisor.home import Home
from supervisor.log_lines import printable

DETACH_FLAGS = ("--detach", "-d")


class Report(Record):
    """What the detached supervisor says once."""

    pid: int | None = None
    given_up: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    """What to know of the inputs, such as what was left out."""
    error: str | None = None
    exit_code: int = 0


class Parent:
    """Whoever waits for the report, if anybody does."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def is_waiting(self) -> bool:
        """Whether a report is still awaited."""
        return self._descriptor is not None

    def tell(self, report: Report) -> None:
        """Send `report`; later ones are passed over, and so is a parent that has gone."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with suppress(OSError):
            os.write(descriptor, report.model_dump_json().encode() + b"\n")
        os.close(descriptor)


def start_detached(home: Home, arguments: list[str]) -> int:
    """Start `arguments` without --detach in a session of its own, and wait for its report; the exit code."""
    home.create()
    reader, writer = os.pipe()
    words = [word for word in arguments if word not in DETACH_FLAGS]
    with (home.logs / "supervisor.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.cli", *words, "--report-to", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    try:
        report = _read_report(reader)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    finally:
        os.close(reader)
    return _conclude(report, child, home)


def _read_report(descriptor: int) -> Report | None:
    data = b""
    while not data.endswith(b"\n") and (more := os.read(descriptor, 65536)):
        data += more
    try:
        return Report.model_validate_json(data)
    except ValidationError:
        return None


def _conclude(report: Report | None, child: "subprocess.Popen[bytes]", home: Home) -> int:
    if report is None:
        status = child.wait()
        click.echo(
            f"error: the supervisor ended with {status} before it was up; see {home.logs}/supervisor.log", err=True
        )
        return status if status > 0 else 1
    if report.pid is None:
        child.wait()
        click.echo(f"error: {printable(report.error or '')}", err=True)
        return report.exit_code
    child.returncode = 0  # it runs on; nobody here waits for it
    click.echo(f"up: pid {report.pid}, home {home.root}")
    for notice in report.notices:
        click.echo(printable(notice), err=True)
    if report.given_up:
        see = advise("logs --level error", home.root)
        click.echo(f"given up: {', '.join(report.given_up)}; see {see}", err=True)
        return 3
    return 0
