"""A pool in memory that commits, rolls back and forgets as the real one does.

In: messages whose effect is to be stored, then `commit`. Out: rows; after a power cut all commits that a sync has
covered, and perhaps some more. A full disk takes everything since the last commit back.
"""

from collections.abc import Mapping
from random import Random
from typing import Final, NamedTuple

from bus.core import Cursor, MessageRef, StepPosition, StoreFullError
from bus.simulation.company import Surroundings, Taken
from bus.simulation.disk import GroupSync
from schemas.dreams import DreamEntry

STORE_SYNC_NS: Final = 10_000_000
COMMITS_KEPT: Final = 256
"""Far more than happen between two syncs."""
EARLY_REFUSAL_EVERY: Final = 3
"""A full disk is noticed at every third row, else at the commit."""


class Commit(NamedTuple):
    """What one transaction made durable."""

    at_ns: int
    rows: int
    position: StepPosition | None
    cursors: dict[str, Cursor]


class MemoryPool:
    """`bus.core.DurableState` for the process, rows for the keeper, `Archive` for the invariants."""

    def __init__(self) -> None:
        self.dreams: list[tuple[MessageRef, DreamEntry]] = []
        self.found: dict[str, tuple[MessageRef, DreamEntry]] = {}
        self._world: Surroundings | None = None
        self._rows: list[tuple[Taken, DreamEntry | None]] = []
        self._commits = [Commit(0, 0, None, {})]
        self._sync = GroupSync(STORE_SYNC_NS, 0)

    def open(self, world: Surroundings) -> None:
        """Be opened by a process that starts: only what was committed is there."""
        if self._world is None:
            self._sync = GroupSync(STORE_SYNC_NS, world.sync_ns)
        self._world = world
        self.close()

    # -- the process's side: bus.core.DurableState --

    def position(self) -> StepPosition | None:
        """The last step whose effect is committed."""
        return self._commits[-1].position

    def cursors(self) -> Mapping[str, Cursor]:
        """The committed cursors."""
        return self._commits[-1].cursors

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        """Make all rows durable, with `position` and `cursors`. Raises StoreFullError, rolled back."""
        self._check_room()
        now_ns = self.world.now_ns()
        self._commits.append(Commit(now_ns, len(self._rows), position, dict(cursors)))
        del self._commits[:-COMMITS_KEPT]
        self._sync.request(now_ns)

    def maintain(self) -> None:
        """Nothing to keep up."""

    def close(self) -> None:
        """Drop what was not committed."""
        self._truncate(self._commits[-1].rows)

    # -- the keeper's side --

    @property
    def world(self) -> Surroundings:
        """What the pool may ask of the world."""
        if self._world is None:
            raise RuntimeError("a pool that no process has opened")
        return self._world

    def add(self, taken: Taken, dream: DreamEntry | None) -> None:
        """Store the effect of a message. Raises StoreFullError, rolled back."""
        if len(self._rows) % EARLY_REFUSAL_EVERY == 0:
            self._check_room()
        self._rows.append((taken, dream))
        if dream is not None:
            self.dreams.append((taken.ref, dream))
            self.found[dream.id] = self.dreams[-1]

    def uncommitted(self) -> list[tuple[Taken, DreamEntry | None]]:
        """What the next commit makes durable."""
        return self._rows[self.count() :]

    # -- the invariants' side: bus.simulation.company.Archive --

    def count(self) -> int:
        """How many messages have a committed effect."""
        return self._commits[-1].rows

    def taken(self, index: int) -> Taken:
        """The message whose effect was committed as number `index`."""
        return self._rows[index][0]

    def covers(self, sender: str) -> bool:  # noqa: ARG002 - of everybody
        """Whether the messages of `sender` leave a row: all do."""
        return True

    def cut_power(self, now_ns: int, draws: Random) -> None:
        """Lose the process's work, and commits that no sync has covered."""
        if self._world is None:
            return
        covered = now_ns if self._world.is_power_safe else self._sync.covered_ns(now_ns)
        oldest = max((at for at, commit in enumerate(self._commits) if commit.at_ns <= covered), default=0)
        kept = draws.randint(oldest, len(self._commits) - 1)
        del self._commits[kept + 1 :]
        self.close()

    def _check_room(self) -> None:
        if not self.world.has_room():
            self.close()
            raise StoreFullError("no space left on device")

    def _truncate(self, rows: int) -> None:
        while len(self._rows) > rows:
            _, dream = self._rows.pop()
            if dream is not None:
                self.dreams.pop()
                self.found.pop(dream.id, None)
