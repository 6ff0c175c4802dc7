"""Choosing a run and listening to what its actors said.

In: a home, the name of a run or none. Out: the run, whether it goes on, and its steps, with progress on a terminal
when reading takes long. What is damaged in the journals is said at the end, on standard error. It asks no process
anything: whether a run goes on is read from the home's lock.
"""

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import click

from bus.skimming import SkimmedStep
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.lock import is_held
from supervisor.recorded.conversation import Conversation, follow
from supervisor.runs import RunFolder, resolve_run

POLL_S: Final = 0.1
PROGRESS_AFTER_S: Final = 0.5
PROGRESS_PERIOD_S: Final = 0.1
STEPS_BETWEEN_LOOKS: Final = 256
MIB: Final = 1024 * 1024


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
        """The instances that have a seat in the run, or a journal."""
        journal = self.folder.journal
        names = {path.name for path in journal.iterdir() if path.is_dir()} if journal.is_dir() else set()
        try:
            names |= {seat["instance"] for seat in json.loads(self.folder.manifest_file.read_bytes())["seats"]}
        except (OSError, ValueError, KeyError, TypeError):
            return sorted(names)
        return sorted(names)


def choose_run(home: Home, name: str) -> ChosenRun:
    """The run called `name`; raises UsageError when there is none."""
    folder = resolve_run(home, name)
    return ChosenRun(folder, is_live(folder))


def is_live(run: RunFolder) -> bool:
    """Whether `run` goes on: it is the newest, it was not closed, and a supervisor holds the home."""
    return run.is_open and is_held(run.home) and resolve_run(run.home, "latest").run_id == run.run_id


def is_followed(run: ChosenRun, wanted: bool | None, is_limited: bool, is_terminal: bool) -> bool:
    """Whether to go on with what is said: as asked for, else while the run goes on. Raises UsageError.

    Without a limit only a terminal is followed to: there somebody can press Ctrl-C.
    """
    if wanted and not run.is_live:
        raise UsageError(f"run {run.run_id} has ended, nothing will follow; leave --follow away")
    is_following = run.is_live if wanted is None else wanted
    if is_following and not is_limited and not is_terminal:
        raise UsageError(
            f"run {run.run_id} goes on and the output is no terminal, so this would never end; "
            "give --count N, --duration SECONDS or --no-follow"
        )
    return is_following


def live_steps(run: ChosenRun, conversation: Conversation, duration_s: float | None) -> Iterator[SkimmedStep]:
    """The steps of a running run as they are written, for `duration_s` or until it ends."""
    ends_at = math.inf if duration_s is None else time.monotonic() + duration_s
    return follow(
        conversation,
        is_over=lambda: time.monotonic() >= ends_at or not is_live(run.folder),
        pause=lambda: time.sleep(max(0.0, min(POLL_S, ends_at - time.monotonic()))),
    )


def recorded_steps(conversation: Conversation, since_ns: int, duration_s: float | None) -> Iterator[SkimmedStep]:
    """The steps on disk from `since_ns` on, or the first `duration_s` of them.

    They are shown while they are read: on a terminal they are progress enough.
    """
    begin_ns = max(since_ns, conversation.began_ns() or 0)
    end_ns = math.inf if duration_s is None else begin_ns + duration_s * 1e9
    steps = conversation.steps() if sys.stdout.isatty() else read_through(conversation)
    return (step for step in steps if step.wall_ns < end_ns)


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
