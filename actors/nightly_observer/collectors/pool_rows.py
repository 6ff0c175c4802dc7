"""The rows of a snapshot that were in the pool at the end of a day, gathered column by column.

In: rows of dreams and tombstones, which dreams were stored in the day. Out: a `Pool`, oldest first, and its bounds.
Passed over: what was stored later, or had left before the day and never came in it. Counted: rows with values out of
range. A row costs its id and some numbers, so that a million of them fit.
"""

import hashlib
import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from actors.nightly_observer.collectors.interface_logs import Stored
from actors.nightly_observer.collectors.span import Span, Troubles
from actors.nightly_observer.day import SNAPSHOT, Bounds, Integers, Pool, Tensors

SEEDLESS: Final = "[null,null,null]"

Cells = tuple[Any, ...]
"""Sequence, id, time, red, green, blue, coherence, entropy, parents, factoids, tensor digest, bytes of the blob, seed,
and when it was evicted."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the snapshot holds for a night."""

    pool: Pool
    row_of: Mapping[str, int]
    """Row of each dream by its id."""
    bounds: Bounds
    tensors: Tensors

    def digest(self) -> tuple[str, int]:
        """SHA-256 of all that a night sees of the snapshot but its tensors, and how many bytes that is.

        Neither what came later nor the order of the tables is part of it.
        """
        pool, digest, size = self.pool, hashlib.sha256(), 0
        columns = (pool.ts_ns, pool.colours, pool.coherence, pool.entropy, _in_order(pool.tensor))
        flags = (pool.in_window, pool.is_live, pool.is_pinned)
        parents, factoids = (each[np.argsort(each[:, 0], kind="stable")] for each in (pool.parents, pool.factoids))
        links = (_in_order(pool.lineage), parents, factoids[:, 0], _in_order(factoids[:, 1]))
        told = json.dumps([list(pool.ids), list(self.bounds)]).encode()
        for part in (told, *(column.tobytes() for column in (*columns, *flags, *links))):
            digest.update(b"%d:" % len(part) + part)
            size += len(part)
        return digest.hexdigest(), size


def _in_order(numbers: Integers) -> Integers:
    """Equal numbers for what had equal ones, counted as they first come."""
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[which]


class PoolRows:
    """Takes rows one by one."""

    def __init__(self, span: Span, stored: Stored, troubles: Troubles) -> None:
        self._span, self._troubles = span, troubles
        self._is_logged = stored.is_known
        self._tonight = set(stored.sequences)
        self._first = min(self._tonight, default=0)
        self._ids: list[str] = []
        self._whole = {name: array("q") for name in ("sequence", "ts", "tensor", "lineage", "size")}
        """In the order in which a row fills them."""
        self._measures = array("d")
        self._flags = {name: array("b") for name in ("tonight", "live")}
        self._links: list[tuple[int, list[str], list[str]]] = []
        self._tensors: dict[bytes, int] = {}
        self._lineages: dict[str, int] = {}
        self._evicted = 0

    def take(self, cells: Cells) -> None:
        """Keep a row if it is of the pool at the end of the day, or came in it."""
        if not _is_dream(cells):
            self._troubles.add(SNAPSHOT, "dream of another form")
            return
        sequence, ts_ns, evicted_ns = cells[0], cells[2], cells[-1]
        if evicted_ns is not None and self._span.is_tonight(evicted_ns):
            self._evicted += 1
        is_tonight, is_before = self._when(sequence, ts_ns)
        is_live = evicted_ns is None or evicted_ns >= self._span.to_ns
        if is_tonight or (is_before and is_live):
            self._keep(cells, is_tonight=is_tonight, is_live=is_live)

    def gathered(self, pinned: set[str]) -> tuple[Integers, Pool, dict[str, int], Bounds]:
        """The sequences, the pool, the row of each id, and the bounds without limits."""
        order = np.argsort(_array(self._whole["sequence"]), kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        ids = tuple(self._ids[at] for at in order.tolist())
        row_of = {each: row for row, each in enumerate(ids)}
        whole = {name: _array(column)[order] for name, column in self._whole.items()}
        flags = {name: np.array(column, dtype=np.bool_)[order] for name, column in self._flags.items()}
        measures = np.array(self._measures, dtype=np.float64).reshape(-1, 5)[order]
        pool = Pool(
            ids=ids,
            ts_ns=whole["ts"],
            colours=np.ascontiguousarray(measures[:, :3]),
            coherence=np.ascontiguousarray(measures[:, 3]),
            entropy=np.ascontiguousarray(measures[:, 4]),
            tensor=whole["tensor"],
            lineage=whole["lineage"],
            in_window=flags["tonight"],
            is_live=flags["live"],
            is_pinned=np.array([each in pinned for each in ids], dtype=np.bool_),
            parents=_pairs([(int(place[at]), row_of[p]) for at, some, _ in self._links for p in some if p in row_of]),
            factoids=_numbered([(int(place[at]), each) for at, _, some in self._links for each in some]),
        )
        live = flags["live"]
        held, came = int(live.sum()), int(flags["tonight"].sum())
        bounds = Bounds(held, int(whole["size"][live].sum()), None, None, came, self._evicted)
        return whole["sequence"], pool, row_of, bounds

    def _when(self, sequence: int, ts_ns: int) -> tuple[bool, bool]:
        """Whether a dream came in the day, and whether before it; by its own time where no log tells."""
        if not self._is_logged:
            return self._span.is_tonight(ts_ns), ts_ns < self._span.from_ns
        is_before = sequence < self._first if self._tonight else ts_ns < self._span.from_ns
        return sequence in self._tonight, is_before

    def _keep(self, cells: Cells, *, is_tonight: bool, is_live: bool) -> None:
        sequence, dream_id, ts_ns, *measures = cells[:8]
        parents, factoids, digest, size, seed = cells[8:13]
        if is_tonight:
            self._links.append((len(self._ids), _ids(parents), _ids(factoids)))
        lineage = -1
        if isinstance(seed, str) and seed != SEEDLESS:
            lineage = self._lineages.setdefault(f"{parents}{seed}", len(self._lineages))
        tensor = self._tensors.setdefault(digest, len(self._tensors))
        for column, number in zip(self._whole.values(), (sequence, ts_ns, tensor, lineage, size), strict=True):
            column.append(number)
        self._ids.append(dream_id)
        self._measures.extend(measures)
        self._flags["tonight"].append(is_tonight)
        self._flags["live"].append(is_live)


def _is_dream(cells: Cells) -> bool:
    sequence, dream_id, ts_ns = cells[:3]
    if not (isinstance(sequence, int) and isinstance(dream_id, str) and isinstance(ts_ns, int) and sequence > 0):
        return False
    is_measured = all(isinstance(each, float | int) and 0.0 <= each <= 1.0 for each in cells[3:8])
    digest, size, evicted_ns = cells[10], cells[11], cells[-1]
    is_stored = isinstance(digest, bytes) and isinstance(size, int) and isinstance(evicted_ns, int | None)
    return is_measured and is_stored


def _ids(text: object) -> list[str]:
    """The ids in a JSON list; none in anything else."""
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _array(column: "array[int]") -> Integers:
    return np.array(column, dtype=np.int64)


def _pairs(pairs: list[tuple[int, int]]) -> Integers:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _numbered(pairs: list[tuple[int, str]]) -> Integers:
    """Pairs with a number for each text, equal ones for equal texts."""
    numbers: dict[str, int] = {}
    return _pairs([(row, numbers.setdefault(text, len(numbers))) for row, text in pairs])
