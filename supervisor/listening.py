"""Choosing a run and listening to what its actors said.

In: a home, the name of a run or none. Out: the run, whether it goes on, and its steps, with progress on a terminal
when reading takes long. What is damaged in the journals is said at the end, on standard error. It asks no process
anything: whether a run goes on is read from the home's lock.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import click

from bus.skimming import SkimmedStep
from supervisor.conversation import Conversation
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.lock import is_held
from supervisor.runs import RunFolder, resolve_run

PROGRESS_AFTER_S: Final = 0.5
PROGRESS_PERIOD_S: Final = 0.1
STEPS_BETWEEN_LOOKS: Final = 256
MIB: Final = 1024 * 1024

run_option = click.option(
    "--run",
    "run_name",
    default="latest",
    metavar="RUN",
    help="Run id, a unique beginning of one, or `latest`.  [default: the running run, else the newest]",
)
"""`--run RUN`: the command's argument `run_name`."""


class ChosenRun(NamedTuple):
    """A run that has been chosen."""

    folder: RunFolder
    is_live: bool
    """Whether its actors go on talking."""

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.folder.run_id

    def actors(self) -> list[str]:
        """The instances of the run; raises UsageError when nothing tells."""
        journal = self.folder.journal
        names = {path.name for path in journal.iterdir() if path.is_dir()} if journal.is_dir() else set()
        try:
            names |= {seat.instance for seat in self.folder.read_manifest().seats}
        except (OSError, ValueError):
            if not names:
                raise UsageError(f"run {self.run_id} has neither a manifest nor a journal") from None
        return sorted(names)


def choose_run(home: Home, name: str) -> ChosenRun:
    """The run called `name`; raises UsageError when there is none."""
    folder = resolve_run(home, name)
    return ChosenRun(folder, is_live(folder))


def is_live(run: RunFolder) -> bool:
    """Whether `run` goes on: it is the newest, it was not closed, and a supervisor holds the home."""
    return run.is_open and is_held(run.home) and resolve_run(run.home, "latest").run_id == run.run_id


def read_through(conversation: Conversation) -> Iterator[SkimmedStep]:
    """All steps of `conversation`; on a terminal standard error shows how far reading is when it takes long."""
    steps = conversation.steps()
    return _shown(steps, conversation) if sys.stderr.isatty() else steps


def say_damages(conversation: Conversation) -> None:
    """Name on standard error every stretch that could not be read."""
    for damage in conversation.damages:
        where = f"{damage.segment} at {damage.offset}"
        click.echo(f"damaged journal: {where}: {damage.reason}; {damage.size} bytes are left out", err=True)


def _shown(steps: Iterable[SkimmedStep], conversation: Conversation) -> Iterator[SkimmedStep]:
    began = shown_at = time.monotonic()
    is_shown = False
    for number, step in enumerate(steps):
        if number % STEPS_BETWEEN_LOOKS == 0:
            now = time.monotonic()
            if now - began >= PROGRESS_AFTER_S and now - shown_at >= PROGRESS_PERIOD_S:
                total = conversation.size_bytes() / MIB
                sys.stderr.write(f"\r\x1b[Kreading {conversation.read_bytes / MIB:.0f} of {total:.0f} MiB")
                sys.stderr.flush()
                shown_at, is_shown = now, True
        yield step
    if is_shown:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
