"""What can be wrong with the pool as a whole; bad messages are refused in an outcome instead and never raised."""

from bus.core import StoreFullError
from schemas.errors import OneirosError


class PoolError(OneirosError):
    """The pool file or one of the interface logs cannot be used; everything since the last commit is rolled back."""


class PoolFullError(PoolError, StoreFullError):
    """The disk is full: nothing of the open transaction is stored. Free space, then handle the same inputs again."""


class PoolHeldError(PoolError):
    """Another process holds the pool for writing."""


class PoolVersionError(PoolError):
    """The pool file was written by a newer program."""

    is_permanent = True

    def __init__(self, found: int, known: int) -> None:
        self.found = found
        self.known = known
        super().__init__(f"pool file has version {found}, this program knows {known}; update oneiros to open it")


class PoolDamagedError(PoolError):
    """The pool file is not a dream pool, or SQLite finds it damaged."""

    is_permanent = True
