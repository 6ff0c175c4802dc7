"""The whole state of the learner, and its bytes.

In: a state. Out: msgpack bytes that name it exactly, and the state back. Patches and features are not part of it:
they follow from the inputs of the run. It refuses weights of another size.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

import msgpack
import numpy as np
import numpy.typing as npt

from actors.learner.kpis import EpochTally
from actors.learner.training import ClassShares
from schemas.errors import OneirosError
from schemas.feedback import Kpis

Phase = Literal["pool", "answer", "batch", "pause"]
"""Waiting for a filled pool, for a RetrievedSet, for a LearningBatch, for the next round."""

ARRAYS: Final = ("weights", "plain_weights")


REPORTED: Final = (
    "test_accuracy.dreams",
    "test_accuracy.no_dreams",
    "probe_loss.dreams",
    "probe_loss.no_dreams",
    *Kpis.model_fields,
)
"""Figures of an epoch that are always shown."""


class SnapshotRefusedError(OneirosError):
    """A snapshot does not belong to this run."""


@dataclass(slots=True)
class Counters:
    """Numbers that only `figures` shows."""

    feedback_sent: int = 0
    feedback_stored: int = 0
    feedback_refused: int = 0
    corrupt: int = 0
    """Tensors that failed their checks, here or in the keeper."""
    empty_answers: int = 0
    requests_refused: int = 0
    unexpected: int = 0
    """Answers to nothing that was asked."""
    given_up: int = 0
    """Rounds whose answer did not come in time."""
    diverged: int = 0
    """Steps that were not taken because they led to numbers that are not finite."""


@dataclass(slots=True)
class LearnerState:
    """Everything that the learner remembers."""

    weights: npt.NDArray[np.float32]
    """The arm that trains with dreams, flat."""
    plain_weights: npt.NDArray[np.float32]
    """The arm that never sees one."""
    phase: Phase = "pool"
    queries: int = 0
    """Rounds begun; the key of a round's draws."""
    rounds: int = 0
    """Rounds completed; equals the gradient steps of either arm."""
    epochs: int = 0
    stats_requests: int = 0
    is_stats_pending: bool = False
    asked_at_ns: int = 0
    query_id: str = ""
    pending: dict[str, ClassShares] = field(default_factory=dict)
    """Dreams asked for, by id, with the classes in their ancestry."""
    open_batches: list[str] = field(default_factory=list)
    """Feedback batches without a receipt, oldest first."""
    utilities: list[float] = field(default_factory=list)
    """Raw utilities of the running epoch."""
    loss_at_start: float = 0.0
    """Probe loss of the dreaming arm when the epoch began."""
    tally: EpochTally = field(default_factory=EpochTally)
    counters: Counters = field(default_factory=Counters)
    report: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(REPORTED))
    """Figures of the last epoch; None before the first."""

    def to_bytes(self) -> bytes:
        """Canonical msgpack bytes."""
        packed: bytes = msgpack.packb([_plain(getattr(self, entry.name)) for entry in fields(self)])
        return packed


def from_bytes(data: bytes, size: int) -> LearnerState:
    """The state that `to_bytes` gave; raises SnapshotRefusedError unless both arms have `size` weights."""
    values: list[Any] = msgpack.unpackb(data)
    content: dict[str, Any] = dict(zip((entry.name for entry in fields(LearnerState)), values, strict=True))
    for name in ARRAYS:
        content[name] = np.frombuffer(content[name], dtype="<f4").astype(np.float32)
        if len(content[name]) != size:
            raise SnapshotRefusedError(f"a snapshot of {len(content[name])} weights, this run has {size}")
    content["pending"] = {
        entry_id: tuple((label, share) for label, share in shares) for entry_id, shares in content["pending"].items()
    }
    content["tally"] = EpochTally(**content["tally"])
    content["counters"] = Counters(**content["counters"])
    return LearnerState(**content)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.astype("<f4").tobytes()
    if isinstance(value, EpochTally | Counters):
        return asdict(value)
    return value
