"""What is kept of friends, read from outside, while the keeper writes or when nobody does.

In: the home of a pool, a host, an id. Out: personas, dialogues with the reason they ran, their lines, how far the
persona had come with each. It writes nothing and holds up nobody. Refused: what a `PoolReader` refuses, and an id that
names no dialogue or several.
"""

import json
from typing import Final, NamedTuple

from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.friend_tables import read_persona
from actors.pool_keeper.reading import PoolReader
from schemas.persona import Persona

DIALOG_COLUMNS: Final = (
    "id, dialog_key, host_id, run_id, started_at, finished_at, episodes_count, avg_trauma, avg_arousal, note, gates,"
    " dice, probability, drift_rev, origin_share, lexical_distance, turnover, effective_fragments"
)
BY_NUMBER: Final = 10
"""Digits below which a number is the place in the pool, and no beginning of an id."""


class DialogUnknownError(PoolError):
    """No dialogue of the pool, or more than one, is meant by what was given."""


class DialogLine(NamedTuple):
    """A kept dialogue without its lines."""

    number: int
    dialog_id: str
    host_id: str
    run_id: str
    started_s: float
    finished_s: float
    turns: int
    avg_trauma: float
    avg_arousal: float
    note: str
    gates: tuple[str, ...]
    """Those that were open."""
    dice: float
    probability: float
    """The dice fell because they were below it."""
    rev: int
    origin_share: float
    lexical_distance: float | None
    turnover: float | None
    effective_fragments: float


class TurnLine(NamedTuple):
    """One line of a kept dialogue."""

    speaker: str
    text: str
    trauma: float
    novelty: float
    arousal: float
    entropy: float


class FriendReader(PoolReader):
    """A pool whose friends are looked at."""

    def hosts(self) -> list[str]:
        """The hosts of which anything is kept, in the order of their names."""
        found = self._all("SELECT DISTINCT substr(key, 1, instr(key, '/') - 1) FROM dream_meta ORDER BY 1")
        return [str(host_id) for (host_id,) in found]

    def persona(self, host_id: str) -> Persona:
        """What is kept of the friend of a host; an empty one when nothing is."""
        return read_persona(self._connection, host_id)

    def dialogs(self, host_id: str | None = None) -> list[DialogLine]:
        """The dialogues of a host, or of all, oldest first."""
        sql = f"SELECT {DIALOG_COLUMNS} FROM dream_dialogs WHERE ?1 IS NULL OR host_id = ?1 ORDER BY id"  # noqa: S608
        return [_dialog(row) for row in self._all(sql, host_id)]

    def dialog(self, text: str) -> DialogLine:
        """The dialogue of which `text` is the id, a beginning of it, or the number. Raises DialogUnknownError."""
        is_number = text.isdigit() and len(text) < BY_NUMBER
        found = [each for each in self.dialogs() if is_number and str(each.number) == text]
        found = found or [each for each in self.dialogs() if text and each.dialog_id.startswith(text.lower())]
        if len(found) == 1:
            return found[0]
        among = ", ".join(each.dialog_id for each in found[:3])
        raise DialogUnknownError(
            f"several dialogues begin with {text!r}: {among}; give more of the id"
            if found
            else f"the pool holds no dialogue {text!r}"
        )

    def turns(self, number: int) -> list[TurnLine]:
        """The lines of a dialogue, in order."""
        sql = (
            "SELECT speaker, text, trauma_level, pulse_novelty, pulse_arousal, pulse_entropy FROM dream_turns"
            " WHERE dialog_id = ? ORDER BY id"
        )
        return [TurnLine._make(row) for row in self._all(sql, number)]


def _dialog(row: tuple[object, ...]) -> DialogLine:
    gates = tuple(json.loads(str(row[10])))
    return DialogLine._make((*row[:10], gates, *row[11:]))
