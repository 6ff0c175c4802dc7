"""The pool in memory: one numpy column per quantity that ranking needs, in the order in which dreams were stored.

In: signatures, one by one as dreams arrive or all at once at start. Out: the columns, exact means, and the order of
equals. Rows are added; `truncate` takes back what was not committed, `remove` takes out what was evicted. It never
holds a tensor. Colours and measures are kept in float64 as they came, ids, lineage roots and tensor hashes as numbers
of 128 bits (of a SHA-256 the first half), lineages and tensors also as the first row that has them.
"""

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.errors import PoolDamagedError
from actors.pool_keeper.identities import Identities, Keys, Rows, grown
from schemas.dreams import Source

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
_SOURCE_CODES: Final = {source: code for code, source in enumerate(SOURCES)}
FIRST_CAPACITY: Final = 1024
_KINDS: Final = {
    "red": np.float64, "green": np.float64, "blue": np.float64, "coherence": np.float64, "entropy": np.float64,
    "ts": np.int64, "sequence": np.int64, "source": np.int8,
}  # fmt: skip


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


PlainSignature = tuple[int, str, int, float, float, float, float, float, Source, str, bytes, int]
"""The same without names."""


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
        """Size of all tensors."""
        self.retreats = 0
        """How often rows were taken back; what is derived from rows holds while it stays."""
        self._capacity = 0
        self._columns: dict[str, npt.NDArray[Any]] = {name: np.empty(0, kind) for name, kind in _KINDS.items()}
        self._ids: Keys = np.empty((0, 2), dtype=np.uint64)
        self._roots = Identities()
        self._tensors = Identities()
        self._summed = 0
        self._coherence_sum = ExactSum()
        self._entropy_sum = ExactSum()

    def reserve(self, count: int) -> None:
        """Make room for `count` rows in all."""
        if count <= self._capacity:
            return
        self._capacity = max(FIRST_CAPACITY, self._capacity * 2, count)
        self._columns = {name: grown(column, self._capacity, self.count) for name, column in self._columns.items()}
        self._ids = grown(self._ids, self._capacity, self.count)
        self._roots.reserve(self._capacity)
        self._tensors.reserve(self._capacity)

    def extend(self, signatures: Iterable[Signature | PlainSignature]) -> None:
        """Add rows in the given order. Raises PoolDamagedError for an id that is no UUID and a hash of other length."""
        rows = list(signatures)
        if not rows:
            return
        sequence, ids, ts, red, green, blue, coherence, entropy, source, root, sha256, size = zip(*rows, strict=True)
        keys, roots, tensors = _uuid_keys(ids), _uuid_keys(root), _hash_keys(sha256)
        self.reserve(self.count + len(rows))
        here = slice(self.count, self.count + len(rows))
        codes = [_SOURCE_CODES[name] for name in source]
        values = (red, green, blue, coherence, entropy, ts, sequence, codes)
        for column, value in zip(self._columns.values(), values, strict=True):
            column[here] = value
        self._ids[here] = keys
        self._roots.extend(roots)
        self._tensors.extend(tensors)
        self.blob_bytes += sum(size)
        self.count += len(rows)

    def append(self, signature: Signature) -> None:
        """What `extend` does, many times faster for a single row."""
        row = self.count
        self.reserve(row + 1)
        red, green, blue, coherence, entropy = signature[3:8]
        source = _SOURCE_CODES[signature.source]
        values = (red, green, blue, coherence, entropy, signature.ts, signature.sequence, source)
        for column, value in zip(self._columns.values(), values, strict=True):
            column[row] = value
        self._ids[row, 0], self._ids[row, 1] = _uuid_key(signature.id)
        self._roots.append(_uuid_key(signature.lineage_root))
        digest = signature.sha256
        self._tensors.append((int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")))
        self.blob_bytes += signature.blob_bytes
        self.count += 1

    def truncate(self, count: int, blob_bytes: int) -> None:
        """Take back every row from `count` on; the tensors of those that stay have `blob_bytes`."""
        self.blob_bytes = blob_bytes
        if count == self.count:
            return
        self._roots.truncate(count)
        self._tensors.truncate(count)
        self.count = count
        self.retreats += 1
        self._summed = 0
        self._coherence_sum = ExactSum()
        self._entropy_sum = ExactSum()

    def remove(self, rows: Integers, blob_bytes: int) -> None:
        """Take out `rows`, whose tensors had `blob_bytes`; those behind move up."""
        stays = np.ones(self.count, dtype=bool)
        stays[rows] = False
        count = self.count - len(rows)
        for column in (*self._columns.values(), self._ids):
            column[:count] = column[: self.count][stays]
        for identities in (self._roots, self._tensors):
            kept = identities.keys[stays]
            identities.truncate(0)
            identities.extend(kept)
        self.truncate(count, self.blob_bytes - blob_bytes)

    @property
    def red(self) -> Floats:
        """Mean red, [0, 1]."""
        return self._columns["red"][: self.count]

    @property
    def green(self) -> Floats:
        """Mean green, [0, 1]."""
        return self._columns["green"][: self.count]

    @property
    def blue(self) -> Floats:
        """Mean blue, [0, 1]."""
        return self._columns["blue"][: self.count]

    @property
    def coherence(self) -> Floats:
        """Coherence, [0, 1]."""
        return self._columns["coherence"][: self.count]

    @property
    def entropy(self) -> Floats:
        """Spectral entropy, [0, 1]."""
        return self._columns["entropy"][: self.count]

    @property
    def sequence(self) -> Integers:
        """Number of the dream in the pool, ascending."""
        return self._columns["sequence"][: self.count]

    @property
    def ts(self) -> Integers:
        """Time of the dream, nanoseconds since the Unix epoch."""
        return self._columns["ts"][: self.count]

    @property
    def source(self) -> npt.NDArray[np.int8]:
        """Index into `SOURCES`."""
        return self._columns["source"][: self.count]

    @property
    def root(self) -> Rows:
        """The first row of the same lineage root."""
        return self._roots.numbers

    @property
    def lineages(self) -> int:
        """How many lineage roots there are."""
        return self._roots.distinct

    @property
    def root_keys(self) -> Keys:
        """Ids of the lineage roots, shape [n, 2]."""
        return self._roots.keys

    @property
    def tensor(self) -> Rows:
        """The first row of the same tensor hash."""
        return self._tensors.numbers

    @property
    def ids(self) -> Keys:
        """Ids, shape [n, 2]: high and low half; they sort as the texts do."""
        return self._ids[: self.count]

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take, without spare capacity."""
        row = sum(column.itemsize for column in self._columns.values()) + 2 * self._ids.itemsize
        return self.count * row + self._roots.size_bytes + self._tensors.size_bytes

    @property
    def last_sequence(self) -> int:
        """The pool sequence: number of the last stored dream, 0 for an empty pool."""
        return int(self._columns["sequence"][self.count - 1]) if self.count else 0

    def id_of(self, row: int) -> str:
        """The id of the dream in `row`."""
        high, low = self._ids[row].tolist()
        return str(UUID(int=high << 64 | low))

    def row_of(self, sequence: int) -> int:
        """The row of a stored `sequence`."""
        return int(np.searchsorted(self.sequence, sequence))

    def order(self, rows: Integers, scores: Floats) -> Integers:
        """Places of `rows`, best first: higher score, then newer, then lower id (design, 5.5)."""
        ids = self._ids[rows]
        return np.lexsort((ids[:, 1], ids[:, 0], -self.ts[rows], -scores)).astype(np.int64, copy=False)

    def means(self) -> tuple[float, float]:
        """Mean coherence and mean spectral entropy, each from an exact sum; 0 for an empty pool."""
        if not self.count:
            return 0.0, 0.0
        for coherence in self.coherence[self._summed :].tolist():
            self._coherence_sum.add(coherence)
        for entropy in self.entropy[self._summed :].tolist():
            self._entropy_sum.add(entropy)
        self._summed = self.count
        return self._coherence_sum.total / self.count, self._entropy_sum.total / self.count

    def by_source(self) -> dict[Source, int]:
        """Stored dreams of each source."""
        counts = np.bincount(self.source, minlength=len(SOURCES))
        return {source: int(count) for source, count in zip(SOURCES, counts, strict=True)}


def _uuid_key(text: str) -> tuple[int, int]:
    return divmod(int(text.replace("-", ""), 16), 1 << 64)


def _uuid_keys(texts: tuple[str, ...]) -> Keys:
    try:
        whole = bytes.fromhex("".join(texts).replace("-", ""))
    except ValueError as error:
        raise PoolDamagedError("an id or a lineage root is not a UUID") from error
    if len(whole) != 16 * len(texts):
        raise PoolDamagedError("an id or a lineage root is not a UUID")
    return np.frombuffer(whole, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def _hash_keys(hashes: tuple[bytes, ...]) -> Keys:
    whole = b"".join(hashes)
    if len(whole) != 32 * len(hashes):
        raise PoolDamagedError("a tensor hash does not have 32 bytes")
    return np.frombuffer(whole, dtype=">u8").reshape(-1, 4)[:, :2].astype(np.uint64)
