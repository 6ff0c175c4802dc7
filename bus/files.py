"""Replacing a file whole or not at all, and opening one that somebody else may have put there.

In: a path, and new content. Out: a file that holds either the old content or the new one, whatever is killed when; a
descriptor to read. Refused: to open what is no regular file. An OSError of the file system reaches the caller, and the
old file stays as it was.
"""

import errno
import os
import stat
import threading
from pathlib import Path


def open_to_read(path: Path) -> int:
    """A descriptor of the regular file at `path`: no link is followed, nobody is waited for. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a link, which is not followed", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace the file at `path` by `content`: temporary file beside it, fsync, rename, fsync of the folder.

    The folder must exist; of `mode` goes what the umask takes. Raises OSError (no space, no permission, no such folder)
    and leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        _write_through(temporary, content, mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_from(path: Path, offset: int, content: bytes) -> None:
    """Let the file at `path` end with `content` from byte `offset` on, or from its end where it is shorter.

    Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        offset = min(offset, os.fstat(descriptor).st_size)
        view = memoryview(content)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.ftruncate(descriptor, offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_through(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
