"""Bytes that compress as text does, the same in every trial.

In: a size. Out: words of a fixed vocabulary in an order drawn from a fixed seed; no file is read.
"""

from typing import Final

import numpy as np

_SEED: Final = 20_250_308
_VOCABULARY: Final = 4096


def prose(size: int) -> bytes:
    """`size` bytes of words whose frequencies fall as in a language (rank to the power of -1)."""
    draws = np.random.Generator(np.random.Philox(_SEED))
    letters = draws.integers(97, 123, size=(_VOCABULARY, 10), dtype=np.uint8)
    lengths = draws.integers(2, 11, size=_VOCABULARY)
    words = [letters[index, : lengths[index]].tobytes() for index in range(_VOCABULARY)]
    weights = 1.0 / np.arange(1, _VOCABULARY + 1)
    drawn = draws.choice(_VOCABULARY, size=size // 3 + 1, p=weights / weights.sum())
    return b" ".join(words[index] for index in drawn)[:size].ljust(size, b" ")
