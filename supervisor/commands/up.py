"""`supervisor up`: start the loop, show what it does, stop it in order."""

import math
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from schemas.errors import OneirosError
from supervisor.options import with_inputs

if TYPE_CHECKING:
    from supervisor.configuration import Sources


PRIVATE = 0o077
"""What is dreamt and said is for the user alone to read."""


class Seconds(click.FloatRange):
    """A length of time: more than nothing, and not endless."""

    def __init__(self) -> None:
        super().__init__(min=0.0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds; leave --for out to run until Ctrl-C", param, ctx)
        return seconds


@click.command()
@click.option("--detach", "-d", is_flag=True, help="Return as soon as every actor is ready, and let the loop run on.")
@click.option("--for", "seconds", type=Seconds(), metavar="SECONDS", help="Stop after this time.")
@click.option(
    "--until-profiles",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop when the dreamer has applied N profiles; with --for, exit code 1 when the time is over before.",
)
@click.option("--no-curve", is_flag=True, help="Leave every inbox without a lock; for benchmarks, and noted as such.")
@click.option("--report-to", type=int, hidden=True)
@with_inputs
def command(
    sources: "Sources",
    detach: bool,
    seconds: float | None,
    until_profiles: int | None,
    no_curve: bool,
    report_to: int | None,
) -> None:
    """Start the loop and show what it does, until Ctrl-C.

    Every actor is stopped in order on Ctrl-C, SIGTERM, `supervisor down` or at a limit; a second Ctrl-C kills. A
    run that was interrupted before is brought to its end first. Exit code 0: stopped in order; 1: a limit passed
    unmet, or an actor was never ready; 2: refused; 3: an actor was given up, or cannot start.

    \b
    Examples:
      supervisor up --images ~/pictures --seed 7
      supervisor up --detach --set dreamer.rate_hz=0
      supervisor up --until-profiles 2 --for 120
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if detach:
        from supervisor.detaching import start_detached

        raise click.exceptions.Exit(start_detached(sources.home, sys.argv[1:]))
    raise click.exceptions.Exit(_live(sources, (seconds, until_profiles), report_to, has_keys=not no_curve))


def _live(sources: "Sources", ends: tuple[float | None, int | None], report_to: int | None, *, has_keys: bool) -> int:
    """Live one run in this process; its exit code. What is imported here is slow, so the zygote is started first."""
    from supervisor import kernel
    from supervisor.nursery import Nursery

    os.umask(PRIVATE)
    kernel.keep_memory_private()
    limit = kernel.raise_open_files_limit()
    nursery = Nursery()
    from supervisor.bring_up import UpRequest, bring_up
    from supervisor.checks import judge_open_files
    from supervisor.cli import exit_code_of
    from supervisor.detaching import Parent, Report
    from supervisor.errors import UsageError
    from supervisor.log_lines import printable
    from supervisor.run_life import Limits

    parent = Parent(report_to)
    request = UpRequest(sources, Limits(*ends), is_detached=parent.is_waiting, has_keys=has_keys)
    try:
        if (found := judge_open_files(limit)).verdict == "FAIL":
            raise UsageError(found.text)
        ending = bring_up(
            request,
            nursery,
            lambda given_up, notices: parent.tell(Report(pid=os.getpid(), given_up=given_up, notices=notices)),
        )
    except (OneirosError, OSError) as error:
        parent.tell(Report(error=str(error), exit_code=exit_code_of(error)))
        raise
    finally:
        nursery.close()
    if ending.message is not None:
        click.echo("\n".join(map(printable, ending.message.splitlines())), err=True)
    parent.tell(Report(error=ending.message or "stopped before it was up", exit_code=ending.exit_code))
    return ending.exit_code
