"""Utility per dream over a bounded window of feedback (seed 000, section 6, step 1).

In: stored feedback records. Out: one `DreamWorth` for each dream of the window, by id. Utilities are summed exactly,
in units of 2^-64, so that the order of the records changes nothing; beyond 10^12 they count as 10^12.

Old utilities fade: an interval is closed after `bias.update_interval_steps` records, or when it has its share of the
window's entries, one entry being one dream in one interval. The oldest intervals leave when there are more entries
than `WINDOW_INTERVALS` intervals of records can make. Entries are counted, not records: a learner that floods the
pool with feedback on few dreams adds few entries, and pushes nobody out.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, get_args

from schemas.base import Colour
from schemas.dreams import Source
from schemas.feedback import StoredFeedback

WINDOW_INTERVALS: Final = 5
"""Short enough that a change of what helps shows after a few profiles."""
LEAST_WINDOW: Final = 1_000
LARGEST_WINDOW: Final = 20_000
"""Entries; bounds the state to about 1.5 MB whatever the settings."""
UTILITY_LIMIT: Final = 1e12
UNIT_BITS: Final = 64
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

_ENTRY: Final = struct.Struct("<16s16sQ4dB")


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


@dataclass(slots=True)
class Entry:
    """One dream in one interval."""

    total: int
    """Exact sum of utilities, in units of 2^-64."""
    records: int
    features: Features


Interval = dict[str, Entry]


class Window:
    """The feedback that the next profile rests on."""

    def __init__(self, interval_records: int, min_feedback: int) -> None:
        wanted = max(LEAST_WINDOW, WINDOW_INTERVALS * interval_records, min_feedback)
        self.entries_limit = min(LARGEST_WINDOW, wanted)
        self._interval_records = interval_records
        self._interval_entries = self.entries_limit // WINDOW_INTERVALS
        self._intervals: list[Interval] = [{}]
        self._open_records = 0

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
            features = Features(record.chroma_signature, record.spectral_entropy, record.source)
            entry = current.get(record.entry_id)
            if entry is None:
                current[record.entry_id] = Entry(amount, 1, features)
            else:
                entry.total += amount
                entry.records += 1
                entry.features = min(entry.features, features)
            self._open_records += 1
        if self._open_records >= self._interval_records or len(current) >= self._interval_entries:
            self._close_interval()

    def dreams(self) -> tuple[DreamWorth, ...]:
        """The dreams of the window, by id."""
        merged: dict[str, Entry] = {}
        for interval in self._intervals:
            for dream_id, entry in interval.items():
                known = merged.get(dream_id)
                merged[dream_id] = entry if known is None else _sum(known, entry)
        return tuple(_worth(dream_id, merged[dream_id]) for dream_id in sorted(merged))

    def to_plain(self) -> tuple[int, list[bytes]]:
        """The window as msgpack can hold it: records of the open interval, packed intervals."""
        return self._open_records, [
            b"".join(_pack(row, interval[row]) for row in interval) for interval in self._intervals
        ]

    def take_plain(self, plain: tuple[int, Sequence[bytes]]) -> None:
        """Take over what `to_plain` gave."""
        self._open_records = plain[0]
        self._intervals = [dict(_unpack(row) for row in _ENTRY.iter_unpack(packed)) for packed in plain[1]]

    def _close_interval(self) -> None:
        self._intervals.append({})
        self._open_records = 0
        while len(self._intervals) > 2 and sum(map(len, self._intervals)) > self.entries_limit:
            del self._intervals[0]


def _sum(first: Entry, second: Entry) -> Entry:
    return Entry(first.total + second.total, first.records + second.records, min(first.features, second.features))


def _worth(dream_id: str, entry: Entry) -> DreamWorth:
    return DreamWorth(dream_id, entry.total / (entry.records << UNIT_BITS), entry.records, *entry.features)


def _pack(dream_id: str, entry: Entry) -> bytes:
    features = entry.features
    return _ENTRY.pack(
        bytes.fromhex(dream_id.replace("-", "")),
        entry.total.to_bytes(16, "little", signed=True),
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
