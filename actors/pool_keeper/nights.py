"""What the keeper does for a night: it has its world make a copy of the pool, and tells whoever asked (seed 004).

In: SnapshotRequest, and what the world answers. Out: an ask, later SnapshotReady. The copy is no part of the keeper's
state, and its answer is a recorded observation: a replay makes none. Refused: an answer that is none.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

from actors.pool_keeper.persisting import Step
from bus.core import Ask, Outcome, Send
from schemas.night import SnapshotReady, SnapshotRequest

SNAPSHOT: Final = "snapshot"


@dataclass(frozen=True)
class CopyOrder:
    """What the world is to copy, and who asked for it."""

    asker: str
    night_id: str
    date: str
    is_fresh: bool


@dataclass(frozen=True)
class CopyTold:
    """What the world answers."""

    order: CopyOrder
    sha256: str = ""
    size_bytes: int = 0
    pool_sequence: int = 0
    taken_at_ns: int = 0
    is_kept: bool = False
    problem: str | None = None

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()


def order_copy(request: SnapshotRequest, step: Step) -> Outcome:
    """Have the world begin."""
    order = CopyOrder(step.ref.sender, request.night_id, request.date, request.is_fresh)
    return Outcome(asks=[Ask(SNAPSHOT, json.dumps(asdict(order)).encode())])


def tell_copy(data: bytes) -> Outcome:
    """Tell whoever asked what the world has answered."""
    try:
        told = json.loads(data)
        order = CopyOrder(**told.pop("order"))
        ready = SnapshotReady(night_id=order.night_id, date=order.date, **told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Outcome(refusal=f"observation {SNAPSHOT}: {type(error).__name__}")
    return Outcome(sends=[Send(ready, to=order.asker)])
