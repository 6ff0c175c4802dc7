"""The pool in memory: one numpy column per quantity that ranking needs, in the order in which dreams were stored.

In: signatures, one by one as dreams arrive or many at once at start. Out: the columns, exact means, and the order of
equals. Rows are added; `truncate` takes back what was not committed. A dream that is evicted leaves a hole: its row
stays where it is, and `present` tells it apart, until `squeeze` moves the others up. It never holds a tensor. Colours
and measures are kept in float64 as they came, ids, lineage roots and tensor hashes as numbers of 128 bits (of a SHA-256
the first half), lineages and tensors also as the first row that had them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.errors import PoolDamagedError
from actors.pool_keeper.exact_sum import ExactSum
from actors.pool_keeper.identities import Identities, Keys, Rows, grown
from schemas.dreams import Source

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
SOURCE_CODES: Final = {source: code for code, source in enumerate(SOURCES)}
FIRST_CAPACITY: Final = 1024
KINDS: Final = {
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


class Block(NamedTuple):
    """Rows to add, column by column."""

    values: Sequence[npt.ArrayLike]
    """Of the kinds in `KINDS`, in that order."""
    ids: Keys
    roots: Keys
    tensors: Keys
    blob_bytes: int
    """Size of all their tensors."""


class Frozen(NamedTuple):
    """All that `Columns` holds, as it was at one time; nobody writes to these arrays any more."""

    arrays: tuple[npt.NDArray[Any], ...]
    """As `frozen_kinds` has them."""
    blob_bytes: int
    lineages: int
    tensors: int
    """How many different ones there are."""


def frozen_kinds(rows: int, root_slots: int, tensor_slots: int) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of each array of a `Frozen` of so many rows."""
    keys: tuple[np.dtype[Any], tuple[int, ...]] = (np.dtype(np.uint64), (rows, 2))
    numbers = [(np.dtype(np.int32), (count,)) for count in (rows, root_slots, rows, tensor_slots)]
    plain = [(np.dtype(kind), (rows,)) for kind in (*KINDS.values(), np.bool_)]
    return [*plain, keys, keys, *numbers[:2], keys, *numbers[2:]]


class Columns:
    """Growing columns; row i of every column is the i-th stored dream."""

    def __init__(self) -> None:
        self.count = 0
        """Rows, those of evicted dreams included."""
        self.holes = 0
        """Rows of evicted dreams."""
        self.gone: list[int] = []
        """Rows of evicted dreams in the order in which they left, since rows were taken back or moved."""
        self.blob_bytes = 0
        """Size of all tensors."""
        self.retreats = 0
        """How often rows were taken back or moved; what is derived from rows holds while it stays."""
        self._capacity = 0
        self._columns: dict[str, npt.NDArray[Any]] = {name: np.empty(0, kind) for name, kind in KINDS.items()}
        self._present: Marks = np.empty(0, dtype=np.bool_)
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
        self._present = grown(self._present, self._capacity, self.count)
        self._ids = grown(self._ids, self._capacity, self.count)
        self._roots.reserve(self._capacity)
        self._tensors.reserve(self._capacity)

    def expect(self, count: int) -> None:
        """Make room for `count` rows at once, before they are added."""
        self.reserve(count)
        self._roots.expect(count)
        self._tensors.expect(count)

    def extend(self, signatures: Iterable[Signature | PlainSignature]) -> None:
        """Add rows in the given order. Raises PoolDamagedError for an id that is no UUID and a hash of other length."""
        rows = list(signatures)
        if not rows:
            return
        sequence, ids, ts, red, green, blue, coherence, entropy, source, root, sha256, size = zip(*rows, strict=True)
        keys, roots, tensors = _uuid_keys(ids), _uuid_keys(root), _hash_keys(sha256)
        codes = [SOURCE_CODES[name] for name in source]
        values = (red, green, blue, coherence, entropy, ts, sequence, codes)
        self.add(Block(values, keys, roots, tensors, sum(size)))

    def add(self, block: Block) -> None:
        """Add rows in the given order."""
        rows = len(block.ids)
        self.reserve(self.count + rows)
        here = slice(self.count, self.count + rows)
        for column, value in zip(self._columns.values(), block.values, strict=True):
            column[here] = value
        self._present[here] = True
        self._ids[here] = block.ids
        self._roots.extend(block.roots)
        self._tensors.extend(block.tensors)
        self.blob_bytes += block.blob_bytes
        self.count += rows

    def append(self, signature: Signature) -> None:
        """What `extend` does, many times faster for a single row."""
        row = self.count
        self.reserve(row + 1)
        red, green, blue, coherence, entropy = signature[3:8]
        source = SOURCE_CODES[signature.source]
        values = (red, green, blue, coherence, entropy, signature.ts, signature.sequence, source)
        for column, value in zip(self._columns.values(), values, strict=True):
            column[row] = value
        self._present[row] = True
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
        self.holes = count - int(np.count_nonzero(self.present))
        self._retreat()

    def evict(self, rows: Integers, blob_bytes: int) -> None:
        """Make holes of `rows`, whose tensors had `blob_bytes`; never of the last one."""
        self._present[rows] = False
        self.holes += len(rows)
        self.gone += rows.tolist()
        self.blob_bytes -= blob_bytes
        summed = rows[rows < self._summed]
        for total, values in ((self._coherence_sum, self.coherence), (self._entropy_sum, self.entropy)):
            for value in values[summed].tolist():
                total.add(-value)

    def take_back_eviction(self, rows: Integers) -> None:
        """Make dreams of the holes `rows` again; `truncate` says what their tensors had."""
        self._present[rows] = True
        self.holes -= len(rows)
        self._retreat()

    def squeeze(self) -> None:
        """Move the rows behind holes up, into new arrays."""
        if not self.holes:
            return
        stays = self.present
        self._columns = {name: column[: self.count][stays] for name, column in self._columns.items()}
        self._ids = self._ids[: self.count][stays]
        self._roots, self._tensors = (identities.without(~stays) for identities in (self._roots, self._tensors))
        self.count = self._capacity = len(self._ids)
        self._present = np.ones(self.count, dtype=np.bool_)
        self.holes = 0
        self._retreat()

    def freeze(self) -> Frozen:
        """What is here now; what is written later is not seen in it."""
        plain = [column[: self.count] for column in self._columns.values()]
        identities = (*self._roots.freeze(), *self._tensors.freeze())
        arrays = (*plain, self.present.copy(), self.ids, *identities)
        return Frozen(arrays, self.blob_bytes, self._roots.distinct, self._tensors.distinct)

    @classmethod
    def thawed(cls, frozen: Frozen) -> "Columns":
        """The columns that were frozen; the arrays belong to them from now on."""
        columns = cls()
        *plain, present, ids = frozen.arrays[: len(KINDS) + 2]
        columns._columns = dict(zip(KINDS, plain, strict=True))
        columns._present, columns._ids = present, ids
        roots, tensors = frozen.arrays[len(KINDS) + 2 : len(KINDS) + 5], frozen.arrays[len(KINDS) + 5 :]
        columns._roots = Identities.thawed(roots, frozen.lineages)
        columns._tensors = Identities.thawed(tensors, frozen.tensors)
        columns.count = columns._capacity = len(ids)
        columns.holes = columns.count - int(np.count_nonzero(present))
        columns.blob_bytes = frozen.blob_bytes
        return columns

    @property
    def dreams(self) -> int:
        """How many dreams there are."""
        return self.count - self.holes

    @property
    def present(self) -> Marks:
        """Whether the dream of a row is in the pool; False where it was evicted."""
        return self._present[: self.count]

    def only_present(self, rows: Integers) -> Integers:
        """Those of `rows` whose dreams are in the pool."""
        return rows[self._present[rows]] if self.holes else rows

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
        """The first row of the same lineage root; a hole, maybe."""
        return self._roots.numbers

    @property
    def lineages(self) -> int:
        """How many lineage roots the rows have, those of holes included."""
        return self._roots.distinct

    @property
    def root_keys(self) -> Keys:
        """Ids of the lineage roots, shape [n, 2]."""
        return self._roots.keys

    @property
    def tensor(self) -> Rows:
        """The first row of the same tensor hash; a hole, maybe."""
        return self._tensors.numbers

    @property
    def ids(self) -> Keys:
        """Ids, shape [n, 2]: high and low half; they sort as the texts do."""
        return self._ids[: self.count]

    @property
    def size_bytes(self) -> int:
        """Memory that the rows take, without spare capacity."""
        row = sum(column.itemsize for column in self._columns.values()) + 2 * self._ids.itemsize + 1
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
        if not self.dreams:
            return 0.0, 0.0
        fresh = np.flatnonzero(self.present[self._summed :]) + self._summed
        for coherence in self.coherence[fresh].tolist():
            self._coherence_sum.add(coherence)
        for entropy in self.entropy[fresh].tolist():
            self._entropy_sum.add(entropy)
        self._summed = self.count
        return self._coherence_sum.total / self.dreams, self._entropy_sum.total / self.dreams

    def by_source(self) -> dict[Source, int]:
        """Stored dreams of each source."""
        sources = self.source[self.present] if self.holes else self.source
        counts = np.bincount(sources, minlength=len(SOURCES))
        return {source: int(count) for source, count in zip(SOURCES, counts, strict=True)}

    def _retreat(self) -> None:
        """Rows were taken back or moved."""
        self.retreats += 1
        self.gone = []
        self._summed = 0
        self._coherence_sum = ExactSum()
        self._entropy_sum = ExactSum()


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
