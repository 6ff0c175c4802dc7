"""SQLite as the C library alone, beside Python's module: no audit hook of Python sees it.

In: the path of a database, statements. Out: the first column of the first row. Its refusals are OSError. Databases of
a throw-away world are made with it, and attacked with it.
"""

import ctypes
import errno
import importlib.util
from typing import Final

from supervisor.probe.attempt import NotHereError

READ_ONLY: Final = 1
READ_WRITE: Final = 2
CREATE: Final = 4
ROW: Final = 100


def load() -> ctypes.CDLL:
    """The library that Python's own module was linked with; raises NotHereError."""
    found = importlib.util.find_spec("_sqlite3")
    origin = None if found is None or found.origin in (None, "built-in") else found.origin
    library = ctypes.CDLL(origin)
    if not hasattr(library, "sqlite3_open_v2"):
        library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_column_text.restype = ctypes.c_char_p
    return library


class Database:
    """One open database."""

    def __init__(self, library: ctypes.CDLL | None, path: str, flags: int = READ_ONLY) -> None:
        """Open the database at `path`; raises OSError."""
        if library is None:
            raise NotHereError("this machine has no SQLite")
        self._library = library
        self._handle = ctypes.c_void_p()
        self._check(library.sqlite3_open_v2(path.encode(), ctypes.byref(self._handle), flags, None))

    def execute(self, statement: str) -> None:
        """Execute `statement`; raises OSError."""
        self._check(self._library.sqlite3_exec(self._handle, statement.encode(), None, None, None))

    def first(self, query: str) -> bytes:
        """The first column of the first row of `query`; raises OSError, also when there is no row."""
        prepared = ctypes.c_void_p()
        self._check(self._library.sqlite3_prepare_v2(self._handle, query.encode(), -1, ctypes.byref(prepared), None))
        try:
            answer = self._library.sqlite3_step(prepared)
            if answer != ROW:
                raise OSError(errno.EIO, f"SQLite answers {answer}")
            return bytes(self._library.sqlite3_column_text(prepared, 0) or b"")
        finally:
            self._library.sqlite3_finalize(prepared)

    def close(self) -> None:
        """Close the database."""
        self._library.sqlite3_close_v2(self._handle)

    def _check(self, answer: int) -> None:
        if answer:
            number = int(self._library.sqlite3_system_errno(self._handle)) or errno.EIO
            self.close()
            raise OSError(number, f"SQLite answers {answer}")
