"""The link of a guest: a process of the user's that takes part in a run without being driven by it.

In: a taken seat, messages to say. Out: the same journal that every actor writes, one frame a step, before anything
leaves; and the messages that were said to the guest, in order, each once, from the socket or from their sender's
journal. A process that was killed goes on where its journal ends. Nothing runs in the background: a guest that
computes for an hour hears nothing meanwhile, and finds it in the journals.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.core import Cursor, Fired, MessageRef, Received, Started
from bus.endpoints import inbox_path
from bus.envelope import Place, encode_envelope, envelope_of
from bus.errors import SeatError
from bus.frame import FrameKind
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.launch import load_manifest
from bus.link import Inbox, Outlet, make_context
from bus.randomness import UNTOUCHED
from bus.readback import Accepted, RefusedBody
from bus.recovery import History, read_history
from bus.refusals import Refusals
from bus.reporting import Reporter
from bus.seat_offer import TakenSeat
from bus.segment import list_segments
from bus.step import Numbering, Outgoing, SnapshotRecord, StepRecord, decode_step, encode_snapshot, encode_step
from bus.topology import receivers_of
from schemas.base import Message
from schemas.catalogue import schema_digest
from schemas.manifest import Seat

HOUR_NS: Final = 3600 * 10**9
MIB: Final = 1024 * 1024
HEARTBEAT_S: Final = 1.0
FAREWELL_MS: Final = 200


class GuestLog(ActorLog):
    """The log of a guest is python's own: its standard output is the user's."""

    def write(self, level: str, event: str, **fields: str | float | int | None) -> None:
        """One record of the logger `oneiros`."""
        logging.getLogger("oneiros").log(logging.getLevelNamesMapping()[level.upper()], "%s %s", event, fields or "")


class GuestLink:
    """The journal and the sockets of one guest process."""

    def __init__(self, taken: TakenSeat) -> None:
        self.offer = taken.offer
        self.manifest = load_manifest(Path(self.offer.home), self.offer.run_id)
        self._taken = taken
        self._seat = Seat(instance=self.offer.instance, role=self.offer.role)
        self._runtime = Path(self.offer.runtime)
        run_folder = Path(self.offer.home) / "journal" / self.offer.run_id
        history = read_history(run_folder / self.offer.instance)
        last = max((name.epoch for name, _ in list_segments(history.folder)), default=0)
        self.epoch = max(last + 1, self.offer.epoch)
        self._step = history.last.step
        self._numbering = Numbering(self.epoch)
        self._numbering.predecessors = dict(history.predecessors)
        self._context = make_context()
        self._refusals = Refusals(Path(self.offer.home) / "logs" / "refusals", self.offer.instance)
        log = GuestLog(self.offer.instance)
        self._intake = Intake(self._seat, (*self.manifest.seats, self._seat), run_folder, self._refusals, log)
        self._intake.restore(_cursors(history))
        inbox_path(self._runtime, self.offer.instance).unlink(missing_ok=True)  # ours, as the lock on the offer says
        self._inbox = Inbox(self._context, self._runtime, self.offer.instance, ring=taken.ring)
        self._outlet = self._call()
        self._journal = self._open_journal(history)
        self._reporter = Reporter(self.offer.instance, self.epoch, self._outlet, self._intake, self._refusals)
        self._beat_at = 0.0
        self._begin(history)

    def say(self, message: Message, because: str) -> Outgoing:
        """Journal `message` to whoever may hear it as a step of its own, then send it; what the first of them gets.

        Raises SeatError.
        """
        self._taken.check()
        outs = tuple(self._numbering.outgoing(receiver, message) for receiver in self._hearers(message))
        now_ns = time.time_ns()
        offset = self._add(StepRecord(Fired(because), UNTOUCHED, outs, None), now_ns)
        self._journal.flush()
        for out in outs:
            envelope = envelope_of(Fired(because), out, self.offer.instance, self._place(offset), now_ns)
            self._outlet.send(out.receiver, encode_envelope(envelope), out.body, out.payloads)
        self.beat()
        if self._journal.is_due(now_ns):
            self._rotate()
        return outs[0]

    def hear(self, timeout_s: float) -> list[Received]:
        """What has been said to us, waiting at most `timeout_s` for the first; journalled as taken."""
        self._inbox.wait(max(0, int(timeout_s * 1000)))
        return self._take(self._arrivals())

    def wake_on(self, descriptor: int) -> None:
        """Let `descriptor` end the waiting of `hear` while it is readable; whoever owns it reads it."""
        self._inbox.wake_on_world(descriptor)

    def look_back(self) -> list[Received]:
        """What the keeper's journal holds that the socket did not bring. Raises SeatError."""
        self._taken.check()
        self._intake.look_back_everywhere()
        found: list[Accepted] = []
        while self._intake.has_backlog:
            found += self._intake.backlog(64)
        return self._take(iter(found))

    def call_again(self) -> None:
        """Make the sending sockets anew: ZeroMQ gives one up for good whose peer once refused it."""
        before = self._outlet
        before.close()
        self._outlet = self._reporter.outlet = self._call()
        self._outlet.sent, self._outlet.dropped = before.sent, before.dropped

    def beat(self) -> None:
        """Tell the supervisor, at most once a second, that we live."""
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_S
            self._reporter.heartbeat(self._step, 0, {})

    def close(self) -> None:
        """Close the journal and leave the seat; nothing that was said is lost."""
        self._snapshot()
        self._journal.seal(time.time_ns())
        self._journal.flush()
        self._journal.end_segment()
        self._reporter.heartbeat(self._step, 0, {})
        self._reporter.stopped(self._step)
        self.release(FAREWELL_MS)

    def release(self, linger_ms: int = 0) -> None:
        """Let go of everything, as a killed process would."""
        self._journal.close()
        self._inbox.close()
        self._outlet.close(linger_ms)
        self._intake.close()
        self._refusals.close()
        self._context.term()
        self._taken.close()

    def _hearers(self, message: Message) -> tuple[str, ...]:
        """Those of the run that may be told `message`, as the topology has them. Raises SeatError when nobody may."""
        roles = receivers_of(self.offer.role, type(message))
        found = tuple(seat.instance for role in roles for seat in self.manifest.seats if seat.role == role)
        if not found:
            raise SeatError(f"nobody in run {self.offer.run_id} hears {message.kind} from a {self.offer.role}")
        return found

    def _call(self) -> Outlet:
        peers = tuple(self.offer.peers)
        return Outlet(self._context, self._runtime, peers, awaited=peers, ring=self._taken.ring)

    def _open_journal(self, history: History) -> Journal:
        settings = self.manifest.settings.journal
        head = {
            "actor": self.offer.instance,
            "role": self.offer.role,
            "run": self.offer.run_id,
            "predecessor": tuple(history.last),
            "cut_bytes": history.cut_bytes,
            "schema": schema_digest(),
        }
        limits = SegmentLimits(settings.segment_mib * MIB, int(settings.segment_hours * HOUR_NS))
        return Journal(history.folder, head, self.epoch, settings.fsync, limits)

    def _begin(self, history: History) -> None:
        self._journal.begin_segment(1, time.time_ns())
        self._snapshot()
        self._add(StepRecord(Started(self.epoch), UNTOUCHED, (), None), time.time_ns())
        self._journal.flush()
        self._reporter.ready(self._step, 0, history.cut_bytes)

    def _add(self, record: StepRecord, now_ns: int) -> int:
        self._step += 1
        return self._journal.add(FrameKind.STEP, self._step, now_ns, *encode_step(record))

    def _place(self, offset: int) -> Place:
        return Place(self.epoch, self._journal.first_seq, offset)

    def _arrivals(self) -> Iterator[Accepted]:
        for sender, reason in self._inbox.take_refusals():
            self._refusals.add(sender, "handshake", reason)
        while (arrival := self._inbox.receive()) is not None:
            accepted = self._intake.offer(arrival.parts, arrival.holder)
            if accepted is not None:
                yield accepted
        yield from self._intake.backlog(64)

    def _take(self, found: Iterator[Accepted]) -> list[Received]:
        """Journal what was taken, and hand on what can be understood."""
        taken: list[Received] = []
        for each in found:
            reason = each.reason if isinstance(each, RefusedBody) else None
            if isinstance(each, RefusedBody):
                self._refusals.add(each.ref.sender, each.kind, each.reason)
            else:
                taken.append(each)
            self._add(StepRecord(each.ref, UNTOUCHED, (), reason), time.time_ns())
        self._journal.flush()
        return taken

    def _snapshot(self) -> None:
        record = SnapshotRecord(b"", self._intake.cursors, self._numbering.predecessors)
        self._journal.add(FrameKind.SNAPSHOT, self._step, time.time_ns(), encode_snapshot(record))
        self._journal.flush()

    def _rotate(self) -> None:
        self._journal.seal(time.time_ns())
        self._journal.flush()
        self._journal.end_segment()
        self._journal.begin_segment(self._numbering.last_seq + 1, time.time_ns())
        self._snapshot()


def _cursors(history: History) -> dict[str, Cursor]:
    """What earlier processes of this guest had taken, by sender."""
    cursors = {} if history.snapshot is None else dict(history.snapshot.cursors)
    for _, frame in history.steps_after(history.snapshot_at):
        event = decode_step(frame).event
        if isinstance(event, MessageRef):
            cursors[event.sender] = Cursor(event.epoch, event.seq)
    return cursors
