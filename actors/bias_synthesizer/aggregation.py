"""Utility per dream over a bounded window of feedback (seed 000, section 6, step 1).

In: stored feedback records. Out: one `DreamWorth` for each dream of the window, by id. Utilities are summed exactly,
in units of 2^-64, so that the order of the records changes nothing; beyond 10^12 they count as 10^12.

Old utilities fade: the window holds the last `WINDOW_INTERVALS` intervals, the open one included. An interval is full
after `bias.update_interval_steps` records (at least 200, at most 4000), where one dream counts for at most a
twentieth of it: a learner that floods the pool with feedback on few dreams fills no interval, and pushes nobody out.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, get_args

from schemas.base import Colour
from schemas.dreams import Source
from schemas.feedback import StoredFeedback

WINDOW_INTERVALS: Final = 3
"""Short enough that a change of what helps shows after a few profiles."""
LEAST_INTERVAL: Final = 200
LARGEST_INTERVAL: Final = 4_000
"""Records; bounds the state to about 2 MB whatever the settings."""
DREAM_SHARE: Final = 20
"""One dream fills at most one part in so many of an interval."""
UTILITY_LIMIT: Final = 1e12
UNIT_BITS: Final = 64
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

MASS_BYTES: Final = 32

_ENTRY: Final = struct.Struct("<16s24sQ4dB")


class Features(NamedTuple):
    """What is known of a dream beside its worth."""

    chroma_signature: Colour
    spectral_entropy: float
    source: Source


class DreamWorth(NamedTuple):
    """What the feedback of the window says of one dream."""

    dream_id: str
    mean_utility: float
    """Mean over its records."""
    records: int
    chroma_signature: Colour
    spectral_entropy: float
    source: Source
    weight: float = 1.0
    """Of the dream beside others, in (0, 1]: below 1 where guests judged it who are held down."""


@dataclass(slots=True)
class Entry:
    """One dream in one interval."""

    total: int
    """Exact sum of utilities, in units of 2^-64."""
    records: int
    features: Features


Interval = dict[str, Entry]
Plain = tuple[int, Sequence[bytes], Sequence[bytes]]


class Window:
    """The feedback that the next profile rests on."""

    def __init__(self, update_interval: int, min_feedback: int) -> None:
        self._interval_size = min(LARGEST_INTERVAL, max(LEAST_INTERVAL, update_interval, min_feedback))
        self._most_per_dream = self._interval_size // DREAM_SHARE
        self._intervals: list[Interval] = [{}]
        self._masses = [0]
        """Of each interval the exact sum of the sizes of utilities, in units of 2^-64."""
        self._filled = 0

    @property
    def records(self) -> int:
        """Feedback records in the window."""
        return sum(entry.records for interval in self._intervals for entry in interval.values())

    def add(self, records: Iterable[StoredFeedback]) -> None:
        """Take records into the open interval; close it when it is full."""
        current = self._intervals[-1]
        for record in records:
            limited = min(UTILITY_LIMIT, max(-UTILITY_LIMIT, record.utility))
            amount = int(limited * 2.0**UNIT_BITS)
            self._masses[-1] += abs(amount)
            features = Features(record.chroma_signature, record.spectral_entropy, record.source)
            entry = current.get(record.entry_id)
            if entry is None:
                current[record.entry_id] = Entry(amount, 1, features)
            else:
                entry.total += amount
                entry.records += 1
                entry.features = min(entry.features, features)
            self._filled += current[record.entry_id].records <= self._most_per_dream
        if self._filled >= self._interval_size:
            self._intervals = [*self._intervals, {}][-WINDOW_INTERVALS:]
            self._masses = [*self._masses, 0][-WINDOW_INTERVALS:]
            self._filled = 0

    @property
    def mass(self) -> int:
        """Sum of the sizes of all utilities, in units of 2^-64."""
        return sum(self._masses)

    def dreams(self) -> tuple[DreamWorth, ...]:
        """The dreams of the window, by id."""
        merged = self.entries()
        return tuple(_worth(dream_id, merged[dream_id]) for dream_id in sorted(merged))

    def entries(self) -> dict[str, Entry]:
        """What the window holds of each dream."""
        merged: dict[str, Entry] = {}
        for interval in self._intervals:
            for dream_id, entry in interval.items():
                known = merged.get(dream_id)
                merged[dream_id] = entry if known is None else _sum(known, entry)
        return merged

    def to_plain(self) -> Plain:
        """The window as msgpack can hold it: how full the open interval is, packed intervals, their masses."""
        packed = [b"".join(_pack(row, interval[row]) for row in interval) for interval in self._intervals]
        return self._filled, packed, [mass.to_bytes(MASS_BYTES, "little") for mass in self._masses]

    def take_plain(self, plain: Plain) -> None:
        """Take over what `to_plain` gave."""
        self._filled, packed, masses = plain
        self._intervals = [dict(_unpack(row) for row in _ENTRY.iter_unpack(interval)) for interval in packed]
        self._masses = [int.from_bytes(mass, "little") for mass in masses]


def _sum(first: Entry, second: Entry) -> Entry:
    return Entry(first.total + second.total, first.records + second.records, min(first.features, second.features))


def _worth(dream_id: str, entry: Entry) -> DreamWorth:
    return DreamWorth(dream_id, entry.total / (entry.records << UNIT_BITS), entry.records, *entry.features)


def _pack(dream_id: str, entry: Entry) -> bytes:
    features = entry.features
    return _ENTRY.pack(
        bytes.fromhex(dream_id.replace("-", "")),
        entry.total.to_bytes(24, "little", signed=True),
        entry.records,
        *features.chroma_signature,
        features.spectral_entropy,
        SOURCES.index(features.source),
    )


def _unpack(row: tuple[bytes, bytes, int, float, float, float, float, int]) -> tuple[str, Entry]:
    packed_id, total, records, red, green, blue, entropy, source = row
    text = packed_id.hex()
    dream_id = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    features = Features((red, green, blue), entropy, SOURCES[source])
    return dream_id, Entry(int.from_bytes(total, "little", signed=True), records, features)
