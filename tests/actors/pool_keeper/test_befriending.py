"""What the keeper keeps of a friend: claimed once, committed whole and once, forgotten without a trace (seed 001)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper import schema
from actors.pool_keeper.copying import content_digest, furnish
from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.friend_tables import MOST_BEFORE, from_json, to_json
from schemas.ids import derived_id
from schemas.persona import (
    CommitReceipt,
    CooldownClaim,
    DialogCommit,
    DialogForgotten,
    FriendState,
    FriendStateRequest,
    NewFragment,
    PauseNoted,
    Persona,
    Retention,
    apply_delta,
)
from tests.friend_examples import HOST, START_S, commit

POOL = Path("pool") / "dream_pool.sqlite"
FIRST, SECOND, THIRD = (f"2026010{day}T000000Z-000{day}" for day in (1, 2, 3))
FRIEND = "friend"
SEED_COLUMNS = {
    "dream_meta": ["key", "value"],
    "dream_bootstrap_fragments": ["id", "text", "weight"],
    "dream_dialogs": ["id", "started_at", "finished_at", "episodes_count", "avg_trauma", "avg_arousal", "note"],
    "dream_turns": [
        *("id", "dialog_id", "speaker", "text", "trauma_level", "pulse_novelty", "pulse_arousal", "pulse_entropy")
    ],
}


def dialog(number: int, rev: int, host: str = HOST, **changes: Any) -> DialogCommit:
    """A dialogue on revision `rev`, from which a line of its own is adopted."""
    plain = commit(derived_id("dialog", number), host_id=host, base_rev=rev, **changes)
    adopted = NewFragment(text=f"Adopted lantern number {number}.", weight=0.3, turn=1)
    turns = tuple(turn.model_copy(update={"text": f"{turn.text} of {number}"}) for turn in plain.turns)
    finished = plain.facts.model_copy(update={"finished_s": START_S + number})
    delta = plain.delta.model_copy(update={"adopted": (adopted,)})
    return plain.model_copy(update={"delta": delta, "turns": turns, "facts": finished})


def claim(number: int, now_s: float, interval_s: float = 180.0) -> CooldownClaim:
    return CooldownClaim(
        claim_id=derived_id("claim", number), host_id=HOST, now_s=now_s, min_interval_s=interval_s, owner=FRIEND
    )


def state(keeper: Any, host: str = HOST) -> FriendState:
    return keeper.ask(FriendStateRequest(host_id=host, request=7), FRIEND)


def rows(keeper: Any, sql: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(f"file:{keeper.home / POOL}?mode=ro", uri=True)) as pool:
        return pool.execute(sql, parameters).fetchall()


@pytest.mark.parametrize(("table", "columns"), SEED_COLUMNS.items())
def test_the_tables_are_those_of_the_seed_with_its_columns_first(keeper: Any, table: str, columns: list[str]) -> None:
    # seed 001, section 3
    keeper.commit()

    found = [name for _, name, *_ in rows(keeper, f"PRAGMA table_info({table})")]

    assert found[: len(columns)] == columns


def test_a_friend_that_never_spoke_is_empty(keeper: Any) -> None:
    told = state(keeper)

    assert (told.request, told.rev, told.next_id, told.fragments, told.last_run_s) == (7, 0, 1, (), None)


def test_a_commit_is_stored_whole_and_is_the_state_that_is_told(keeper: Any) -> None:
    whole = dialog(1, 0)

    receipt = keeper.ask(whole, FRIEND)
    told = state(keeper)

    persona = apply_delta(Persona(HOST), whole.dialog_id, whole.delta)
    assert (receipt.result, receipt.rev) == ("applied", 1)
    assert (told.rev, told.next_id, told.fragments) == (persona.rev, persona.next_id, persona.fragments)
    ((number, count, gates, dice, share),) = rows(
        keeper, "SELECT id, episodes_count, gates, dice, origin_share FROM dream_dialogs"
    )
    assert (count, gates, dice, share) == (3, '["trauma", "novelty"]', 0.25, 0.9)
    turns = rows(keeper, "SELECT dialog_id, speaker, text, trauma_level FROM dream_turns ORDER BY id")
    assert turns == [(number, turn.speaker, turn.text, turn.trauma_level) for turn in whole.turns]


def test_a_commit_that_comes_again_is_a_duplicate_and_one_on_another_revision_a_conflict(keeper: Any) -> None:
    receipts = [keeper.ask(each, FRIEND) for each in (dialog(1, 0), dialog(1, 0), dialog(2, 0), dialog(2, 1))]

    assert [(receipt.result, receipt.rev) for receipt in receipts] == [
        ("applied", 1),
        ("duplicate", 1),
        ("conflict", 1),
        ("applied", 2),
    ]
    assert rows(keeper, "SELECT count(*) FROM dream_turns") == [(6,)]


def test_nothing_of_a_commit_is_there_before_the_transaction_is_over(keeper: Any, open_keeper: Any) -> None:
    keeper.commit()

    keeper.say(dialog(1, 0), FRIEND)
    seen = rows(keeper, "SELECT count(*) FROM dream_dialogs") + rows(keeper, "SELECT count(*) FROM dream_turns")
    keeper.store.close()
    again = open_keeper()

    assert seen == [(0,), (0,)]
    assert state(again).rev == 0
    assert again.ask(dialog(1, 0), FRIEND).result == "applied"


def test_a_cooldown_is_claimed_by_one_alone(keeper: Any) -> None:
    asked = [claim(1, START_S), claim(2, START_S + 179.0), claim(1, START_S + 179.0), claim(3, START_S + 180.0)]

    granted = [keeper.ask(each, FRIEND).is_granted for each in asked]

    assert granted == [True, False, True, True]
    assert state(keeper).last_run_s == START_S + 180.0


def test_a_pause_is_kept_until_it_is_over(open_keeper: Any) -> None:
    keeper = open_keeper()
    keeper.say(PauseNoted(host_id=HOST, reason="distinct_3 is 0.1, below 0.3"), FRIEND)
    keeper.commit()
    keeper.store.close()
    keeper = open_keeper(run=SECOND)
    paused = state(keeper).pause_reason
    keeper.say(PauseNoted(host_id=HOST, reason=None), FRIEND)

    assert (paused, state(keeper).pause_reason) == ("distinct_3 is 0.1, below 0.3", None)


def test_personas_of_two_hosts_do_not_mix(keeper: Any) -> None:
    keeper.ask(dialog(1, 0, "leo"), FRIEND)
    keeper.ask(dialog(2, 0, "ann"), FRIEND)
    keeper.ask(dialog(3, 1, "ann"), FRIEND)

    leo, ann = ([each.text for each in state(keeper, host).fragments if not each.is_origin] for host in ("leo", "ann"))

    assert leo == ["Adopted lantern number 1."]
    assert ann == ["Adopted lantern number 2.", "Adopted lantern number 3."]


@pytest.mark.parametrize("retention", [Retention(dialogs=2, seconds=1e9), Retention(dialogs=9, seconds=1.5)])
def test_what_is_beyond_the_retention_goes_and_still_counts_as_known(keeper: Any, retention: Retention) -> None:
    for number in range(4):
        keeper.ask(dialog(number, number, retention=retention), FRIEND)

    kept = rows(keeper, "SELECT dialog_key FROM dream_dialogs ORDER BY id")
    again = keeper.ask(dialog(0, 4), FRIEND)

    assert kept == [(derived_id("dialog", number),) for number in (2, 3)]
    assert rows(keeper, "SELECT count(*) FROM dream_turns") == [(6,)]
    assert again.result == "duplicate"


def test_a_forgotten_dialogue_leaves_no_word_in_the_pool_file(open_keeper: Any) -> None:
    keeper = open_keeper()
    keeper.ask(dialog(1, 0), FRIEND)
    keeper.store.close()
    keeper = open_keeper(run=SECOND)
    keeper.store._connection.execute("PRAGMA secure_delete = OFF")  # as some libraries of SQLite are built
    keeper.ask(dialog(2, 1), FRIEND)

    told = keeper.ask(DialogForgotten(host_id=HOST, dialog_id=derived_id("dialog", 1)), FRIEND)
    keeper.store.close()

    content = (keeper.home / POOL).read_bytes()
    assert (told.request, told.rev) == (0, 3)
    assert [each.text for each in told.fragments if not each.is_origin] == ["Adopted lantern number 2."]
    assert b" of 1" not in content and b"lantern number 1." not in content
    assert b" of 2" in content and b"lantern number 2." in content
    assert not list(keeper.home.glob("pool/*-wal"))


def test_a_dialogue_that_was_never_kept_cannot_be_forgotten(keeper: Any) -> None:
    keeper.ask(dialog(1, 0, "ann"), FRIEND)

    outcome = keeper.say(DialogForgotten(host_id=HOST, dialog_id=derived_id("dialog", 1)), FRIEND)

    assert "was ever kept" in (outcome.refusal or "")
    assert outcome.sends[0].message.rev == 0
    assert len(state(keeper, "ann").fragments) == 4


def lived(open_keeper: Callable[..., Any], home: Path) -> dict[str, list[CommitReceipt | FriendState]]:
    """Three runs in which a friend speaks, and what the keeper answered in each."""
    answers: dict[str, list[Any]] = {}
    for number, run in enumerate((FIRST, SECOND, THIRD)):
        keeper = open_keeper(home, run=run)
        answers[run] = [state(keeper)]
        answers[run] += [keeper.ask(dialog(10 * number + part, 2 * number + part), FRIEND) for part in (0, 1)]
        answers[run].append(keeper.ask(claim(number, START_S + 1000.0 * number), FRIEND))
        keeper.store.close()
    return answers


def repeat(keeper: Any, number: int) -> list[Any]:
    found = [state(keeper)]
    found += [keeper.ask(dialog(10 * number + part, 2 * number + part), FRIEND) for part in (0, 1)]
    return [*found, keeper.ask(claim(number, START_S + 1000.0 * number), FRIEND)]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_run_replays_from_what_the_friend_was_before_it(tmp_path: Path, open_keeper: Any, number: int) -> None:
    # design, section 2: a replay re-runs the store for real
    home, again = tmp_path / "home", tmp_path / "again"
    answers = lived(open_keeper, home)
    run = (FIRST, SECOND, THIRD)[number]
    open_keeper(again, run=run).store.close()

    furnish(home, again, run)
    keeper = open_keeper(again, run=run)
    repeated = repeat(keeper, number)

    assert repeated == answers[run]
    assert content_digest(again, run) == content_digest(home, run)


def test_a_run_whose_beginning_was_forgotten_in_part_is_not_replayed_as_if_it_were_whole(
    tmp_path: Path, open_keeper: Any
) -> None:
    home, again = tmp_path / "home", tmp_path / "again"
    lived(open_keeper, home)
    keeper = open_keeper(home, run="20260104T000000Z-0004")
    keeper.ask(DialogForgotten(host_id=HOST, dialog_id=derived_id("dialog", 0)), FRIEND)
    keeper.store.close()
    for run in (FIRST, SECOND):
        open_keeper(again / run, run=run).store.close()

    furnish(home, again / FIRST, FIRST)
    with pytest.raises(PoolError, match=f"before run {SECOND} is not kept any more: a dialogue was forgotten"):
        furnish(home, again / SECOND, SECOND)


def test_what_a_persona_was_is_kept_for_so_many_runs(open_keeper: Any) -> None:
    keeper = open_keeper(run=THIRD)
    keeper.ask(dialog(1, 0), FRIEND)
    with keeper.store._writing() as connection:
        for number in range(MOST_BEFORE):
            row = (f"2025-{number:04}", HOST, to_json(Persona(HOST, rev=number)), 1)
            connection.execute("INSERT INTO friend_before VALUES (?, ?, ?, ?)", row)
    keeper.commit()
    keeper.store.close()
    keeper = open_keeper(run="20260104T000000Z-0004")
    keeper.ask(dialog(2, 1), FRIEND)

    emptied = rows(keeper, "SELECT run_id FROM friend_before WHERE NOT is_whole ORDER BY run_id")

    assert emptied == [("2025-0000",), ("2025-0001",)]


def test_a_persona_comes_back_from_its_text_as_it_was() -> None:
    persona = apply_delta(Persona(HOST, last_run_s=START_S + 0.1), derived_id("d"), dialog(1, 0).delta)

    assert from_json(to_json(persona)) == persona


def test_a_pool_of_version_2_gets_the_tables_on_a_copy(tmp_path: Path, open_keeper: Any, dream: Any) -> None:
    # issue 5: migrations from any earlier schema version, on a copy first
    (tmp_path / "pool").mkdir()
    with closing(sqlite3.connect(tmp_path / POOL, isolation_level=None)) as old:
        schema.migrate(old, 0, schema.MIGRATIONS[:2])

    keeper = open_keeper(tmp_path)
    keeper.dream(dream(1))
    receipt = keeper.ask(dialog(1, 0), FRIEND)

    assert receipt.result == "applied"
    assert (tmp_path / f"{POOL}.v2.bak").is_file()
    assert rows(keeper, "PRAGMA user_version") == [(schema.VERSION,)]


def test_a_new_pool_file_is_for_the_user_alone(keeper: Any) -> None:
    assert (keeper.home / POOL).stat().st_mode & 0o777 == 0o600


def test_an_older_pool_file_that_others_may_read_becomes_the_user_s_alone(open_keeper: Any, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / POOL).touch(0o644)

    open_keeper(tmp_path)

    assert (tmp_path / POOL).stat().st_mode & 0o777 == 0o600
