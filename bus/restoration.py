"""Bringing a core back to where its journal ends: restore, then handle again what the state does not hold yet.

In: a fresh actor and its history. Out: the actor at its last step, and the steps that were handled again. A recorded
step whose outgoing messages come out differently is reported as a divergence; what was recorded stands, for it may
have been delivered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bus.actor_log import ActorLog
from bus.core import Cursor, Fired, Input, MessageRef, Observed, Started, StepPosition
from bus.errors import JournalError, MissingInputError
from bus.execution import Execution, Step
from bus.frame import Frame
from bus.readback import Accepted, Readback, RefusedBody
from bus.recovery import History
from bus.step import StepRecord, decode_step

Finish = Callable[[Step, StepPosition], None]
"""Called after each step that was handled again: effects are idempotent and done once more."""


@dataclass
class Restoration:
    """Restores one actor from its history."""

    execution: Execution
    readback: Readback
    log: ActorLog
    divergences: int = 0

    def run(self, history: History, finish: Finish) -> int:
        """Bring the actor to the end of `history`; the number of steps handled again."""
        actor, begin = self.execution.actor, StepPosition(0, 0)
        if history.snapshot is not None:
            actor.core.restore(history.snapshot.state)
            begin = history.snapshot_at
            self.readback.start_after(history.snapshot.cursors)
        if actor.store is not None:
            begin = actor.store.position() or StepPosition(0, 0)
            self.readback.start_after(actor.store.cursors())
        count = 0
        for position, frame in history.steps_after(begin):
            self._repeat(frame, position, finish)
            count += 1
        return count

    def _repeat(self, frame: Frame, position: StepPosition, finish: Finish) -> None:
        try:
            record = decode_step(frame)
            step = self._handle(record, frame.wall_ns)
        except JournalError as error:
            self.log.error(f"step {position.step} cannot be repeated: {error}")
            return
        again = step.record.outgoing
        if len(again) != len(record.outgoing) or not all(
            new.is_same_as(old) for new, old in zip(again, record.outgoing, strict=True)
        ):
            self.divergences += 1
            self.log.error(f"step {position.step} came out differently when it was repeated")
        finish(step, position)

    def _handle(self, record: StepRecord, wall_ns: int) -> Step:
        event: Input
        match record.event:
            case MessageRef() as ref:
                accepted = self._recall(ref, record)
                if isinstance(accepted, RefusedBody):
                    return self.execution.refuse(ref, accepted.reason)
                event = accepted
            case Fired() | Observed() | Started() as other:
                self.readback.observe(other)
                event = other
        return self.execution.handle(event, wall_ns)

    def _recall(self, ref: MessageRef, record: StepRecord) -> Accepted:
        """The message `ref`; of one whose body was refused by a boxed actor nothing is left but the reason."""
        try:
            return self.readback.recall(ref, record.heard)
        except MissingInputError:
            if record.refusal is None or not self.execution.keeps_messages_of(ref.sender):
                raise
            self.readback.cursors[ref.sender] = Cursor(ref.epoch, ref.seq)
            return RefusedBody(ref, "", record.refusal)
