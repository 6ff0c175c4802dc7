"""A pool that has outgrown its budget loses the dreams that are missed least, right after the one that was too much.

In: the store, after a dream came in. Out: an eviction, with a line in persist.jsonl for each dream, and notes. Only a
new dream makes dreams leave: so the pool sequence names what was in the pool, for ever. How many leave at once is
bounded. When all that is left is pinned, or many more must go, the pool stays over its budget, which is counted; it
never refuses the new dream for it.
"""

import numpy as np

from actors.pool_keeper.eviction import MOST_AT_ONCE, MOST_ROOM, Budget
from actors.pool_keeper.persisting import Step
from actors.pool_keeper.store import PoolStore
from bus.core import Note


def make_room(store: PoolStore, budget: Budget, step: Step) -> list[Note]:
    """Evict until the pool is within `budget` again, with some room. Raises PoolError."""
    if not budget.is_limited:
        return []
    columns, niches = store.columns, store.niches(budget.bins)
    dreams, size = columns.dreams, columns.blob_bytes
    if budget.is_kept(dreams, size):
        return []
    goal = budget.lowered(dreams, size)
    evicted: list[int] = []
    while not _is_enough(len(evicted), budget.is_kept(dreams, size), goal.is_kept(dreams, size)):
        row = niches.choose()
        if row is None:
            break
        niches.drop(row)
        evicted.append(row)
        dreams, size = dreams - 1, size - store.blob_bytes_of(int(columns.sequence[row]))
    if not budget.is_kept(dreams, size):
        store.count("over_budget")
    return _evict(store, evicted, columns.blob_bytes - size, step) if evicted else []


def _is_enough(evicted: int, is_kept: bool, is_roomy: bool) -> bool:
    return is_roomy or evicted >= MOST_AT_ONCE or (is_kept and evicted > MOST_ROOM)


def _evict(store: PoolStore, evicted: list[int], size_bytes: int, step: Step) -> list[Note]:
    columns = store.columns
    for row in evicted:
        line = {"event": "evicted", "ts_ns": step.now_ns, "id": columns.id_of(row)}
        store.log("persist", line | {"sequence": int(columns.sequence[row]), "pool_sequence": columns.last_sequence})
    store.count("evicted", len(evicted))
    notes = [Note("info", f"evicted {len(evicted)} dreams with {size_bytes} bytes of tensors")]
    if store.evict(np.array(sorted(evicted), dtype=np.int64), step.now_ns):
        store.count("compactions")
        notes.append(Note("info", "compaction begins: segments that lost most of their blobs are copied and deleted"))
    return notes
