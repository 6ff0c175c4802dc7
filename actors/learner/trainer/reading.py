"""Reading a file that a user named: whole, bounded, and only if it is a plain file.

In: a path and the most bytes that are wanted. Out: its bytes. Refused, with the reason: what is not there or may not be
read, what is no regular file (a pipe would be waited for), what has more bytes than wanted.
"""

import os
import stat
from pathlib import Path

from schemas.errors import OneirosError


class FileRefusedError(OneirosError):
    """A file cannot be used; `reason` says why."""

    is_permanent = True

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = str(path)
        self.reason = reason
        super().__init__(f"{self.path}: {reason}")


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of the regular file at `path`, at most `limit` of them; raises FileRefusedError."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileRefusedError(path, "is no plain file; name a file")
            content = file.read(limit + 1) if status.st_size <= limit else b""
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise FileRefusedError(path, f"cannot be read ({reason})") from error
    if status.st_size > limit or len(content) > limit:
        raise FileRefusedError(path, f"has {max(status.st_size, len(content))} bytes; at most {limit} are read")
    return content
