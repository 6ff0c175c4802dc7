"""Every tensor of the pool hashed anew, and every row held against its signature.

In: a reader of the pool. Out: a `PoolVerification` that names each damaged dream with what is wrong. One flipped bit of
a tensor is found by its SHA-256; one of a row, by SQLite's own check or by the disagreement of row and signature.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.reading import DreamFilter, PoolReader
from schemas.base import Record
from schemas.errors import TensorRefusedError
from schemas.tensor import Tensor, decode


class DamagedDream(Record):
    """A dream that is not what it was when it was stored."""

    sequence: int
    id: str
    reason: str


class PoolVerification(Record):
    """What `supervisor pool verify` found."""

    dreams: int
    """Dreams that were checked."""
    raw_bytes: int
    """Bytes that were hashed."""
    damaged: tuple[DamagedDream, ...]
    faults: tuple[str, ...]
    """What is wrong with the file as a whole."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged and not self.faults


class CheckedTensor(NamedTuple):
    """A tensor, verified, or why it cannot be had."""

    sequence: int
    id: str
    tensor: Tensor | None
    reason: str


def verify_pool(reader: PoolReader, watch: Callable[[int], None]) -> PoolVerification:
    """Check all of the pool; `watch` is told of every dream."""
    faults = tuple(f"{text}" for text in reader.faults())
    damaged: list[DamagedDream] = []
    dreams = raw_bytes = 0
    for checked in checked_tensors(reader, DreamFilter()):
        dreams += 1
        watch(1)
        if checked.tensor is not None:
            raw_bytes += checked.tensor.nbytes
        else:
            damaged.append(DamagedDream(sequence=checked.sequence, id=checked.id, reason=checked.reason))
    known = {dream.sequence for dream in damaged}
    for sequence, dream_id in reader.unsigned():
        if sequence not in known:
            damaged.append(DamagedDream(sequence=sequence, id=dream_id, reason="its row and its signature disagree"))
    return PoolVerification(dreams=dreams, raw_bytes=raw_bytes, damaged=tuple(damaged), faults=faults)


def checked_tensors(reader: PoolReader, wanted: DreamFilter) -> Iterator[CheckedTensor]:
    """The tensors of the dreams that pass `wanted`, oldest first, each verified."""
    for sequence, dream_id in reader.sequences(wanted):
        checked = _checked(reader, sequence, dream_id)
        if checked.tensor is not None:
            yield checked
            continue
        with PoolReader(reader.home) as now:  # a keeper at work may have evicted or moved it since
            if now.holds(sequence):
                yield _checked(now, sequence, dream_id)


def _checked(reader: PoolReader, sequence: int, dream_id: str) -> CheckedTensor:
    try:
        facts = reader.facts(sequence)
        stored = reader.tensor(sequence)
        return CheckedTensor(sequence, dream_id, decode(bytes(stored.blob), facts.shape, facts.tensor_sha256), "")
    except (PoolError, TensorRefusedError, TypeError, ValueError) as error:
        return CheckedTensor(sequence, dream_id, None, str(error))
