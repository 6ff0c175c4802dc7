"""The lock that makes a supervisor the only one of its home, and says who holds it.

In: a home. Out: an exclusive lock on `home/supervisor.lock` that the kernel frees when its holder dies, with the
holder's pid, start time and runtime folder as JSON inside. Refused: a second holder, with those facts; an answer about
a home whose lock this user may not see. After a clean end the file is empty; facts without a lock tell of a supervisor
that was killed.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from schemas.base import Record
from supervisor.errors import AlreadyRunningError, FolderRefusedError, HomeHiddenError
from supervisor.home import ADVICE, Home, owner_of

ATTEMPTS: Final = 5
PAUSE_S: Final = 0.05
"""A command that only looks takes a shared lock for an instant; the holder to be waits for it."""


class Holder(Record):
    """Who holds a home."""

    pid: int
    started_at: str
    """UTC, ISO 8601."""
    runtime: str
    """The folder of the sockets."""


@contextmanager
def hold_home(home: Home, holder: Holder) -> Iterator[None]:
    """Hold `home` while the body runs; raises AlreadyRunningError when somebody else does."""
    descriptor = _open(home.lock_file)
    try:
        if not _lock(descriptor):
            found = _read(home.lock_file)
            raise AlreadyRunningError(
                str(home.root),
                found.pid if found else None,
                found.started_at if found else "unknown",
                found.runtime if found else "unknown",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder.model_dump()).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def find_holder(home: Home) -> Holder | None:
    """Who holds `home` now, or None; raises HomeHiddenError when this user may not see that."""
    check_is_visible(home)
    return _read(home.lock_file) if is_held(home) else None


def find_dead_holder(home: Home) -> Holder | None:
    """Who held `home` and was killed without giving it back, or None."""
    return None if is_held(home) else _read(home.lock_file)


def check_is_visible(home: Home) -> None:
    """Raise HomeHiddenError when this user may not read the lock file of `home`, or enter the folders above it."""
    try:
        os.close(os.open(home.lock_file, os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError as error:
        reason = f"{home.lock_file}: {error.strerror or error}"
        raise HomeHiddenError(str(home.root), reason, owner_of(home.lock_file)) from error
    except OSError:
        return  # a file that is not there is held by nobody


def is_held(home: Home) -> bool:
    """Whether somebody is seen to hold `home`."""
    try:
        descriptor = os.open(home.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_held_by(home: Home, pid: int) -> bool:
    """Whether `home` is held, and `pid` is a process of this user that has its lock file open."""
    from supervisor.kernel import has_open

    return is_held(home) and has_open(pid, home.lock_file)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderRefusedError(str(path), reason, ADVICE) from error


def _lock(descriptor: int) -> bool:
    for attempt in range(ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE_S)
    return False


def _read(path: Path) -> Holder | None:
    try:
        return Holder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
