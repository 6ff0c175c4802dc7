"""The friend, its keeper and its hosts as processes that are killed and frozen: tables whole, one persona, one replay.

Every promise is of seed 001, sections 7 and 9, and of the dossier's section 5. One house serves them all, in order.
"""

import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bus.codec import decode_body
from schemas.friend import (
    ANSWERS_PATH,
    Answers,
    DialogClose,
    FriendDecline,
    FriendOpen,
    GenerateLine,
    ObserveLine,
    SayLine,
)
from schemas.ids import RunId, derived_id
from schemas.persona import DialogCommit
from supervisor.asking import ask_home
from supervisor.control import Request
from supervisor.home import Home
from supervisor.pool.orders import stage, writing_orders
from supervisor.runs import RunFolder
from tests.system.conftest import House
from tests.system.field_guest import FieldGuest

pytestmark = pytest.mark.system

SETTINGS = (
    "--set=friend.min_interval_s=0",
    "--set=friend.probability=1",
    "--set=friend.max_prompt_echo=1",
    "--set=friend.least_distinct=0",
    "--set=dreamer.rate_hz=0.5",
    "--set=learner.rounds_hz=0.5",
    "--set=supervisor.max_restarts=50",
    "--set=supervisor.backoff_first_s=0.02",
    "--set=supervisor.heartbeat_late_s=60",
)
LINES = ("I am afraid of the silence after the last heartbeat.", "Every dream gets a number from the keeper.")


class Kept(NamedTuple):
    """A persona in the pool."""

    rev: int
    fragments: tuple[tuple[int, str], ...]


class FriendHouse(House):
    """A running house, and the means to disturb it."""

    def ask(self, verb: str, **more: Any) -> Any:
        return ask_home(Home(self.home), Request(verb=verb, **more)).status

    def process(self, name: str) -> int:
        return next(actor.pid for actor in self.ask("status").actors if actor.name == name)

    def freeze(self, name: str) -> int:
        os.kill(self.process(name), signal.SIGSTOP)
        return self.process(name)

    def kill(self, name: str) -> None:
        """Kill -9, and wait until another process is there."""
        killed = self.process(name)
        os.kill(killed, signal.SIGKILL)

        def is_back() -> bool:
            rows = [actor for actor in self.ask("status").actors if actor.name == name]
            return rows[0].state == "ready" and rows[0].pid != killed

        self.until(is_back)

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        with closing(self.pool()) as pool:
            return pool.execute(sql, parameters).fetchall()

    def persona(self, host_id: str) -> Kept:
        rev = self.rows("SELECT value FROM dream_meta WHERE key = ?", f"{host_id}/rev")
        fragments = self.rows(
            "SELECT fragment_id, text FROM dream_bootstrap_fragments WHERE host_id = ? ORDER BY fragment_id", host_id
        )
        return Kept(int(rev[0][0]) if rev else 0, tuple(fragments))

    def holds(self, dialog_id: str) -> bool:
        return bool(self.rows("SELECT 1 FROM dream_dialogs WHERE dialog_key = ?", dialog_id))

    def commits(self, dialog_id: str) -> list[DialogCommit]:
        items = self.said("friend", "pool-keeper", self.runs()[-1])
        said = [decode_body(DialogCommit, item.body) for item in items if item.kind == DialogCommit.kind]
        return [commit for commit in said if isinstance(commit, DialogCommit) and commit.dialog_id == dialog_id]

    def is_whole(self) -> bool:
        """No dialogue without all of its turns, no turn without its dialogue."""
        torn = self.rows(
            "SELECT id FROM dream_dialogs d WHERE finished_at IS NULL OR episodes_count < 3 OR episodes_count !="
            " (SELECT count(*) FROM dream_turns t WHERE t.dialog_id = d.id)"
        )
        return not torn and not self.rows(
            "SELECT 1 FROM dream_turns WHERE dialog_id NOT IN (SELECT id FROM dream_dialogs)"
        )

    def hold(self, guest: FieldGuest) -> str:
        """One whole dialogue that is in the pool; its id."""
        while True:
            guest.offer()
            begun = guest.hear(FriendOpen, FriendDecline)
            if isinstance(begun, FriendOpen):
                break
            assert begun.reason in {"no_state", "no_origin", "busy"}, begun
        closed = guest.serve_until(DialogClose)
        assert closed.is_kept, closed
        self.until(lambda: self.holds(closed.dialog_id))
        return closed.dialog_id

    def say(self, text: str) -> str:
        """What the field answers."""
        say_id = derived_id(text, time.monotonic_ns())
        run = RunFolder(Home(self.home), RunId(self.runs()[-1]))
        with writing_orders(run):
            order = SayLine(say_id=say_id, text=text)
            staged = stage(run, run.read_manifest(), [order], lambda _: None, "friend")
            self.ask("publish", segment=staged.segment)
        answers: list[str] = []

        def is_answered() -> bool:
            file = self.home / ANSWERS_PATH
            found = Answers.model_validate_json(file.read_bytes()).to(say_id) if file.exists() else None
            answers.extend([] if found is None else [found])
            return bool(answers)

        self.until(is_answered)
        return answers[0]


@pytest.fixture(scope="module")
def friendly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FriendHouse]:
    runtime = Path(tempfile.mkdtemp(prefix="oneiros-rt-"))
    house = FriendHouse(tmp_path_factory.mktemp("friend") / "home", runtime)
    house.up(*SETTINGS)
    yield house
    house.stop()
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="module")
def leo(friendly: FriendHouse) -> Iterator[FieldGuest]:
    """A foreign host that has held one dialogue."""
    with closing(FieldGuest(friendly, "leo")) as guest:
        friendly.hold(guest)
        yield guest


def next_builds_on(house: FriendHouse, guest: FieldGuest, before: Kept) -> bool:
    """Whether the next dialogue is that of the persona `before`."""
    (commit,) = house.commits(house.hold(guest))[:1]
    after = house.persona(guest.host_id)
    return commit.base_rev == before.rev and set(before.fragments) <= set(after.fragments)


def test_a_friend_that_is_killed_before_it_declines_is_the_same_afterwards(friendly: FriendHouse, leo: FieldGuest):
    before = friendly.persona("leo")

    friendly.freeze("friend")
    leo.offer()
    friendly.kill("friend")
    answer = leo.hear(FriendOpen, FriendDecline)
    if isinstance(answer, FriendOpen):
        kept = leo.serve_until(DialogClose)
        friendly.until(lambda: friendly.holds(kept.dialog_id))
        before = friendly.persona("leo")._replace(rev=before.rev + 1)

    assert friendly.is_whole()
    assert friendly.persona("leo") == before
    assert next_builds_on(friendly, leo, before)


def test_a_friend_that_is_killed_after_the_second_line_was_asked_for_keeps_nothing_of_it(
    friendly: FriendHouse, leo: FieldGuest
):
    before = friendly.persona("leo")

    leo.offer()
    asked = leo.serve_until(GenerateLine, 2)
    friendly.kill("friend")
    closed = leo.hear(DialogClose)

    assert (closed.dialog_id, closed.reason, closed.is_kept) == (asked.dialog_id, "restarted", False)
    assert not friendly.holds(asked.dialog_id)
    assert friendly.is_whole()
    assert friendly.persona("leo") == before
    assert next_builds_on(friendly, leo, before)


def test_a_friend_that_is_killed_between_the_last_line_and_the_commit_keeps_all_or_nothing(
    friendly: FriendHouse, leo: FieldGuest
):
    before = friendly.persona("leo")

    leo.offer()
    last = leo.serve_until(ObserveLine, 3)
    friendly.freeze("friend")
    leo.serve(last)
    friendly.kill("friend")
    closed = leo.hear(DialogClose)

    assert (closed.dialog_id, closed.is_kept) == (last.dialog_id, False)
    assert not friendly.holds(last.dialog_id)
    assert friendly.is_whole()
    assert friendly.persona("leo") == before
    assert next_builds_on(friendly, leo, before)


def test_a_friend_that_is_killed_after_the_commit_and_before_its_receipt_is_committed_once(
    friendly: FriendHouse, leo: FieldGuest
):
    before = friendly.persona("leo")

    leo.offer()
    leo.serve_until(GenerateLine, 3)
    keeper = friendly.freeze("pool-keeper")
    leo.serve(leo.heard[-1])
    closed = leo.serve_until(DialogClose)
    friendly.kill("friend")
    os.kill(keeper, signal.SIGCONT)
    friendly.until(lambda: friendly.holds(closed.dialog_id))
    after = friendly.persona("leo")

    assert closed.is_kept
    assert [commit.base_rev for commit in friendly.commits(closed.dialog_id)] == [before.rev] * 2
    assert after.rev == before.rev + 1
    assert friendly.is_whole()
    assert next_builds_on(friendly, leo, after)


class Gone(NamedTuple):
    """A host that has left in the middle of a dialogue."""

    guest: FieldGuest
    asked: GenerateLine
    before: Kept


@pytest.fixture(scope="module")
def gone(friendly: FriendHouse) -> Iterator[Gone]:
    """What became of it is looked at when the friend has waited long enough, after other tests."""
    with closing(FieldGuest(friendly, "bob")) as guest:
        friendly.hold(guest)
        before = friendly.persona("bob")
        guest.offer()
        asked = guest.serve_until(GenerateLine, 2)
        yield Gone(guest, asked, before)


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("is_frozen", [True, False], ids=["before it begins", "at any moment of it"])
def test_a_keeper_that_is_killed_in_a_commit_has_stored_all_of_it_once(
    friendly: FriendHouse, leo: FieldGuest, is_frozen: bool
):
    before = friendly.persona("leo")

    leo.offer()
    leo.serve_until(GenerateLine, 3)
    if is_frozen:
        friendly.freeze("pool-keeper")
    leo.serve(leo.heard[-1])
    closed = leo.serve_until(DialogClose)
    friendly.kill("pool-keeper")
    friendly.until(lambda: friendly.holds(closed.dialog_id))
    after = friendly.persona("leo")

    assert after.rev == before.rev + 1
    assert friendly.is_whole()
    assert next_builds_on(friendly, leo, after)


def test_a_frozen_friend_holds_up_no_host_and_goes_on_when_it_thaws(friendly: FriendHouse, leo: FieldGuest):
    before = friendly.persona("leo")

    leo.offer()
    asked = leo.serve_until(GenerateLine, 2)
    frozen = friendly.freeze("friend")
    began = time.monotonic()
    leo.serve(asked)
    said_s = time.monotonic() - began
    with pytest.raises(AssertionError, match="leo heard"):
        leo.hear(ObserveLine, patience_s=0.5)
    os.kill(frozen, signal.SIGCONT)
    closed = leo.serve_until(DialogClose)
    friendly.until(lambda: friendly.holds(closed.dialog_id))

    assert said_s < 0.15
    assert (closed.dialog_id, closed.is_kept) == (asked.dialog_id, True)
    assert friendly.persona("leo").rev == before.rev + 1


def test_two_hosts_at_once_have_dialogues_and_personas_of_their_own(friendly: FriendHouse, leo: FieldGuest):
    ann = FieldGuest(
        friendly, "ann", "The violin was never tuned. Rosin remembers the bow. Silence is its oldest string."
    )
    friendly.hold(ann)
    for guest in (leo, ann):
        guest.offer()
    closed: dict[str, DialogClose] = {}
    while len(closed) < 2:
        for guest in (leo, ann):
            if guest.host_id not in closed:
                message = guest.hear(FriendOpen, GenerateLine, ObserveLine, DialogClose)
                guest.serve(message)
                closed |= {guest.host_id: message} if isinstance(message, DialogClose) else {}
    friendly.until(lambda: all(friendly.holds(each.dialog_id) for each in closed.values()))
    ann.close()
    told = {
        host: " ".join(
            text
            for (text,) in friendly.rows(
                "SELECT t.text FROM dream_turns t JOIN dream_dialogs d ON d.id = t.dialog_id WHERE d.host_id = ?"
                " UNION ALL SELECT text FROM dream_bootstrap_fragments WHERE host_id = ?",
                host,
                host,
            )
        )
        for host in ("leo", "ann")
    }

    assert "of the leo ship" in told["leo"] and "of the ann ship" not in told["leo"] and "violin" not in told["leo"]
    assert "of the ann ship" in told["ann"] and "of the leo ship" not in told["ann"] and "whistle" not in told["ann"]


def test_what_is_said_in_dialogues_is_in_no_log_and_in_no_answer_and_its_files_are_for_the_user_alone(
    friendly: FriendHouse, leo: FieldGuest
):
    answers = [friendly.say(line) for line in LINES]
    friendly.until(lambda: bool(friendly.rows("SELECT 1 FROM dream_dialogs WHERE host_id = 'field'")))
    said = [text for (text,) in friendly.rows("SELECT text FROM dream_turns")]
    logs = [file for file in (friendly.home / "logs").rglob("*") if file.is_file()]
    written = " ".join([*(file.read_text() for file in logs), *answers, friendly.output()])
    files = [*logs, *(friendly.home / "data").glob("friend*"), *(friendly.home / "pool").glob("dream_pool.sqlite*")]

    assert len(said) > 10
    assert not [text for text in [*said, *LINES] if text in written]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.exists()} == {0o600}


def test_a_host_that_goes_in_the_middle_of_a_dialogue_leaves_no_trace(friendly: FriendHouse, gone: Gone):
    closed = gone.guest.hear(DialogClose)

    assert (closed.dialog_id, closed.reason, closed.is_kept) == (gone.asked.dialog_id, "late", False)
    assert not friendly.holds(gone.asked.dialog_id)
    assert friendly.persona("bob") == gone.before


def test_a_run_with_dialogues_and_kills_is_replayed_the_same(friendly: FriendHouse, leo: FieldGuest):
    leo.close()
    assert friendly.run("down").returncode == 0

    replayed = friendly.run("replay", friendly.runs()[-1], "--actor", "friend", "--actor", "pool-keeper")

    assert replayed.returncode == 0 and replayed.stdout.count("identical: ") == 2, replayed.stdout
