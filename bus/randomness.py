"""Randomness for cores: independent Philox streams, keyed by what they are for.

A stream is keyed by (run seed, run ordinal, actor instance, purpose, counter): episode N draws the same numbers
whatever came before and after any restart (design, section 2). The source keeps a digest of the keys handed out since
the last step, which the journal records.
"""

import hashlib
from typing import Final

import numpy as np

from schemas.ids import derived_id

UNTOUCHED: Final = bytes(8)
"""The digest over no key."""


class RandomSource:
    """Hands out generators by purpose and counter, and remembers which in a digest."""

    def __init__(self, seed: int, ordinal: int, instance: str) -> None:
        self._root = f"oneiros/{seed}/{ordinal}/{instance}"
        self._digest = UNTOUCHED

    def at(self, purpose: str, counter: int) -> np.random.Generator:
        """The generator of `purpose` at `counter`; the same key always gives the same stream from its beginning."""
        key = hashlib.sha256(f"{self._root}/{purpose}/{counter}".encode()).digest()
        self._digest = hashlib.blake2b(self._digest + key, digest_size=8).digest()
        return np.random.Generator(np.random.Philox(key=np.frombuffer(key[:16], dtype="<u8")))

    def identify(self, kind: str, counter: int, content: bytes = b"") -> str:
        """A derived id (UUIDv5) for the `counter`-th `kind` of this actor in this run; `content` is hashed in."""
        return derived_id(self._root, kind, counter, hashlib.sha256(content).hexdigest())

    def take_digest(self) -> bytes:
        """Eight bytes over the keys handed out since the last call; zeros for none."""
        digest, self._digest = self._digest, UNTOUCHED
        return digest
