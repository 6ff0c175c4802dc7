"""Requests that compute: each is hashed and compressed in pieces, and multiplies two matrices.

In: the size of a request and of its pieces, a compression level, threads, a rate. Out: requests a second and the time
of each. The last piece of every request is unpacked again; one that differs is an error. Hashing, compression and
products release the interpreter lock, so that threads are threads.
"""

import hashlib
from typing import Final, Protocol

import numpy as np
import zstandard

from actors.regime_runner.workloads.command_line import read
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.prose import prose
from actors.regime_runner.workloads.sampling import tell

SIDE: Final = 128
"""Rows and columns of a matrix."""


class Packer(Protocol):
    """What compresses a piece."""

    def compress(self, piece: bytes, /) -> bytes:
        """One frame of Zstandard."""
        ...


class Cruncher:
    """One worker with a compressor of its own, since threads cannot share one."""

    def __init__(self, request: bytes, chunk: int, packer: Packer) -> None:
        self._pieces = [request[begin : begin + chunk] for begin in range(0, len(request), chunk)]
        self._packer = packer
        self._unpacker = zstandard.ZstdDecompressor()
        self._matrix = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
        self.packed_bytes = 0
        self.bytes = 0

    def request(self) -> int:
        """Do one request; returns its errors."""
        packed = b""
        for piece in self._pieces:
            hashlib.sha256(piece).digest()
            packed = self._packer.compress(piece)
            self.packed_bytes += len(packed)
            self.bytes += len(piece)
        np.matmul(self._matrix, self._matrix)
        return int(self._unpacker.decompress(packed) != self._pieces[-1])


def main() -> None:
    """Measure once and tell."""
    options = read("crunching")
    request = prose(options.whole("request-kb") * 1024)
    threads, chunk = options.whole("threads"), options.whole("chunk-kb") * 1024
    level = options.whole("zstd-level")
    crunchers = [Cruncher(request, chunk, zstandard.ZstdCompressor(level=level)) for _ in range(threads)]
    for cruncher in crunchers:
        cruncher.request()
    pace = Pace(options.number("seconds"), options.number("rate"))
    tally, elapsed = run(lambda worker: crunchers[worker].request(), pace, threads)
    packed = sum(cruncher.packed_bytes for cruncher in crunchers)
    tally.figures = {"compression_ratio": sum(cruncher.bytes for cruncher in crunchers) / packed}
    tell(tally, "requests/s", elapsed)


if __name__ == "__main__":
    main()
