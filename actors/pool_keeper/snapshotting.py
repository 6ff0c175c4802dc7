"""The part of the keeper's world in which a night's copy of the pool is made, while the keeper's steps go on.

In: the ask `snapshot` (`actors.pool_keeper.nights`). Out: the observation of the same name. A thread with a connection
of its own makes the copy in a temporary file, which gets its name when it is whole and on the disk; nobody but the user
may read it. A copy that was taken after the end of its day is not taken again, unless a fresh one is asked for.
Refused: nothing is raised; what does not work is an answer, too. When the world closes, an unfinished copy is dropped.
"""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from actors.pool_keeper.night_copy import copy_pool
from actors.pool_keeper.nights import SNAPSHOT, CopyOrder, CopyTold
from bus.answering import Answering
from bus.core import Ask, Observed
from bus.files import write_atomically
from schemas.night import DAY_NS, begin_of
from schemas.night_places import SNAPSHOT_FILE, SNAPSHOT_NOTE, inputs_folder

CLOSING_S: Final = 4.0
CHUNK_BYTES: Final = 1024 * 1024
PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
MAX_PROBLEM_CHARS: Final = 300


class SnapshotWorld(Answering):
    """Copies for one keeper process (`bus.core.World`)."""

    def __init__(self, home: Path, tensor_bytes: int, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """`tensor_bytes`: most that the tensors of a copy take."""
        super().__init__()
        self._home = home
        self._tensor_bytes = tensor_bytes
        self._clock_ns = clock_ns
        self._threads: list[threading.Thread] = []
        self._connection: sqlite3.Connection | None = None
        self._one_at_a_time = threading.Lock()
        self._is_closing = False

    def ask(self, ask: Ask) -> None:
        """Begin a copy; what is not known is passed over, as a later version may ask more."""
        if ask.name == SNAPSHOT:
            order = CopyOrder(**json.loads(ask.data))
            thread = threading.Thread(target=self._answer, args=(order,), name="night-copy", daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def close(self) -> None:
        """Interrupt what is being copied."""
        self._is_closing = True
        end = time.monotonic() + CLOSING_S
        for thread in self._threads:
            with suppress(sqlite3.Error):
                if self._connection is not None:
                    self._connection.interrupt()
            thread.join(max(0.0, end - time.monotonic()))
        super().close()

    def _answer(self, order: CopyOrder) -> None:
        try:
            with self._one_at_a_time:
                told = self._kept(order) or self._taken(order)
        except (sqlite3.Error, OSError) as error:
            told = CopyTold(order, problem=f"the pool could not be copied: {error}"[:MAX_PROBLEM_CHARS])
        self.tell(Observed(SNAPSHOT, told.to_bytes()))

    def _folder(self, order: CopyOrder) -> Path:
        return self._home / inputs_folder(order.date)

    def _kept(self, order: CopyOrder) -> CopyTold | None:
        """What an earlier run of the night has left, if the day was over then."""
        if order.is_fresh:
            return None
        try:
            note: dict[str, Any] = json.loads((self._folder(order) / SNAPSHOT_NOTE).read_bytes())
            size_bytes = (self._folder(order) / SNAPSHOT_FILE).stat().st_size
            told = CopyTold(order, is_kept=True, **note)
        except (OSError, ValueError, TypeError):
            return None
        is_of_the_whole_day = told.taken_at_ns >= begin_of(order.date) + DAY_NS
        return told if is_of_the_whole_day and told.size_bytes == size_bytes else None

    def _taken(self, order: CopyOrder) -> CopyTold:
        folder = self._folder(order)
        make_private(folder, self._home)
        taken_at_ns = self._clock_ns()
        temporary = folder / f".{SNAPSHOT_FILE}.tmp"
        temporary.unlink(missing_ok=True)
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE))
            copied = copy_pool(self._home, temporary, self._tensor_bytes, self._begun)
            sha256 = _synced_digest(temporary)
            size_bytes = temporary.stat().st_size
            (folder / SNAPSHOT_NOTE).unlink(missing_ok=True)
            temporary.replace(folder / SNAPSHOT_FILE)
        finally:
            self._connection = None
            temporary.unlink(missing_ok=True)
        note = {
            "sha256": sha256,
            "size_bytes": size_bytes,
            "pool_sequence": copied.pool_sequence,
            "taken_at_ns": taken_at_ns,
        }
        write_atomically(folder / SNAPSHOT_NOTE, json.dumps(note).encode(), PRIVATE)
        return CopyTold(order, **note)  # type: ignore[arg-type] # the keys are those of its fields

    def _begun(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if self._is_closing:
            raise sqlite3.OperationalError("interrupted")


def make_private(folder: Path, home: Path) -> None:
    """Make `folder` below `home`, and what is missing above it, for the user alone. Raises OSError."""
    for part in reversed((folder, *folder.parents)):
        if part != home and home in part.parents:
            part.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _synced_digest(path: Path) -> str:
    """Bring the file to the disk; its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
