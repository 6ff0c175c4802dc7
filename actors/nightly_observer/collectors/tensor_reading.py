"""Tensors of a snapshot, compared two at a time.

In: what gives the stored bytes of a sequence, the sequence of each row. Out: cosines. A tensor that is not there, or
cannot be decoded, is None; a few are kept, for a dream is compared with several.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.nightly_observer.day import Integers
from schemas import compression

KEPT: Final = 256
LARGEST: Final = 64 * 1024 * 1024
Vector = npt.NDArray[np.float32]


class SnapshotTensors:
    """The tensors of a snapshot."""

    def __init__(self, blob_of: Callable[[int], bytes | None], sequences: Integers) -> None:
        self._blob_of = blob_of
        self._sequences = sequences
        self._kept: OrderedDict[int, Vector | None] = OrderedDict()

    def cosine(self, first: int, second: int) -> float | None:
        """The cosine of the tensors of two dreams, by row."""
        one, other = self._vector(first), self._vector(second)
        if one is None or other is None or one.shape != other.shape:
            return None
        norm = float(np.linalg.norm(one) * np.linalg.norm(other))
        return float(np.dot(one, other)) / norm if norm > 0.0 else None

    def _vector(self, row: int) -> Vector | None:
        if row in self._kept:
            self._kept.move_to_end(row)
            return self._kept[row]
        vector = self._kept[row] = self._read(row)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return vector

    def _read(self, row: int) -> Vector | None:
        blob = self._blob_of(int(self._sequences[row]))
        try:
            size = compression.content_bytes(blob) if blob else None
            if blob is None or not size or size > LARGEST or size % 4:
                return None
            return np.frombuffer(compression.decompress(blob, size), dtype="<f4")
        except compression.CompressionError:
            return None
