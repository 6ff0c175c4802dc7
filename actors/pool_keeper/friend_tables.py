"""The personas and dialogues of friends in the pool file (seed 001, section 3; schemas.persona).

In: personas and commits as `actors.pool_keeper.befriending` decided on them, inside the open transaction of the store.
Out: rows, and personas as they are stored. What is deleted is overwritten in the file, and leaves the write-ahead log
when the store next empties it. A persona that is changed is put aside first, once a run, for the replay of that run.
Refused: to tell what a persona was before a run of long ago, or when a dialogue of that time was forgotten since.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from typing import Final, Literal

from pydantic import TypeAdapter

from actors.pool_keeper.errors import PoolError
from schemas.persona import DialogCommit, Fragment, Persona, Stamp

What = Literal["claim", "commit", "pause", "forget"]

PUT_META: Final = "INSERT INTO dream_meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
PUT_FRAGMENT: Final = (
    "INSERT INTO dream_bootstrap_fragments VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(host_id, fragment_id) DO UPDATE SET weight = excluded.weight"
)
SELECT_FRAGMENTS: Final = (
    "SELECT fragment_id, text, weight, is_origin, dialog_key, turn, added_rev"
    " FROM dream_bootstrap_fragments WHERE host_id = ? ORDER BY fragment_id"
)
PUT_DIALOG: Final = f"INSERT INTO dream_dialogs VALUES (NULL, {', '.join('?' * 18)})"  # noqa: S608 - marks alone
PUT_TURN: Final = "INSERT INTO dream_turns VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
EMPTY_OLDER: Final = (
    "UPDATE friend_before SET persona_json = '', is_whole = 0 WHERE host_id = ?1 AND is_whole AND run_id NOT IN"
    " (SELECT run_id FROM friend_before WHERE host_id = ?1 ORDER BY run_id DESC LIMIT ?2)"
)
MOST_BEFORE: Final = 256
"""Runs for whose replay it is kept what a persona was."""
META: Final = ("rev", "next_id", "dream_last_run_ts", "last_claim", "pause_reason")


class FriendTables:
    """What the keeper keeps of friends."""

    def __init__(self, writing: Callable[[], AbstractContextManager[sqlite3.Connection]], run_id: str) -> None:
        """`writing` opens the transaction of the store, or joins the one that is open."""
        self._writing = writing
        self._run_id = run_id

    def persona(self, host_id: str) -> Persona:
        """What is kept of a friend; an empty one when nothing is."""
        with self._writing() as connection:
            return read_persona(connection, host_id)

    def is_committed(self, host_id: str, dialog_key: str) -> bool:
        """Whether a dialogue with this host was ever stored, whatever became of it since."""
        sql = "SELECT 1 FROM friend_ledger WHERE dialog_key = ? AND host_id = ? AND what = 'commit'"
        with self._writing() as connection:
            return connection.execute(sql, (dialog_key, host_id)).fetchone() is not None

    def known(self, dialog_key: str) -> set[str]:
        """`dialog_key`, if a dialogue of this key was ever stored for any host."""
        sql = "SELECT 1 FROM friend_ledger WHERE dialog_key = ?"
        with self._writing() as connection:
            return set() if connection.execute(sql, (dialog_key,)).fetchone() is None else {dialog_key}

    def change(
        self, before: Persona, after: Persona, what: What, now_ns: int, commit: DialogCommit | None = None
    ) -> None:
        """Put `after` in the place of `before`, with the dialogue that led there."""
        with self._writing() as connection:
            self._put_aside(connection, before)
            write_persona(connection, after)
            if commit is not None:
                self._put_dialog(connection, commit)
            key = None if commit is None else commit.dialog_id
            self._enter(connection, (after, what, now_ns, key), None if commit is None else commit.model_dump_json())

    def forget(self, before: Persona, after: Persona, dialog_key: str, now_ns: int) -> None:
        """Put `after` in the place of `before`; of the dialogue no line is left, here or put aside."""
        with self._writing() as connection:
            self._put_aside(connection, before)
            with _overwriting(connection):
                write_persona(connection, after)
                _delete_dialogs(connection, [dialog_key])
                _scrub(connection, after.host_id, dialog_key)
            self._enter(connection, (after, "forget", now_ns, dialog_key), None)

    def stamps(self, host_id: str) -> list[Stamp]:
        """The dialogues that are kept of a host."""
        sql = "SELECT dialog_key, finished_at FROM dream_dialogs WHERE host_id = ? ORDER BY id"
        with self._writing() as connection:
            return [Stamp(key, finished_s) for key, finished_s in connection.execute(sql, (host_id,))]

    def delete(self, dialog_keys: list[str]) -> None:
        """Delete dialogues that are beyond the retention."""
        if dialog_keys:
            with self._writing() as connection, _overwriting(connection):
                _delete_dialogs(connection, dialog_keys)

    def _put_aside(self, connection: sqlite3.Connection, before: Persona) -> None:
        values = (self._run_id, before.host_id, to_json(before))
        put = connection.execute("INSERT INTO friend_before VALUES (?, ?, ?, 1) ON CONFLICT DO NOTHING", values)
        if put.rowcount:
            with _overwriting(connection):
                connection.execute(EMPTY_OLDER, (before.host_id, MOST_BEFORE))

    def _put_dialog(self, connection: sqlite3.Connection, commit: DialogCommit) -> None:
        facts, drift = commit.facts, commit.drift
        dialog = connection.execute(
            PUT_DIALOG,
            (
                *(
                    facts.started_s,
                    facts.finished_s,
                    len(commit.turns),
                    facts.avg_trauma,
                    facts.avg_arousal,
                    facts.note,
                ),
                *(commit.host_id, commit.dialog_id, facts.ctx_id, json.dumps(facts.gates), facts.dice),
                *(facts.probability, drift.rev, drift.origin_share, drift.lexical_distance, drift.turnover),
                *(drift.effective_fragments, self._run_id),
            ),
        ).lastrowid
        connection.executemany(PUT_TURN, [(dialog, *turn.model_dump().values()) for turn in commit.turns])

    def _enter(
        self, connection: sqlite3.Connection, entry: tuple[Persona, What, int, str | None], content: str | None
    ) -> None:
        persona, what, now_ns, dialog_key = entry
        digest = hashlib.sha256(f"{to_json(persona)}\n{content}".encode()).digest()
        values = (self._run_id, persona.host_id, now_ns, what, dialog_key, persona.rev, digest)
        connection.execute("INSERT INTO friend_ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", values)


def read_persona(connection: sqlite3.Connection, host_id: str, schema: str = "main") -> Persona:
    """A persona as the tables have it."""
    keys = {f"{host_id}/{name}": name for name in META}
    sql = f"SELECT key, value FROM {schema}.dream_meta WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608
    told = {keys[key]: value for key, value in connection.execute(sql, tuple(keys))}
    rows = connection.execute(SELECT_FRAGMENTS.replace("FROM ", f"FROM {schema}."), (host_id,))
    last_run = told.get("dream_last_run_ts")
    return Persona(
        host_id=host_id,
        rev=int(told.get("rev", 0)),
        next_id=int(told.get("next_id", 1)),
        fragments=tuple(
            Fragment(
                fragment_id=number,
                text=text,
                weight=weight,
                is_origin=bool(is_origin),
                dialog_id=dialog_key,
                turn=turn,
                added_rev=added_rev,
            )
            for number, text, weight, is_origin, dialog_key, turn, added_rev in rows
        ),
        last_run_s=None if last_run is None else float(last_run),
        last_claim=told.get("last_claim"),
        pause_reason=told.get("pause_reason"),
    )


def write_persona(connection: sqlite3.Connection, persona: Persona) -> None:
    """Let the tables hold `persona`."""
    host_id = persona.host_id
    last_run_s = None if persona.last_run_s is None else repr(persona.last_run_s)
    values = (str(persona.rev), str(persona.next_id), last_run_s, persona.last_claim, persona.pause_reason)
    for name, value in zip(META, values, strict=True):
        if value is None:
            connection.execute("DELETE FROM dream_meta WHERE key = ?", (f"{host_id}/{name}",))
        else:
            connection.execute(PUT_META, (f"{host_id}/{name}", value))
    fragments = {each.fragment_id: each for each in persona.fragments}
    sql = "SELECT fragment_id FROM dream_bootstrap_fragments WHERE host_id = ?"
    gone = [(host_id, number) for (number,) in connection.execute(sql, (host_id,)) if number not in fragments]
    with _overwriting(connection):
        connection.executemany("DELETE FROM dream_bootstrap_fragments WHERE host_id = ? AND fragment_id = ?", gone)
    connection.executemany(
        PUT_FRAGMENT,
        [
            (each.text, each.weight, host_id, number, int(each.is_origin), each.dialog_id, each.turn, each.added_rev)
            for number, each in fragments.items()
        ],
    )


def furnish_personas(connection: sqlite3.Connection, run_id: str) -> None:
    """Let the pool hold every persona as the attached `source` held it before `run_id`. Raises PoolError."""
    hosts = connection.execute(
        "SELECT DISTINCT substr(key, 1, length(key) - 4) FROM source.dream_meta WHERE key LIKE '%/rev' ORDER BY 1"
    )
    sql = (
        "SELECT persona_json, is_whole FROM source.friend_before"
        " WHERE host_id = ? AND run_id >= ? ORDER BY run_id LIMIT 1"
    )
    for (host_id,) in hosts.fetchall():
        found = connection.execute(sql, (host_id, run_id)).fetchone()
        if found is not None and not found[1]:
            raise PoolError(
                f"what the friend of {host_id} was before run {run_id} is not kept any more: a dialogue was forgotten "
                "since, or it is long ago"
            )
        persona = read_persona(connection, host_id, "source") if found is None else from_json(found[0])
        write_persona(connection, persona)


@cache
def _adapter() -> TypeAdapter[Persona]:
    return TypeAdapter(Persona)


def to_json(persona: Persona) -> str:
    """`persona` as a text that names it exactly."""
    return _adapter().dump_json(persona).decode()


def from_json(text: str) -> Persona:
    """The persona that `to_json` gave."""
    return _adapter().validate_json(text)


def _delete_dialogs(connection: sqlite3.Connection, dialog_keys: list[str]) -> None:
    keys = [(key,) for key in dialog_keys]
    of_dialog = "(SELECT id FROM dream_dialogs WHERE dialog_key = ?)"
    connection.executemany(f"DELETE FROM dream_turns WHERE dialog_id = {of_dialog}", keys)  # noqa: S608
    connection.executemany("DELETE FROM dream_dialogs WHERE dialog_key = ?", keys)


def _scrub(connection: sqlite3.Connection, host_id: str, dialog_key: str) -> None:
    """Take what came from a dialogue out of the personas that were put aside."""
    found = connection.execute(
        "SELECT run_id, persona_json FROM friend_before WHERE host_id = ? AND persona_json != ''", (host_id,)
    )
    for run_id, text in found.fetchall():
        persona = from_json(text)
        kept = tuple(each for each in persona.fragments if each.dialog_id != dialog_key)
        if len(kept) < len(persona.fragments):
            values = (to_json(replace(persona, fragments=kept)), run_id, host_id)
            connection.execute(
                "UPDATE friend_before SET persona_json = ?, is_whole = 0 WHERE run_id = ? AND host_id = ?", values
            )


@contextmanager
def _overwriting(connection: sqlite3.Connection) -> Iterator[None]:
    """What is deleted meanwhile is overwritten with zeros."""
    (before,) = connection.execute("PRAGMA secure_delete").fetchone()
    connection.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA secure_delete = {int(before)}")
