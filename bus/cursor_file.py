"""What a boxed actor has heard, where its senders can see it: the file `cursors` in the folder of its journal.

In: its cursors, after each flush of the journal. Out: the same for whoever sends to it, or nothing while the file is
being written, and of a file that is anything else. It is a hint: what is sent again because of it is judged by its
predecessor like everything else. The file is kept open, so that it can be written by an actor that may open nothing
more; it is written again now and then, and made again where it is gone, so that no accident lasts.
"""

import os
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bus.actor_log import NO_SPACE
from bus.codec import pack, unpack
from bus.core import Cursor
from bus.errors import DecodeError
from bus.files import open_to_read
from bus.step import cursors_of

FILE_NAME: Final = "cursors"
CHECKSUM_BYTES: Final = 4
MOST_BYTES: Final = 4096
"""Of the file; what is longer was not written by a `CursorFile`."""
REPEAT_S: Final = 1.0
"""What is known is written again after this time."""


class CursorFile:
    """The writing end, of one process. One that `reopens` makes the file again when its name is gone."""

    def __init__(self, folder: Path, *, reopens: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / FILE_NAME
        self._reopens = reopens
        self._fd = _open_to_write(self._path)
        self._written: dict[str, Cursor] | None = None
        self._repeat_at = 0.0

    def write(self, cursors: Mapping[str, Cursor]) -> None:
        """Let senders see `cursors`; nothing happens when they were written just now, or the disk is full."""
        now = time.monotonic()
        if self._written == cursors and now < self._repeat_at:
            return
        self._repeat_at = now + REPEAT_S
        content = pack(dict(cursors))
        try:
            if self._reopens and not self._is_in_place():
                fd = _open_to_write(self._path)
                os.close(self._fd)
                self._fd = fd
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

    def _is_in_place(self) -> bool:
        """Whether the name still leads to the file that is open."""
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._fd))


def read_cursors(folder: Path) -> dict[str, Cursor] | None:
    """What the actor whose journal is in `folder` has heard; None when it does not say, or is just saying it."""
    try:
        fd = open_to_read(folder / FILE_NAME)
    except OSError:
        return None
    try:
        data = os.read(fd, MOST_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(fd)
    content = data[CHECKSUM_BYTES:]
    if len(data) > MOST_BYTES or zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big") != data[:CHECKSUM_BYTES]:
        return None
    try:
        return cursors_of(unpack(content))
    except (DecodeError, ValueError, TypeError):
        return None


def _open_to_write(path: Path) -> int:
    """The file at `path`, made when it is not there; what is no regular file is put aside first."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
