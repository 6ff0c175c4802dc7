"""The topics of a run in figures: who says what to whom, how many, how large, how fast.

In: the steps of a run. Out: for each kind of message its senders, receivers, count, bytes and last time; rates over a
window, for every whole second of it. Bytes are those in the senders' journals: a payload that another message holds
already counts there alone. Kinds that the topology knows and nobody said are listed too: silence is a finding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum, sqrt
from typing import Final, NamedTuple

from bus.skimming import SkimmedMessage, SkimmedStep
from schemas.catalogue import CATALOGUE
from supervisor.log_lines import utc_text
from supervisor.recorded.kinds import journalled_kinds

SECOND_NS: Final = 1_000_000_000


@dataclass
class Topic:
    """One kind of message in a run."""

    kind: str
    versions: set[int] = field(default_factory=set)
    senders: set[str] = field(default_factory=set)
    receivers: set[str] = field(default_factory=set)
    messages: int = 0
    size_bytes: int = 0
    last_ns: int | None = None
    times_ns: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, message: SkimmedMessage) -> None:
        """Count `message`."""
        self.versions.add(message.version)
        self.senders.add(message.ref.sender)
        self.receivers.add(message.receiver)
        self.messages += 1
        self.size_bytes += message.size_bytes
        self.last_ns = max(self.last_ns or 0, message.wall_ns)
        self.times_ns.append(message.wall_ns)
        self.sizes.append(message.size_bytes)

    def tree(self) -> dict[str, object]:
        """The topic as a JSON object."""
        cls = CATALOGUE.get(self.kind)
        return {
            "kind": self.kind,
            "version": cls.version if cls is not None else None,
            "versions_said": sorted(self.versions),
            "senders": sorted(self.senders),
            "receivers": sorted(self.receivers),
            "messages": self.messages,
            "bytes": self.size_bytes,
            "last_at": utc_text(self.last_ns / 1e9) if self.last_ns is not None else None,
        }


class Window(NamedTuple):
    """A stretch of time, nanoseconds since the Unix epoch; the end is outside."""

    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return max(0, self.end_ns - self.begin_ns) / SECOND_NS

    def holds(self, wall_ns: int) -> bool:
        """Whether `wall_ns` lies inside."""
        return self.begin_ns <= wall_ns < self.end_ns

    def tree(self) -> dict[str, object]:
        """The window as a JSON object."""
        begin, end = (utc_text(at / 1e9) for at in self)
        return {"from": begin, "to": end, "seconds": round(self.seconds, 3)}


class Rate(NamedTuple):
    """An amount a second; all but the mean are over the whole seconds of the window, None when it has none."""

    mean: float | None
    low: float | None
    high: float | None
    deviation: float | None
    """Standard deviation of the whole seconds."""


def survey(steps: Iterable[SkimmedStep]) -> dict[str, Topic]:
    """Every kind that was said or could have been, by name."""
    topics = {kind: Topic(kind) for kind in journalled_kinds()}
    for step in steps:
        for message in step.messages:
            topics.setdefault(message.kind, Topic(message.kind)).add(message)
    return dict(sorted(topics.items()))


def rate_of(times_ns: Sequence[int], amounts: Sequence[float], window: Window) -> Rate:
    """How much of `amounts` came in a second of `window`; each amount came at the time beside it."""
    whole = int(window.seconds)
    slots: dict[int, float] = {}
    total = 0.0
    for at_ns, amount in zip(times_ns, amounts, strict=True):
        if window.holds(at_ns):
            total += amount
            slot = (at_ns - window.begin_ns) // SECOND_NS
            if slot < whole:
                slots[slot] = slots.get(slot, 0.0) + amount
    mean = total / window.seconds if window.seconds > 0 else None
    if not whole:
        return Rate(mean, None, None, None)
    silent = whole - len(slots)
    middle = fsum(slots.values()) / whole
    spread = fsum((amount - middle) ** 2 for amount in slots.values()) + silent * middle**2
    lowest, highest = min(slots.values(), default=0.0), max(slots.values(), default=0.0)
    return Rate(mean, 0.0 if silent else lowest, highest, sqrt(spread / whole))


def largest_gap_s(times_ns: Sequence[int], window: Window) -> float | None:
    """The longest time between two messages of `window`; None for fewer than two."""
    inside = sorted(at_ns for at_ns in times_ns if window.holds(at_ns))
    gaps = [later - earlier for earlier, later in pairwise(inside)]
    return max(gaps) / SECOND_NS if gaps else None


def frequency_row(topic: Topic, window: Window) -> dict[str, object]:
    """Messages a second of `topic`."""
    rate = rate_of(topic.times_ns, [1.0] * topic.messages, window)
    return {
        "kind": topic.kind,
        "messages": sum(window.holds(at_ns) for at_ns in topic.times_ns),
        "mean_hz": rate.mean,
        "min_hz": rate.low,
        "max_hz": rate.high,
        "std_hz": rate.deviation,
        "largest_gap_s": largest_gap_s(topic.times_ns, window),
    }


def bandwidth_row(topic: Topic, window: Window) -> dict[str, object]:
    """Bytes a second of `topic`."""
    rate = rate_of(topic.times_ns, topic.sizes, window)
    sizes = [size for at_ns, size in zip(topic.times_ns, topic.sizes, strict=True) if window.holds(at_ns)]
    return {
        "kind": topic.kind,
        "messages": len(sizes),
        "bytes": sum(sizes),
        "mean_size_bytes": sum(sizes) / len(sizes) if sizes else None,
        "mean_bytes_per_s": rate.mean,
        "min_bytes_per_s": rate.low,
        "max_bytes_per_s": rate.high,
        "std_bytes_per_s": rate.deviation,
    }
