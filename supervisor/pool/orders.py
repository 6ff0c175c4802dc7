"""What the user wants of an actor, said in a journal of the supervisor's own.

In: messages to one actor, the pool-keeper if no other is named, and the folder of a run. Out: one closed segment in
`journal/RUN/supervisor/`, which that actor reads as it reads the journal of any sender: in order, exactly once, also
after a kill, and in a replay. A segment is written in `staged/` beside it, brought to the disk, and then published by
one rename: the actor is told of all of it or of nothing, and what was half written when its writer died is removed by
the next. One writer at a time; each has a process number of its own, and speaks to one actor.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bus.codec import payloads_of
from bus.core import Cursor, Observed
from bus.files import sync_folder
from bus.frame import Frame, FrameKind
from bus.journal import Journal, SegmentLimits
from bus.randomness import UNTOUCHED
from bus.readback import SUPERVISOR
from bus.recording import Recording
from bus.segment import SegmentName, SegmentReader, list_segments
from bus.step import Numbering, StepRecord, decode_step, encode_step
from bus.tally import count
from schemas.base import Message
from schemas.catalogue import schema_digest
from schemas.manifest import RunManifest
from supervisor.errors import ControlError
from supervisor.runs import RunFolder

KEEPER: Final = "pool-keeper"
STAGED: Final = "staged"
ORDER: Final = "order"
"""The observation that a step of this journal begins with: the user asked for it."""
FLUSH_BYTES: Final = 16 * 1024 * 1024
NO_LIMITS: Final = SegmentLimits(1 << 62, 1 << 62)


class Staged(NamedTuple):
    """A segment that waits to be published."""

    segment: str
    messages: int
    last: Cursor
    """The last message in it."""


@contextmanager
def writing_orders(run: RunFolder, *, waits: bool = True) -> Iterator[None]:
    """Be the only writer of orders in `run` while the body runs; waits for another one, or raises BlockingIOError."""
    folder = run.journal / SUPERVISOR
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            _discard(folder)
            yield
        finally:
            _discard(folder)
    finally:
        os.close(descriptor)


def stage(
    run: RunFolder,
    manifest: RunManifest,
    orders: Iterable[Message],
    told: Callable[[int], None],
    receiver: str = KEEPER,
) -> Staged:
    """Write `orders` into a segment that nobody reads yet; `told` hears of each. Only within `writing_orders`."""
    folder = run.journal / SUPERVISOR
    before = _last_position(folder, receiver)
    segments = list_segments(folder)
    numbering = Numbering(segments[-1][0].epoch + 1 if segments else 1)
    numbering.predecessors = {receiver: before} if before.seq else {}
    steps = count(Recording(run.journal), SUPERVISOR).steps
    head = _head(run, manifest, (numbering.epoch - 1, steps))
    journal = Journal(folder / STAGED, head, numbering.epoch, "power", NO_LIMITS)
    try:
        journal.begin_segment(1, time.time_ns())
        written = 0
        for order in orders:
            steps += 1
            written += _add(journal, numbering, steps, (receiver, order))
            if written >= FLUSH_BYTES:
                journal.flush()
                written = 0
            told(1)
        journal.flush()
        journal.seal(time.time_ns())
        journal.flush()
        journal.end_segment()
    finally:
        journal.close()
    name = SegmentName(numbering.epoch, 1).file_name()
    return Staged(name, numbering.last_seq, Cursor(numbering.epoch, numbering.last_seq))


def publish(run: RunFolder, segment: str) -> None:
    """Let the actor that it is for read a staged segment. Raises ControlError when there is none of that name."""
    folder = run.journal / SUPERVISOR
    if SegmentName.parse(Path(segment)) is None or not (folder / STAGED / segment).is_file():
        raise ControlError(f"run {run.run_id} has no staged segment {segment!r}")
    os.rename(folder / STAGED / segment, folder / segment)
    sync_folder(folder)


def _head(run: RunFolder, manifest: RunManifest, predecessor: tuple[int, int]) -> dict[str, object]:
    return {
        "actor": SUPERVISOR,
        "role": SUPERVISOR,
        "run": run.run_id,
        "predecessor": predecessor,
        "cut_bytes": 0,
        "schema": schema_digest(),
        "fingerprint": manifest.fingerprint.model_dump(),
    }


def _add(journal: Journal, numbering: Numbering, step: int, told: tuple[str, Message]) -> int:
    receiver, order = told
    outgoing = (numbering.outgoing(receiver, order),)
    body, payloads = encode_step(StepRecord(Observed(ORDER, order.kind.encode()), UNTOUCHED, outgoing, None))
    journal.add(FrameKind.STEP, step, time.time_ns(), body, payloads)
    return len(body) + sum(map(len, payloads_of(order)))


def _last_position(folder: Path, receiver: str) -> Cursor:
    """The last message to `receiver` in this journal; every step says one, and those of a segment go to one actor."""
    end = count(Recording(folder.parent), SUPERVISOR).steps
    for name, path in reversed(list_segments(folder)):
        reader = SegmentReader(path)
        try:
            _, before = reader.head["predecessor"]
            frames = reader.frames(reader.first_frame, reader.size())
            first = next((frame for frame in frames if isinstance(frame, Frame)), None)
        finally:
            reader.close()
        if first is not None and first.kind is FrameKind.STEP and decode_step(first).outgoing[0].receiver == receiver:
            return Cursor(name.epoch, end - before)
        end = before
    return Cursor(0, 0)


def _discard(folder: Path) -> None:
    """Remove what was never published."""
    shutil.rmtree(folder / STAGED, ignore_errors=True)
