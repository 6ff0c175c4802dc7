"""The tables in which a friend is kept: four of seed 001, section 3, and two of the keeper's own beside them.

In: an open connection inside a transaction. Out: the tables that version 3 of the pool file adds. Nothing is refused.

Columns of the seed keep their names and stand first; what is of a host, of a run or of a revision follows. Of the
user's words nothing is kept, of a dialogue its lines. `friend_ledger` holds no text: one row for each change of a
persona, with a digest of what came out, so that a dialogue is never applied twice however long ago it was deleted, and
a replay can be compared. `friend_before` is what a persona was when a run first changed it, for the replay of that run.
"""

from typing import Final

DDL: Final = (
    "CREATE TABLE dream_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE dream_bootstrap_fragments(
        id INTEGER PRIMARY KEY, text TEXT NOT NULL, weight REAL NOT NULL,
        host_id TEXT NOT NULL, fragment_id INTEGER NOT NULL, is_origin INTEGER NOT NULL, dialog_key TEXT,
        turn INTEGER, added_rev INTEGER NOT NULL, UNIQUE(host_id, fragment_id))""",
    """CREATE TABLE dream_dialogs(
        id INTEGER PRIMARY KEY, started_at REAL NOT NULL, finished_at REAL NOT NULL, episodes_count INTEGER NOT NULL,
        avg_trauma REAL NOT NULL, avg_arousal REAL NOT NULL, note TEXT NOT NULL,
        host_id TEXT NOT NULL, dialog_key TEXT NOT NULL UNIQUE, ctx_id TEXT NOT NULL, gates TEXT NOT NULL,
        dice REAL NOT NULL, probability REAL NOT NULL, drift_rev INTEGER NOT NULL, origin_share REAL NOT NULL,
        lexical_distance REAL, turnover REAL, effective_fragments REAL NOT NULL, run_id TEXT NOT NULL)""",
    "CREATE INDEX dream_dialogs_by_host ON dream_dialogs(host_id, finished_at)",
    """CREATE TABLE dream_turns(
        id INTEGER PRIMARY KEY, dialog_id INTEGER NOT NULL REFERENCES dream_dialogs(id), speaker TEXT NOT NULL,
        text TEXT NOT NULL, trauma_level REAL NOT NULL, pulse_novelty REAL NOT NULL, pulse_arousal REAL NOT NULL,
        pulse_entropy REAL NOT NULL)""",
    "CREATE INDEX dream_turns_by_dialog ON dream_turns(dialog_id)",
    """CREATE TABLE friend_ledger(
        serial INTEGER PRIMARY KEY, run_id TEXT NOT NULL, host_id TEXT NOT NULL, ts INTEGER NOT NULL,
        what TEXT NOT NULL, dialog_key TEXT, rev INTEGER NOT NULL, sha256 BLOB NOT NULL)""",
    "CREATE INDEX friend_ledger_by_dialog ON friend_ledger(dialog_key) WHERE dialog_key IS NOT NULL",
    """CREATE TABLE friend_before(
        run_id TEXT NOT NULL, host_id TEXT NOT NULL, persona_json TEXT NOT NULL, is_whole INTEGER NOT NULL,
        PRIMARY KEY(run_id, host_id)) WITHOUT ROWID""",
)

CONTENT: Final = "SELECT host_id, ts, what, dialog_key, rev, sha256 FROM friend_ledger WHERE run_id = ? ORDER BY serial"
"""What a run did to the personas, as no later run changes it."""
BEFORE: Final = "INSERT INTO friend_ledger SELECT * FROM source.friend_ledger WHERE run_id < ?1 ORDER BY serial"
"""The dialogues that are known already when a run begins."""
