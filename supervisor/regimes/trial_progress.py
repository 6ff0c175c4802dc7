"""Progress of trials: one line on a terminal, which trial of how many and how long still; nothing elsewhere.

In: how far an evaluation has come. Out: a line on standard error, drawn over itself, so that results on standard output
stand alone. It goes when the work ends.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from supervisor.regimes.conducting import Progress
from supervisor.rendering import duration_text

BAR: Final = 24


@contextmanager
def shown_trials() -> Iterator[Callable[[Progress], None]]:
    """A function to call as trials end."""
    if not sys.stderr.isatty():
        yield lambda _progress: None
        return
    try:
        yield _draw
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def progress_line(progress: Progress) -> str:
    """`trial 12 of 88 [######------] 1 min 15 s left  cpu gen0_01`."""
    share = min(1.0, progress.trial / progress.trials) if progress.trials else 0.0
    full = round(BAR * share)
    left = "" if progress.seconds_left is None else f" {duration_text(progress.seconds_left)} left"
    bar = "#" * full + "-" * (BAR - full)
    return f"trial {progress.trial} of {progress.trials} [{bar}]{left}  {progress.text}".rstrip()


def _draw(progress: Progress) -> None:
    sys.stderr.write(f"\r\x1b[K{progress_line(progress)}")
    sys.stderr.flush()
