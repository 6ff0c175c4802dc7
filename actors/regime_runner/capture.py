"""What a trial says: the beginning of its standard output and the end of its standard error.

In: two pipes. Out: text within fixed bounds, however much is said; the writer never waits for room, since everything is
read and what is beyond the bounds is dropped, which the text says. It understands nothing of what is said.
"""

import os
from contextlib import suppress
from typing import Final

MOST_OUTPUT_BYTES: Final = 1024 * 1024
"""Of standard output: what is beyond is dropped."""
TAIL_BYTES: Final = 8 * 1024
"""Of standard error: the last of it."""
PIECE_BYTES: Final = 64 * 1024
MOST_PIECES: Final = 32
"""Taken in at once."""


class Capture:
    """The two pipes of one trial; the guard reads, the trial writes."""

    def __init__(self) -> None:
        self._output_reader, self.output = os.pipe2(os.O_CLOEXEC)
        self._errors_reader, self.errors = os.pipe2(os.O_CLOEXEC)
        for reader in self.readers:
            os.set_blocking(reader, False)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped_bytes = 0
        self._open = set(self.readers)

    @property
    def readers(self) -> tuple[int, int]:
        """The descriptors to wait for."""
        return self._output_reader, self._errors_reader

    def close_writers(self) -> None:
        """The commands run and have descriptors of their own."""
        os.close(self.output)
        os.close(self.errors)

    def read(self) -> tuple[int, ...]:
        """Take in what is there, without waiting; the readers that have come to their end by that."""
        before = tuple(self._open)
        for piece in self._pieces(self._output_reader):
            room = MOST_OUTPUT_BYTES - len(self._head)
            self._head += piece[:room]
            self._dropped_bytes += max(0, len(piece) - room)
        for piece in self._pieces(self._errors_reader):
            self._tail += piece
            del self._tail[:-TAIL_BYTES]
        return tuple(reader for reader in before if reader not in self._open)

    def close(self) -> None:
        """Stop reading."""
        for reader in self.readers:
            os.close(reader)

    def output_text(self) -> str:
        """Standard output; what is no UTF-8 is replaced."""
        return self._head.decode(errors="replace")[:MOST_OUTPUT_BYTES]

    def errors_text(self) -> str:
        """The end of standard error, and a line on what was dropped."""
        text = self._tail.decode(errors="replace")
        if self._dropped_bytes:
            text += f"\ntrial guard: {self._dropped_bytes} bytes of standard output were dropped"
        return text

    def _pieces(self, reader: int) -> list[bytes]:
        """What waits in a pipe, up to a bound that keeps the caller's other duties on time."""
        found: list[bytes] = []
        with suppress(BlockingIOError):
            while reader in self._open and len(found) < MOST_PIECES:
                piece = os.read(reader, PIECE_BYTES)
                if not piece:
                    self._open.discard(reader)
                else:
                    found.append(piece)
        return found
