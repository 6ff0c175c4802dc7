"""Writes small recorded runs for tests: journals of several actors that agree with each other.

In: a folder for the run's journals. Out: segments as the host writes them, step by step, closed in order or left open.
"""

from collections.abc import Sequence
from pathlib import Path

from bus.core import Fired, MessageRef, Started
from bus.frame import FrameKind
from bus.journal import Journal, SegmentLimits
from bus.step import Numbering, RecordedInput, SnapshotRecord, StepRecord, encode_snapshot, encode_step
from schemas.base import Message
from schemas.dreams import DreamEntry
from schemas.retrieval import LearningBatch, PoolStats, PoolStatsRequest

LIMITS = SegmentLimits(size_bytes=1 << 26, age_ns=1 << 60)
BEGAN_NS = 1_767_225_600 * 1_000_000_000
SECOND_NS = 1_000_000_000

Said = tuple[str, Message] | tuple[str, Message, tuple[MessageRef | None, ...]]
"""Receiver, message, and for each payload the message that holds it."""


class Writer:
    """The journal of one process of an actor."""

    def __init__(self, run_folder: Path, actor: str, after: "Writer | None" = None, cut_bytes: int = 0) -> None:
        self.folder = run_folder / actor
        self.actor = actor
        self.epoch = 1 if after is None else after.epoch + 1
        self.step_number = 0 if after is None else after.step_number
        self.now_ns = BEGAN_NS if after is None else after.now_ns
        self._numbering = Numbering(self.epoch)
        if after is not None:
            self._numbering.predecessors = dict(after._numbering.predecessors)
        head = {
            "actor": actor,
            "role": actor,
            "run": run_folder.name,
            "predecessor": (0, 0) if after is None else (after.epoch, after.step_number),
            "cut_bytes": cut_bytes,
        }
        self.journal = Journal(self.folder, head, self.epoch, "process", LIMITS)
        self._begin_segment()
        self.step(Started(self.epoch))

    @property
    def path(self) -> Path:
        """The segment that is being written."""
        return max(self.folder.glob("*.seg"))

    def step(self, event: RecordedInput, said: Sequence[Said] = (), refusal: str | None = None) -> None:
        """Record that `event` was handled, and what was said then; a second passes."""
        self.step_number += 1
        self.now_ns += SECOND_NS
        outgoing = tuple(self._numbering.outgoing(*out) for out in said)
        body, payloads = encode_step(StepRecord(event, bytes(8), outgoing, refusal))
        self.journal.add(FrameKind.STEP, self.step_number, self.now_ns, body, payloads)
        self.journal.flush()

    def rotate(self) -> None:
        """End the segment and begin the next."""
        self._end_segment()
        self._begin_segment()

    def crash(self) -> None:
        """Leave the segment as it is."""
        self.journal.close()

    def stop(self) -> None:
        """End in order."""
        self._snapshot()
        self._end_segment()
        self.journal.close()

    def _end_segment(self) -> None:
        self.journal.seal(self.now_ns)
        self.journal.flush()
        self.journal.end_segment()

    def _begin_segment(self) -> None:
        self.journal.begin_segment(self._numbering.last_seq + 1, self.now_ns)
        self._snapshot()

    def _snapshot(self) -> None:
        body = encode_snapshot(SnapshotRecord(b"state", {}, self._numbering.predecessors))
        self.journal.add(FrameKind.SNAPSHOT, self.step_number, self.now_ns, body)
        self.journal.flush()


class Loop:
    """A dreamer, a pool-keeper and a learner that talk to each other."""

    def __init__(self, run_folder: Path, dream: DreamEntry) -> None:
        self.folder = run_folder
        self.dream = dream
        self.dreamer = Writer(run_folder, "dreamer")
        self.keeper = Writer(run_folder, "pool-keeper")
        self.learner = Writer(run_folder, "learner")
        self.rounds = 0

    @property
    def writers(self) -> tuple[Writer, ...]:
        """All of them."""
        return self.dreamer, self.keeper, self.learner

    def turn(self, is_answer_taken: bool = True) -> None:
        """A dream is said and stored; the learner asks, and gets figures and the dream."""
        self.rounds += 1
        asked = PoolStatsRequest(request=self.rounds)
        self.dreamer.step(Fired("episode"), [("pool-keeper", self.dream)])
        held = MessageRef("dreamer", self.dreamer.epoch, self.rounds)
        self.learner.step(Fired("ask"), [("pool-keeper", asked)])
        self.keeper.step(held)
        first = 2 * self.rounds - 1
        answers: list[Said] = [("learner", stats(self.rounds)), ("learner", batch(self.dream), (held,))]
        self.keeper.step(MessageRef("learner", self.learner.epoch, self.rounds), answers)
        self.learner.step(MessageRef("pool-keeper", self.keeper.epoch, first))
        if is_answer_taken:
            self.learner.step(MessageRef("pool-keeper", self.keeper.epoch, first + 1))

    def stop(self) -> None:
        """End all of them in order."""
        for writer in self.writers:
            writer.stop()

    def crash(self) -> None:
        """Kill all of them."""
        for writer in self.writers:
            writer.crash()


def stats(request: int) -> PoolStats:
    """An answer to the learner."""
    return PoolStats(
        request=request,
        pool_sequence=request,
        dreams_total=request,
        coherence_mean=0.5,
        spectral_entropy_mean=0.5,
        last_compaction_at_ns=None,
    )


def batch(dream: DreamEntry) -> LearningBatch:
    """The dream as the learner gets it."""
    return LearningBatch(
        query_id=dream.id,
        entry_ids=(dream.id,),
        shapes=(dream.shape,),
        tensor_sha256s=(dream.tensor_sha256,),
        tensors=(bytes(dream.tensor_blob),),
        labels=None,
        skipped=(),
    )


def recorded_loop(run_folder: Path, dream: DreamEntry, rounds: int = 2, *, is_closed: bool = True) -> Loop:
    """A whole run of `rounds` rounds."""
    loop = Loop(run_folder, dream)
    for _ in range(rounds):
        loop.turn()
    if is_closed:
        loop.stop()
    else:
        loop.crash()
    return loop


def flip(path: Path, offset: int, bit: int) -> None:
    """Change one bit of a file; doing it again mends it."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
