"""Progress of long reading: a bar on a terminal, nothing elsewhere.

In: how many bytes there are, and how many were read. Out: a bar on standard error, which leaves results on standard
output alone.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STEPS: Final = 200
"""Redraws of a bar from its beginning to its end."""


@contextmanager
def shown_progress(total_bytes: int, label: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the bytes that were just read; the bar goes when the body ends."""
    if not sys.stderr.isatty():
        yield lambda _size_bytes: None
        return
    import click

    step = max(1, total_bytes // STEPS)
    with click.progressbar(length=total_bytes, label=label, file=sys.stderr, update_min_steps=step) as bar:
        left = total_bytes

        def advance(size_bytes: int) -> None:
            nonlocal left
            left -= size_bytes
            bar.update(size_bytes)

        yield advance
        bar.update(max(left, step))
