"""What a boxed actor has heard, where its senders can see it: the file `cursors` in the folder of its journal.

In: its cursors, after each flush of the journal. Out: the same for whoever sends to it, or nothing while the file is
being written. It is a hint: what is sent again because of it is judged by its predecessor like everything else. The
file is opened once, so that it can be written by an actor that may open nothing more.
"""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bus.actor_log import NO_SPACE
from bus.codec import pack, unpack
from bus.core import Cursor
from bus.errors import DecodeError

FILE_NAME: Final = "cursors"
CHECKSUM_BYTES: Final = 4


class CursorFile:
    """The writing end, of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._written: dict[str, Cursor] | None = None

    def write(self, cursors: Mapping[str, Cursor]) -> None:
        """Let senders see `cursors`; nothing happens when they are known, or the disk is full."""
        if self._written == cursors:
            return
        content = pack(dict(cursors))
        try:
            os.pwrite(self._fd, zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big") + content, 0)
            os.ftruncate(self._fd, CHECKSUM_BYTES + len(content))
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            return
        self._written = dict(cursors)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_cursors(folder: Path) -> dict[str, Cursor] | None:
    """What the actor whose journal is in `folder` has heard; None when it does not say, or is just saying it."""
    try:
        data = (folder / FILE_NAME).read_bytes()
        content = data[CHECKSUM_BYTES:]
        if zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big") != data[:CHECKSUM_BYTES]:
            return None
        return {sender: Cursor(*at) for sender, at in unpack(content).items()}
    except (OSError, DecodeError, ValueError, TypeError, AttributeError):
        return None
