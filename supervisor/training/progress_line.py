"""Progress of a training run: one line on a terminal, with the loss and how long still; nothing elsewhere.

In: how far the run is, the time. Out: a line on standard error, drawn over itself, so that results on standard output
stand alone. It goes when the run ends.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from supervisor.rendering import duration_text
from supervisor.training.conducting import Told

BAR: Final = 24
PERIOD_S: Final = 0.1
CLEAR: Final = "\r\x1b[K"


@contextmanager
def shown_training() -> Iterator[Callable[[Told], None]]:
    """A function to call after each step."""
    if not sys.stderr.isatty():
        yield lambda _told: None
        return
    line = _Line()
    try:
        yield line.show
    finally:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()


class _Line:
    """Draws at most ten times a second."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._began_at = 0
        self._drawn_s = 0.0

    def show(self, told: Told) -> None:
        now = time.monotonic()
        if self._began_s is None or told.step < self._began_at:
            self._began_s, self._began_at = now, told.step
        if now - self._drawn_s < PERIOD_S and told.step < told.steps_total:
            return
        self._drawn_s = now
        done, left = told.step - self._began_at, told.steps_total - told.step
        left_s = (now - self._began_s) / done * left if done else None
        sys.stderr.write(CLEAR + progress_line(told, left_s))
        sys.stderr.flush()


def progress_line(told: Told, left_s: float | None) -> str:
    """`epoch 2 of 5 [######------] step 120 of 450  loss 0.4213  val 0.912  8 s left`."""
    share = told.step / told.steps_total if told.steps_total else 1.0
    full = round(BAR * min(1.0, share))
    parts = [
        f"epoch {min(told.epoch + 1, told.epochs)} of {told.epochs} [{'#' * full}{'-' * (BAR - full)}] "
        f"step {told.step} of {told.steps_total}",
        "" if told.loss is None else f"loss {told.loss:.4f}",
        "" if told.val_accuracy is None else f"val {told.val_accuracy:.3f}",
        "" if left_s is None else f"{duration_text(left_s)} left",
    ]
    return "  ".join(part for part in parts if part)
