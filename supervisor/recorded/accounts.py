"""What the journal of one actor says, kept so small that a run of millions of messages fits in memory.

In: the messages that the actor said and those that it names as inputs, one by one, from `supervisor.recorded.ledger`.
Out: each again by its number, with its place; about thirty-five bytes each. A message is known by epoch and number as
one integer that sorts (`bus.journal_check.key_of`), and by a digest of its body.
"""

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bus.journal_check import SEQ_BITS
from bus.segment import SegmentName
from bus.step import Heard, Outgoing

FOREVER: Final = (1 << 64) - 1
"""After every message."""


class Place(NamedTuple):
    """Where a frame stands in the journal of an actor; step 0 and epoch 0 where they cannot be told."""

    segment: str
    offset: int
    step: int = 0
    epoch: int = 0


class Said(NamedTuple):
    """A message as its sender's journal holds it."""

    receiver: str
    kind: str
    before: int
    """`key_of` the message to the same receiver before it."""
    digest: int


class Taken(NamedTuple):
    """A message as its receiver's journal names it."""

    sender: str
    key: int
    place: Place
    is_refused: bool
    is_unseen: bool
    """Whether it was refused and nothing came of it: no draw, no message."""
    heard: tuple[str, int] | None
    """Kind and digest of the message that a boxed receiver kept."""


class Gap(NamedTuple):
    """A stretch of a journal that cannot be read: what was said after `low` and before `high` may have stood there."""

    place: Place
    reason: str
    low: int
    high: int


class Stray(NamedTuple):
    """A message that the topology has no row for."""

    key: int
    kind: str
    receiver: str
    place: Place


class Names:
    """Texts that recur, as numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def number(self, text: str) -> int:
        """The number of `text`."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return found

    def __getitem__(self, number: int) -> str:
        return self._texts[number]


def _numbers(code: str) -> "Callable[[], array[int]]":
    return lambda: array(code)


@dataclass
class Account:
    """What the journal of one actor says."""

    names: Names
    said_keys: "array[int]" = field(default_factory=_numbers("Q"))
    said_before: "array[int]" = field(default_factory=_numbers("Q"))
    said_digests: "array[int]" = field(default_factory=_numbers("Q"))
    said_to: "array[int]" = field(default_factory=_numbers("I"))
    said_kinds: "array[int]" = field(default_factory=_numbers("I"))
    taken_senders: "array[int]" = field(default_factory=_numbers("I"))
    taken_keys: "array[int]" = field(default_factory=_numbers("Q"))
    taken_segments: "array[int]" = field(default_factory=_numbers("I"))
    taken_offsets: "array[int]" = field(default_factory=_numbers("Q"))
    taken_steps: "array[int]" = field(default_factory=_numbers("Q"))
    taken_flags: "array[int]" = field(default_factory=_numbers("B"))
    heard: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Kind and digest by the number of the input; boxed actors hear little."""
    taken_up_to: dict[str, int] = field(default_factory=dict)
    """The highest message taken of each sender, by `key_of`."""
    gaps: list[Gap] = field(default_factory=list)
    breaks: "array[int]" = field(default_factory=_numbers("Q"))
    """Inputs before each gap."""
    is_ended: bool = False
    """Whether the journal ends with a closing frame."""
    is_cut: bool = False
    """Whether its end is known to be missing, though no gap tells of it."""
    strays: list[Stray] = field(default_factory=list)
    strays_total: int = 0
    renumbered: list[tuple[int, Place]] = field(default_factory=list)
    """Messages with a number that was used before, by `key_of`: what such a number names is uncertain."""
    others: int = 0
    """Timers, observations and process starts that were handled."""
    observed: list[tuple[str, Place]] = field(default_factory=list)
    """The first observations, by name."""

    def find(self, key: int) -> Said | None:
        """The message `key`, if the journal holds it."""
        at = bisect_left(self.said_keys, key)
        if at == len(self.said_keys) or self.said_keys[at] != key:
            return None
        told = self.names[self.said_to[at]], self.names[self.said_kinds[at]]
        return Said(*told, self.said_before[at], self.said_digests[at])

    def lose(self, place: Place, reason: str) -> None:
        """From `place` on the journal cannot be read; to where, is known once a later message of it is."""
        self.gaps.append(Gap(place, reason, self.said_keys[-1] if self.said_keys else 0, FOREVER))
        self.breaks.append(len(self.taken_keys))

    def gap_between(self, low: int, high: int) -> Gap | None:
        """A gap in which a message after `low` and before `high` may have stood."""
        return next((gap for gap in self.gaps if gap.low + 1 < high and low + 1 < gap.high), None)

    def taken(self, at: int) -> Taken:
        """The input number `at`, from 0."""
        segment = self.names[self.taken_segments[at]]
        place = Place(segment, self.taken_offsets[at], self.taken_steps[at], epoch_of(segment))
        flags = self.taken_flags[at]
        sender, key = self.names[self.taken_senders[at]], self.taken_keys[at]
        return Taken(sender, key, place, bool(flags & 1), bool(flags & 2), self.heard.get(at))

    def has_break(self, low: int, high: int) -> bool:
        """Whether part of the journal is missing after `low` inputs and before input number `high`."""
        return bisect_right(self.breaks, high) > bisect_right(self.breaks, low)


def epoch_of(segment: str) -> int:
    """The process start that wrote the segment of that name; 0 when the name is none."""
    name = SegmentName.parse(Path(segment))
    return name.epoch if name is not None else 0


def name_of(sender: str, key: int) -> str:
    """`sender/epoch/seq`, as people write it."""
    return f"{sender}/{key >> SEQ_BITS}/{key & (1 << SEQ_BITS) - 1}"


def digest_of(message: Outgoing | Heard) -> int:
    """Eight bytes over kind, version and body."""
    head = f"{message.kind}\0{message.version}\0".encode()
    return int.from_bytes(hashlib.blake2b(head + message.body, digest_size=8).digest(), "little")
