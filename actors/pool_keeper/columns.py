"""The pool in memory: one numpy column per quantity that ranking needs, in the order in which dreams were stored.

In: signatures, one by one as dreams arrive or all at once at start. Out: float64 and int64 views, exact means, the
rows in order of their ids. Rows are only added; `truncate` takes back what was not committed. It never holds a
tensor.
"""

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from schemas.dreams import Source

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Texts = npt.NDArray[np.bytes_]

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
_SOURCE_CODES: Final = {source: code for code, source in enumerate(SOURCES)}
FIRST_CAPACITY: Final = 1024
ID_BYTES: Final = 36
"""A UUID as text; lower-case hexadecimal sorts as its value does."""


class Signature(NamedTuple):
    """The part of a stored dream that decides where it ranks; equals a row of table `signatures`."""

    sequence: int
    id: str
    ts: int
    """Nanoseconds since the Unix epoch."""
    red: float
    green: float
    blue: float
    coherence: float
    entropy: float
    source: Source
    lineage_root: str
    sha256: bytes
    blob_bytes: int


class ExactSum:
    """A sum of floats without rounding (Shewchuk's partials): independent of their order, equal to `math.fsum`."""

    def __init__(self) -> None:
        self._partials: list[float] = []

    def add(self, value: float) -> None:
        """Add `value`, finite."""
        kept: list[float] = []
        for partial in self._partials:
            large, small = (value, partial) if abs(value) >= abs(partial) else (partial, value)
            value = large + small
            rest = small - (value - large)
            if rest:
                kept.append(rest)
        self._partials = [*kept, value]

    @property
    def total(self) -> float:
        """The sum, rounded once."""
        return math.fsum(self._partials)


class Columns:
    """Growing columns; row i of every column is the i-th stored dream."""

    def __init__(self) -> None:
        self.count = 0
        self.blob_bytes = 0
        self._capacity = 0
        self._floats: Floats = np.empty((6, 0), dtype=np.float64)
        self._integers: Integers = np.empty((6, 0), dtype=np.int64)
        self._ids: Texts = np.empty(0, dtype=f"S{ID_BYTES}")
        self._root_codes: dict[str, int] = {}
        self._tensor_codes: dict[bytes, int] = {}
        self._order: Integers
        self._summed: int
        self._coherence_sum: ExactSum
        self._entropy_sum: ExactSum
        self._forget_derived()

    def extend(self, signatures: Iterable[Signature]) -> None:
        """Add rows in the given order."""
        rows = list(signatures)
        if not rows:
            return
        self._reserve(self.count + len(rows))
        here = slice(self.count, self.count + len(rows))
        whole = list(zip(*rows, strict=True))
        red, green, blue = (np.array(whole[i], dtype=np.float64) for i in (3, 4, 5))
        norm = np.sqrt(red * red + green * green + blue * blue)
        self._floats[:, here] = red, green, blue, norm, whole[6], whole[7]
        sources = [_SOURCE_CODES[source] for source in whole[8]]
        roots = [self._root_codes.setdefault(root, len(self._root_codes)) for root in whole[9]]
        tensors = [self._tensor_codes.setdefault(sha256, len(self._tensor_codes)) for sha256 in whole[10]]
        self._integers[:, here] = whole[0], whole[2], sources, roots, tensors, whole[11]
        self._ids[here] = np.array(whole[1], dtype=f"S{ID_BYTES}")
        self.blob_bytes += sum(whole[11])
        self.count += len(rows)

    def truncate(self, count: int) -> None:
        """Take back every row from `count` on."""
        if count == self.count:
            return
        self.blob_bytes -= int(self._integers[5, count : self.count].sum())
        self.count = count
        self._forget_derived()

    @property
    def red(self) -> Floats:
        """Mean red, [0, 1]."""
        return self._floats[0, : self.count]

    @property
    def green(self) -> Floats:
        """Mean green, [0, 1]."""
        return self._floats[1, : self.count]

    @property
    def blue(self) -> Floats:
        """Mean blue, [0, 1]."""
        return self._floats[2, : self.count]

    @property
    def norm(self) -> Floats:
        """Euclidean length of the signature."""
        return self._floats[3, : self.count]

    @property
    def coherence(self) -> Floats:
        """Coherence, [0, 1]."""
        return self._floats[4, : self.count]

    @property
    def entropy(self) -> Floats:
        """Spectral entropy, [0, 1]."""
        return self._floats[5, : self.count]

    @property
    def sequence(self) -> Integers:
        """Number of the dream in the pool, ascending."""
        return self._integers[0, : self.count]

    @property
    def ts(self) -> Integers:
        """Time of the dream, nanoseconds since the Unix epoch."""
        return self._integers[1, : self.count]

    @property
    def source(self) -> Integers:
        """Index into `SOURCES`."""
        return self._integers[2, : self.count]

    @property
    def root(self) -> Integers:
        """Equal numbers mean one lineage root; the numbers themselves mean nothing."""
        return self._integers[3, : self.count]

    @property
    def tensor(self) -> Integers:
        """Equal numbers mean one tensor hash; the numbers themselves mean nothing."""
        return self._integers[4, : self.count]

    @property
    def ids(self) -> Texts:
        """Ids as ASCII bytes."""
        return self._ids[: self.count]

    def identities(self) -> tuple[tuple[Integers, int], tuple[Integers, int]]:
        """What two dreams must not share in an answer without duplicates: (`root`, bound) and (`tensor`, bound), where
        every number is below its bound.
        """
        return (self.root, len(self._root_codes)), (self.tensor, len(self._tensor_codes))

    @property
    def last_sequence(self) -> int:
        """The pool sequence: number of the last stored dream, 0 for an empty pool."""
        return int(self._integers[0, self.count - 1]) if self.count else 0

    def row_of(self, sequence: int) -> int:
        """The row of a stored `sequence`."""
        return int(np.searchsorted(self.sequence, sequence))

    def id_order(self) -> Integers:
        """All rows in ascending order of their ids; new rows are merged into the order of the last call."""
        done = len(self._order)
        if done < self.count:
            fresh = np.argsort(self.ids[done:], kind="stable").astype(np.int64) + done
            places = np.searchsorted(self.ids[self._order], self.ids[fresh]) if done else np.zeros(len(fresh), np.int64)
            self._order = np.insert(self._order, places, fresh)
        return self._order

    def means(self) -> tuple[float, float]:
        """Mean coherence and mean spectral entropy, each from an exact sum; 0 for an empty pool."""
        if not self.count:
            return 0.0, 0.0
        for row in range(self._summed, self.count):
            self._coherence_sum.add(float(self._floats[4, row]))
            self._entropy_sum.add(float(self._floats[5, row]))
        self._summed = self.count
        return self._coherence_sum.total / self.count, self._entropy_sum.total / self.count

    def by_source(self) -> dict[Source, int]:
        """Stored dreams of each source."""
        counts = np.bincount(self.source, minlength=len(SOURCES))
        return {source: int(count) for source, count in zip(SOURCES, counts, strict=True)}

    def _forget_derived(self) -> None:
        self._order = np.empty(0, dtype=np.int64)
        self._summed = 0
        self._coherence_sum = ExactSum()
        self._entropy_sum = ExactSum()

    def _reserve(self, count: int) -> None:
        if count <= self._capacity:
            return
        capacity = max(FIRST_CAPACITY, self._capacity * 2, count)
        self._floats = _grown(self._floats, capacity, self.count)
        self._integers = _grown(self._integers, capacity, self.count)
        self._ids = _grown(self._ids, capacity, self.count)
        self._capacity = capacity


def _grown(old: npt.NDArray[Any], capacity: int, count: int) -> npt.NDArray[Any]:
    new = np.zeros((*old.shape[:-1], capacity), dtype=old.dtype)
    new[..., :count] = old[..., :count]
    return new
