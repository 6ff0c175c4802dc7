"""The one loop of every actor process: receive, handle, journal, commit, send (design, sections 2 and 3).

In: messages, timers, answers of the world, signals. Out: journal frames, then messages and asks. Nothing leaves before
its step is on disk, and nothing is handled that was not accepted in order. The loop knows no message by name. It does
not die of bad input: what cannot be accepted is counted, a full disk makes it wait; an error inside a core is told to
the supervisor and ends the process, which starts again from its journal.
"""

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from bus.actor_log import ActorLog
from bus.box.profiles import is_boxed
from bus.core import Actor, Cursor, Fired, Input, MessageRef, Outcome, Started, StepPosition, StoreFullError
from bus.cursor_file import CursorFile
from bus.departure import Departure
from bus.effects import write
from bus.envelope import Place
from bus.execution import Execution, Step, name_of_input
from bus.frame import FrameKind
from bus.intake import LAST_WORDS_S, Intake
from bus.journal import Journal
from bus.link import Inbox, Outlet
from bus.readback import Accepted, Readback, RefusedBody
from bus.recovery import History, read_history
from bus.redelivery import Redelivery, boxed_receivers
from bus.refusals import Refusals
from bus.reporting import Reporter
from bus.restoration import Restoration
from bus.seating import Reception
from bus.space import Space
from bus.step import Numbering, SnapshotRecord, encode_snapshot, encode_step
from bus.timers import Timers
from bus.window import Window
from schemas.manifest import Seat

BATCH_MESSAGES: Final = 64
IDLE_LOOK_BACK_S: Final = 0.2
BUSY_LOOK_BACK_S: Final = 2.0
HEARTBEAT_S: Final = 1.0
SNAPSHOT_WORK_S: Final = 0.15
"""Work since the last snapshot after which the next is due: what a restart may have to repeat."""
SNAPSHOT_SHARE: Final = 20
"""A snapshot waits for this many times the work that the last one took."""
COLLECT_AFTER: Final = 20_000
"""New objects after which the collector looks for cycles; what lives at the start is not looked at again."""


@dataclass
class ActorLoop:
    """One actor in its process."""

    seat: Seat
    seats: tuple[Seat, ...]
    home: Path
    epoch: int
    build: Callable[[], Actor]
    inbox: Inbox
    outlet: Outlet
    intake: Intake
    journal: Journal
    refusals: Refusals
    log: ActorLog
    can_open: bool = True
    """Whether this process may open files; if not, the end of a segment is its end."""
    is_stopping: bool = False
    wants_successor: bool = False
    """Another process has to go on: the core wants one, or the segment is full and this one cannot begin the next."""
    step: int = 0
    _batch: list[tuple[Step, int, int]] = field(default_factory=list)
    _timers: Timers = field(default_factory=Timers)
    _window: Window = field(default_factory=Window)
    _work_s: float = 0.0
    _snapshot_s: float = 0.0
    _look_back_at: float = 0.0
    _heartbeat_at: float = 0.0
    _event: Input | None = None
    _is_rewound: bool = False
    """The store was rebuilt in this turn: inputs in hand are ahead of the cursors that it went back to."""

    def __post_init__(self) -> None:
        self.reporter = Reporter(self.seat.instance, self.epoch, self.outlet, self.intake, self.refusals)
        self._numbering = Numbering(self.epoch)
        boxed = boxed_receivers(self.seat, self.seats)
        redelivery = Redelivery(self.journal.folder.parent, self.seat.instance, boxed)
        self._departure = Departure(self.seat.instance, redelivery)
        self._reception = Reception(self.seat.role, self.home / "runs" / self.journal.folder.parent.name)
        self._cursor_file = CursorFile(self.journal.folder, reopens=self.can_open) if is_boxed(self.seat.role) else None
        self._space = Space(self.seat.instance, self.refusals, self.log, lambda: self.is_stopping, self._heartbeat)
        first = replace(self._space, heartbeat=lambda: self.reporter.heartbeat(0, 0, {}))  # there is no actor yet
        self._execution = first.secure(lambda: self._new_execution(self._numbering))

    @property
    def actor(self) -> Actor:
        """The actor, rebuilt when its store ran full."""
        return self._execution.actor

    def resume(self, history: History) -> None:
        """Bring the actor to the end of `history`, open a segment, say that it is ready; it catches up as it turns."""
        repeated = self._restore_with_space(history)
        for damage in history.damages:
            self.intake.damaged += 1
            self.log.error(f"own journal damaged: {damage.segment} at {damage.offset}: {damage.reason}")
        self._numbering.predecessors = dict(history.predecessors)
        self.step = history.last.step
        self._timers.clear()
        self._begin_segment()
        descriptor = self._window.open(self.actor.open_world)
        if descriptor is not None:
            self.inbox.wake_on_world(descriptor)
        self._handle(Started(self.epoch))
        if history.is_empty:
            for observation in self.actor.observations:
                self._handle_own(observation, observation.name)
        self._seat_guests()
        self._finish_batch()
        self._show_cursors()
        self.intake.look_back_everywhere()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        self.reporter.ready(self.step, repeated, history.cut_bytes)
        self.log.debug(f"ready: epoch {self.epoch}, step {self.step}, {repeated} steps repeated")

    def _new_execution(self, numbering: Numbering) -> Execution:
        return Execution(self.build(), self.seat, self.seats, numbering, self._reception.book)

    def _restore_with_space(self, history: History) -> int:
        """Restore, rebuilding the actor as often as it takes until its store has room."""
        while True:
            try:
                return self._restore(history)
            except StoreFullError as error:
                self._rebuild(error)

    def _rebuild(self, error: StoreFullError) -> None:
        """A fresh actor over the last commit, once there may be room again; when stopping, fail instead."""
        if self.is_stopping:
            raise error
        self._space.wait(str(error))
        if self.actor.store is not None:
            self.actor.store.close()
        self._execution = self._space.secure(lambda: self._new_execution(self._numbering))

    def _restore(self, history: History) -> int:
        book = self._reception.book
        repeating = Execution(self.actor, self.seat, self.seats, Numbering(self.epoch), book)
        readback = Readback(self.seat, self.seats, self.journal.folder.parent, book)
        restoration = Restoration(repeating, readback, self.log)
        repeated = restoration.run(history, lambda step, at: self._finish_repeated(step, at, readback.cursors))
        self.intake.restore(readback.cursors)
        readback.close()
        if restoration.divergences:
            self.refusals.add(self.seat.instance, "journal", f"{restoration.divergences} repeated steps diverged")
        return repeated

    def _finish_repeated(self, step: Step, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        if self.actor.store is not None:
            self.actor.store.commit(position, cursors)
        self._tell(step.outcome)

    def run(self) -> None:
        """Turn until told to stop, then leave everything in order."""
        while not self.is_stopping:
            self.inbox.wait(self.patience_ms())
            self.turn()
        self._drain()
        self._snapshot()
        self._end_segment()
        self._heartbeat()
        self.reporter.stopped(self.step)

    def turn(self) -> None:
        """One turn of the loop: a batch of messages, the timers that are due, and the upkeep of idle moments."""
        began = time.perf_counter()
        self._seat_guests()
        queued = self._take_messages() + self._take_backlog()
        self._fire_timers()
        self._hear_the_world()
        self._is_rewound = False
        self._work_s += time.perf_counter() - began
        self._finish_batch()
        now = time.monotonic()
        if now >= self._look_back_at + (BUSY_LOOK_BACK_S if queued else 0.0):
            self._look_back_at = now + IDLE_LOOK_BACK_S
            self._look_back()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_S
            self._heartbeat(queued)

    def _look_back(self) -> None:
        """A lost last message has no successor to tell of it: look into the journals, and do the store's upkeep."""
        self.intake.look_back_everywhere()
        self._take_backlog()
        self._finish_batch()
        self._departure.send_again(self.outlet, self._numbering.predecessors)
        if self.actor.store is not None:
            self.actor.store.maintain()

    @property
    def current_input(self) -> str:
        """The input that the core handles or handled last, for people."""
        return name_of_input(self._event)

    def close(self, linger_ms: int) -> None:
        """Release everything, waiting at most `linger_ms` for the last messages to leave."""
        self._window.close()
        self.journal.close()
        if self.actor.store is not None:
            self.actor.store.close()
        self.inbox.close()
        self.outlet.close(linger_ms)
        self.intake.close()
        self.refusals.close()
        if self._cursor_file is not None:
            self._cursor_file.close()

    def patience_ms(self) -> int:
        """How long nothing is due, in milliseconds."""
        if self.intake.has_backlog:
            return 0
        left_s = min(self._look_back_at, self._heartbeat_at, self._timers.next_at) - time.monotonic()
        return max(0, math.ceil(left_s * 1000))

    def _seat_guests(self) -> None:
        """Take in who was given a seat since the last look, as a step, before anything that they say."""
        news, book = self._reception.news(), self._reception.book
        if news is None:
            return
        self._handle(news)
        self.intake.seat_guests(book)
        self.inbox.admit_guests(self.seat.role, book)
        self._departure.seat_guests(self.outlet, self.seat.role, book)
        self.reporter.guests, self._heartbeat_at = book, 0.0

    def _take_messages(self) -> int:
        for sender, reason in (*self.inbox.take_refusals(), *self.outlet.take_refusals()):
            self.refusals.add(sender, "handshake", reason)
        count = 0
        while count < BATCH_MESSAGES:
            arrival = self.inbox.receive()
            if arrival is None:
                break
            count += 1
            accepted = self.intake.offer(arrival.parts, arrival.holder)
            if accepted is not None:
                self._accept(accepted)
            if count == 1 and not self.inbox.has_more():
                break  # a lone request is answered without the cost of finding the inbox empty
        return count

    def _take_backlog(self) -> int:
        for item in (accepted := self.intake.backlog(BATCH_MESSAGES)):
            self._accept(item)
        return len(accepted)

    def _accept(self, accepted: Accepted) -> None:
        if isinstance(accepted, RefusedBody):
            self.refusals.add(accepted.ref.sender, accepted.kind, accepted.reason)
            self._keep(self._execution.refuse(accepted.ref, accepted.reason), time.time_ns())
            return
        refusal = self._handle(accepted).refusal
        if refusal is not None:
            self.refusals.add(accepted.ref.sender, accepted.message.kind, refusal)

    def _handle(self, event: Input) -> Outcome:
        self._event = event
        now_ns = time.time_ns()
        while True:
            try:
                step = self._execution.handle(event, now_ns)
                break
            except StoreFullError as error:
                self._start_over(error)
        self._keep(step, now_ns)
        return step.outcome

    def _keep(self, step: Step, now_ns: int) -> None:
        self.step += 1
        if self._is_rewound and isinstance(step.record.event, MessageRef):
            self.intake.cursors[step.record.event.sender] = Cursor(step.record.event.epoch, step.record.event.seq)
        body, payloads = encode_step(step.record)
        offset = self.journal.add(FrameKind.STEP, self.step, now_ns, body, payloads)
        if step.record.outgoing or step.outcome.has_consequences:
            self._batch.append((step, now_ns, offset))

    def _fire_timers(self) -> None:
        for name in self._timers.take_due():
            self._handle_own(Fired(name), f"timer {name}")

    def _hear_the_world(self) -> None:
        for observation in self._window.answers():
            self._handle_own(observation, observation.name)

    def _handle_own(self, event: Input, name: str) -> None:
        """Handle what no other actor said; a refusal of it is this actor's own."""
        refusal = self._handle(event).refusal
        if refusal is not None:
            self.refusals.add(self.seat.instance, name, refusal)

    def _finish_batch(self) -> None:
        """Journal, commit, then let everything of the batch out."""
        if not self.journal.has_pending:
            return
        self._flush()
        self._commit()
        self._show_cursors()
        batch, self._batch = self._batch, []
        for step, now_ns, offset in batch:
            if step.record.outgoing:
                self._departure.send(self.outlet, step, now_ns, Place(self.epoch, self.journal.first_seq, offset))
            self._tell(step.outcome)
            self._window.ask(step.outcome.asks)
            if step.outcome.wants_successor:
                self.wants_successor = self.is_stopping = True
        if self._work_s >= max(SNAPSHOT_WORK_S, SNAPSHOT_SHARE * self._snapshot_s):
            self._snapshot()
        if self.journal.is_due(time.time_ns()):
            self._rotate()

    def _show_cursors(self) -> None:
        """Let those who send to a boxed actor see what it has heard and journalled."""
        if self._cursor_file is not None:
            self._cursor_file.write(self.intake.cursors)

    def _flush(self) -> None:
        self._space.secure(self.journal.flush)

    def _commit(self) -> None:
        if self.actor.store is None:
            return
        try:
            self.actor.store.commit(StepPosition(self.epoch, self.step), self.intake.cursors)
        except StoreFullError as error:
            self._start_over(error)

    def _start_over(self, error: StoreFullError) -> None:
        """Go back to the last commit and repeat what the journal holds beyond it."""
        self._flush()
        self._is_rewound = True
        self._rebuild(error)
        self._restore_with_space(read_history(self.journal.folder))

    def _tell(self, outcome: Outcome) -> None:
        self._timers.set(outcome.timers)
        for effect in outcome.effects:
            self._space.secure(partial(write, self.home, effect))
        for note in outcome.notes:
            self.log.write(note.level, note.text)

    def _snapshot(self) -> None:
        began = time.perf_counter()
        record = SnapshotRecord(self.actor.core.snapshot(), self.intake.cursors, self._numbering.predecessors)
        self.journal.add(FrameKind.SNAPSHOT, self.step, time.time_ns(), encode_snapshot(record))
        self._flush()
        self._snapshot_s = time.perf_counter() - began
        self._work_s = 0.0

    def _rotate(self) -> None:
        """Go on in a new segment, unless nothing was sent from this one: segments are named by what they send."""
        has_sent = self._numbering.last_seq >= self.journal.first_seq
        if has_sent and self.can_open:
            self._end_segment()
            self._begin_segment()
        elif has_sent:
            self.wants_successor = self.is_stopping = True

    def _begin_segment(self) -> None:
        self._space.secure(lambda: self.journal.begin_segment(self._numbering.last_seq + 1, time.time_ns()))
        self._snapshot()

    def _end_segment(self) -> None:
        self._flush()
        self.journal.seal(time.time_ns())
        self._flush()
        self.journal.end_segment()

    def _drain(self) -> None:
        """Take in what the senders have journalled so far, and what that leads to."""
        self._timers.clear()
        until_s = time.monotonic() + LAST_WORDS_S
        while time.monotonic() < until_s and self._take_messages():
            self._finish_batch()
        for _ in range(2):  # a journal that was being read may have grown since
            self.intake.look_back_everywhere()
            while self.intake.has_last_words(until_s):
                self._take_backlog()
                self._finish_batch()

    def _heartbeat(self, queue: int = 0) -> None:
        waiting = max(queue, 1) if queue >= BATCH_MESSAGES or self.intake.has_backlog else 0
        if fault := self.journal.take_sync_fault():
            self.log.error(f"the journal could not be synced: {fault}; what is unsynced would not survive a power cut")
        self.reporter.heartbeat(self.step, waiting, self.actor.core.figures())
