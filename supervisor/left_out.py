"""What of the user's pictures and facts a run does without.

In: names with reasons, of pictures and of lines of the facts file. Out: the counts, and a few lines for people: the
first of each kind, and how many more there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHOWN: Final = 5
"""So many of each kind are named."""

Refused = tuple[str, str]
"""File name, or file name and line, with the reason."""


@dataclass(frozen=True)
class LeftOut:
    """Everything that was left out, in order."""

    pictures: tuple[Refused, ...] = ()
    facts: tuple[Refused, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """At most `SHOWN` pictures and `SHOWN` facts with their reasons, and how many more of each."""
        return (*shorten(self.pictures, "picture"), *shorten(self.facts, "line of facts", "lines of facts"))


def shorten(refused: Sequence[Refused], one: str, many: str = "") -> tuple[str, ...]:
    """The first `SHOWN` of `refused`, one a line; what the rest is called is `one` or `many`."""
    lines = tuple(f"{name}: {reason}" for name, reason in refused[:SHOWN])
    more = len(refused) - SHOWN
    if more <= 0:
        return lines
    return (*lines, f"and {more} more {one if more == 1 else many or f'{one}s'}")
