"""What the keeper looks up in its own pool file, one row or a few at a time.

In: ids, sequences. Out: rows, feedback and pins as they stand, with what the open transaction has changed. Nothing is
written. An error of SQLite or of the disk is raised as the pool's own, after the transaction was rolled back.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from actors.pool_keeper import rows
from actors.pool_keeper.connection import named
from actors.pool_keeper.niches import Utility
from actors.pool_keeper.rows import Measures, Row


class Lookups(ABC):
    """Reads through one connection."""

    _connection: sqlite3.Connection

    @abstractmethod
    def _roll_back(self) -> None:
        """Take back what was not committed."""

    def blob_bytes_of(self, sequence: int) -> int:
        """Size of a stored blob."""
        found = self.row("SELECT blob_bytes FROM signatures WHERE sequence = ?", sequence)
        return 0 if found is None else int(str(found[0]))

    def pinned(self) -> list[str]:
        """Ids of the dreams that are pinned."""
        with self._reading() as connection:
            return [dream_id for (dream_id,) in connection.execute(rows.SELECT_PINNED)]

    def utilities(self) -> dict[int, Utility]:
        """The feedback on every stored dream that has some, by sequence."""
        with self._reading() as connection:
            found = connection.execute("SELECT sequence, records, total FROM utilities ORDER BY sequence")
            return {sequence: Utility(records, total) for sequence, records, total in found}

    def trace(self, dream_id: str) -> tuple[int, bytes] | None:
        """Sequence and tensor hash of a dream that is or was in the pool."""
        with self._reading() as connection:
            found: tuple[int, bytes] | None = connection.execute(rows.SELECT_TRACE, (dream_id,)).fetchone()
        return found

    def known_facts_row(self, dream_id: str) -> Row | None:
        """The row of `rows.FACT_COLUMNS` of a dream that is or was in the pool."""
        return self.row(rows.SELECT_KNOWN_FACTS, dream_id)

    def sequence_of(self, dream_id: str) -> int | None:
        """The sequence of a dream, or None when the pool does not hold it."""
        found = self.row("SELECT sequence FROM dreams WHERE id = ?", dream_id)
        return None if found is None else int(str(found[0]))

    def facts_row(self, sequence: int) -> Row | None:
        """The row of `rows.FACT_COLUMNS` of a dream."""
        return self.row(rows.SELECT_FACTS, sequence)

    def measures_of(self, dream_id: str) -> Measures:
        """Colour, entropy and source of a dream that is or was in the pool."""
        with self._reading() as connection:
            *colour, entropy, source = connection.execute(rows.SELECT_MEASURES, (dream_id,)).fetchone()
        return Measures((colour[0], colour[1], colour[2]), entropy, source)

    def answers(self, query_id: str, learner: str) -> list[str]:
        """Entry ids of every answer that `learner` got to `query_id`, one text of ids for each answer."""
        sql = "SELECT entry_ids FROM retrievals WHERE query_id = ? AND learner = ? ORDER BY serial"
        with self._reading() as connection:
            return [text for (text,) in connection.execute(sql, (query_id, learner))]

    def row(self, sql: str, *parameters: rows.Value) -> Row | None:
        """The first row of a query."""
        with self._reading() as connection:
            found: Row | None = connection.execute(sql, parameters).fetchone()
        return found

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise named(error) from error
