"""The trace of a simulated run as one hash: equal traces are equal runs.

In: every step with its bytes, every fault. Out: a SHA-256, the same for the same seed, whatever PYTHONHASHSEED says.
"""

import hashlib
import struct
import zlib

_STEP = struct.Struct("<IIIqI")


class Trace:
    """Hashes what happens, in the order in which it happens."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.steps = 0

    def step(self, instance: str, epoch: int, number: int, now_ns: int, body: bytes) -> None:
        """A step of `instance`; `body` is what its journal holds of it."""
        self.steps += 1
        self._sha256.update(_STEP.pack(zlib.crc32(instance.encode()), epoch, number, now_ns, zlib.crc32(body)))

    def event(self, at_ns: int, text: str) -> None:
        """Anything else, such as a fault."""
        self._sha256.update(f"{at_ns} {text}\n".encode())

    def hexdigest(self) -> str:
        """The hash of everything so far."""
        return self._sha256.hexdigest()
