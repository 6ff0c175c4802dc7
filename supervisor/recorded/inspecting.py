"""One recorded run in detail: every actor with its process starts, its messages and what was refused.

In: a run. Out: a `RunDetails`, from one reading of all its journals. What is damaged is counted and left to
`supervisor record verify`. Refused: a run whose journals are gone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bus.errors import JournalError
from bus.frame import Fault, Frame, FrameKind
from bus.recording import Recording
from bus.segment import SegmentName, SegmentReader
from bus.step import decode_step
from schemas.base import Record
from supervisor.log_lines import utc_text
from supervisor.recorded.recordings import ManifestFacts, RecordedRun, describe_run, open_recording, read_facts
from supervisor.runs import RunFolder


class MessageCount(Record):
    """The messages of one kind from one actor to another."""

    kind: str
    receiver: str
    messages: int
    size_bytes: int
    """Bodies, and the payloads that the journal stores with them."""


class ProcessStart(Record):
    """One process of an actor."""

    epoch: int
    started_at: str | None
    segments: int
    steps: int
    cut_bytes: int
    """Bytes of an unfinished write that it cut from the journal of the process before."""


class ActorDetails(Record):
    """What one actor recorded."""

    name: str
    role: str | None
    epochs: tuple[ProcessStart, ...]
    segments: int
    size_bytes: int
    steps: int
    messages: int
    by_kind: tuple[MessageCount, ...]
    first_at: str | None
    last_at: str | None
    refusals: int
    """Steps whose input was refused."""
    cut_bytes: int
    """Bytes of unfinished writes: cut at each start, and still at the end of the journal."""
    damages: int
    """Stretches that cannot be read."""


class RunDetails(Record):
    """A recorded run."""

    run: RecordedRun
    manifest: ManifestFacts
    actors: tuple[ActorDetails, ...]


def inspect_run(run: RunFolder, watch: Callable[[int], None] | None = None) -> RunDetails:
    """Read the journals of `run`; `watch` is called with the bytes read. Raises NoJournalError."""
    recording = open_recording(run)
    if watch is not None:
        recording.watch = watch
    facts = read_facts(run)
    roles = facts.roles or {}
    return RunDetails(
        run=describe_run(run),
        manifest=facts,
        actors=tuple(_Inspection(recording, actor).run(roles.get(actor)) for actor in recording.actors()),
    )


@dataclass
class _Start:
    started_ns: int | None
    cut_bytes: int
    segments: int = 0
    steps: int = 0


@dataclass
class _Inspection:
    """Counts the journal of one actor."""

    recording: Recording
    actor: str
    starts: dict[int, _Start] = field(default_factory=dict)
    counts: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    times_ns: list[int] = field(default_factory=list)
    """First and last."""
    refusals: int = 0
    damages: int = 0
    torn_bytes: int = 0

    def run(self, role: str | None) -> ActorDetails:
        """Read everything."""
        segments = self.recording.segments(self.actor)
        for name, path in segments:
            reader = SegmentReader(path)
            self._begin(name, reader)
            reader.close()
        for name, path, item in self.recording.frames(self.actor):
            if not isinstance(item, Fault):
                self._frame(name, item)
            elif item.is_torn and path == segments[-1][1]:
                self.torn_bytes += item.size
            else:
                self.damages += 1
        return self._details(role, sum(path.stat().st_size for _, path in segments))

    def _begin(self, name: SegmentName, reader: SegmentReader) -> None:
        began, cut = reader.head.get("wall_ns"), reader.head.get("cut_bytes")
        start = _Start(began if isinstance(began, int) else None, cut if isinstance(cut, int) else 0)
        self.starts.setdefault(name.epoch, start).segments += 1

    def _frame(self, name: SegmentName, frame: Frame) -> None:
        self.times_ns = [self.times_ns[0] if self.times_ns else frame.wall_ns, frame.wall_ns]
        if frame.kind is not FrameKind.STEP:
            return
        try:
            record = decode_step(frame)
        except JournalError:
            self.damages += 1
            return
        self.starts.setdefault(name.epoch, _Start(None, 0)).steps += 1
        self.refusals += record.refusal is not None
        for out in record.outgoing:
            count = self.counts.setdefault((out.kind, out.receiver), [0, 0])
            count[0] += 1
            count[1] += len(out.body) + sum(map(len, out.payloads))

    def _details(self, role: str | None, size_bytes: int) -> ActorDetails:
        return ActorDetails(
            name=self.actor,
            role=role,
            epochs=tuple(
                ProcessStart(
                    epoch=epoch,
                    started_at=utc_text(start.started_ns / 1e9) if start.started_ns is not None else None,
                    segments=start.segments,
                    steps=start.steps,
                    cut_bytes=start.cut_bytes,
                )
                for epoch, start in sorted(self.starts.items())
            ),
            segments=sum(start.segments for start in self.starts.values()),
            size_bytes=size_bytes,
            steps=sum(start.steps for start in self.starts.values()),
            messages=sum(count for count, _ in self.counts.values()),
            by_kind=tuple(
                MessageCount(kind=kind, receiver=receiver, messages=count, size_bytes=size)
                for (kind, receiver), (count, size) in sorted(self.counts.items())
            ),
            first_at=utc_text(self.times_ns[0] / 1e9) if self.times_ns else None,
            last_at=utc_text(self.times_ns[1] / 1e9) if self.times_ns else None,
            refusals=self.refusals,
            cut_bytes=self.torn_bytes + sum(start.cut_bytes for start in self.starts.values()),
            damages=self.damages,
        )
