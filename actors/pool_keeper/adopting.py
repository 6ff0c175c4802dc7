"""What the user changes in the pool: dreams of another pool come in, dreams are pinned (seed 000, section 4).

In: AdoptDream, PinDreams. Out: rows, and lines in persist.jsonl; nobody is answered, for who asked reads the pool. An
adopted dream passes the checks of any other but the gate of coherence, which is the dreamer's. Refused: what those
checks refuse; the pin of a dream that the pool does not hold.
"""

from actors.pool_keeper.persisting import Step, persist
from actors.pool_keeper.store import PoolStore
from bus.core import Outcome
from schemas.dreams import DreamEntry
from schemas.pool import AdoptDream, PinDreams


def adopt(store: PoolStore, message: AdoptDream, step: Step) -> Outcome:
    """Store a dream of another pool."""
    fields = {name: getattr(message, name) for name in DreamEntry.model_fields}
    return persist(store, None, DreamEntry.model_construct(**fields), step)


def pin(store: PoolStore, message: PinDreams, step: Step) -> Outcome:
    """Pin or unpin the dreams that the pool holds; the others are refused."""
    unknown = []
    for dream_id in dict.fromkeys(message.dream_ids):
        is_known = store.sequence_of(dream_id) is not None
        if is_known:
            store.pin(dream_id, message.is_pinned, step.now_ns)
        else:
            unknown.append(dream_id)
        event = ("pinned" if message.is_pinned else "unpinned") if is_known else "refused"
        sender, epoch, seq = step.ref
        line = {"event": event, "ts_ns": step.now_ns, "sender": sender, "epoch": epoch, "seq": seq, "id": dream_id}
        store.log("persist", line if is_known else {**line, "reason": "the pool holds no such dream"})
    if not unknown:
        return Outcome()
    return Outcome(refusal=f"PinDreams from {step.ref.sender}: the pool holds no dream {', '.join(unknown[:3])}")
