"""The wound of a field: how near its origin it was touched, and how that heals (seed 001, section 8).

In: a text, the words of the origin, and when. Out: a level in [0, 1]. A text moves the level towards 1 by `GAIN` times
its overlap, the share of its content words that the origin has; who asks the field who it is touches it by half at
least. Between texts the level halves with every half-life. A clock that goes back heals nothing. A line's own trauma
is its overlap for the greater part and the level for the rest. It refuses nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from actors.friend.words import overlap

GAIN: Final = 0.5
OWN_SHARE: Final = 0.75
"""Of a line's trauma, what is its own."""
TOUCHING: Final = 0.25
"""Overlap under which a text is talk of the day, and touches nothing."""
WHO: Final = re.compile(r"\b(who|what)\s+(are|were)\s+you\b|\byour\s+(name|origin)\b", re.IGNORECASE)
ASKED_WHO: Final = 0.5


def kinship(text: str, origin: frozenset[str]) -> float:
    """How near `text` is to the origin: its overlap, and half at least when it asks for the origin."""
    return max(overlap(text, origin), ASKED_WHO if WHO.search(text) else 0.0)


@dataclass(slots=True)
class Wound:
    """The level, as it was at a moment."""

    half_life_s: float
    level: float = 0.0
    at_s: float = 0.0

    def level_at(self, now_s: float) -> float:
        """The level as it has healed until `now_s`."""
        return self.level * float(0.5 ** (max(0.0, now_s - self.at_s) / self.half_life_s))

    def touch(self, overlap: float, now_s: float, weight: float = 1.0) -> float:
        """Take in a text of that overlap with the origin; its trauma. A dream touches by its weight."""
        level = self.level_at(now_s)
        if overlap >= TOUCHING:
            level += (1.0 - level) * GAIN * overlap * weight
        self.level, self.at_s = level, now_s
        return OWN_SHARE * overlap + (1.0 - OWN_SHARE) * level
