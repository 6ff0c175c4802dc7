"""Twenty turns of talk: the friend speaks now and then, says why, and nobody who talks sees anything of it."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import House

pytestmark = pytest.mark.system

QUIET = ("--set=dreamer.rate_hz=2", "--set=learner.rounds_hz=1", "--set=friend.min_interval_s=0")
TURNS = 20
LINES = (
    "Who are you, and what do you remember?",
    "My heart is broken and I am afraid of the storm!",
    "The lamp by the window was left burning all night.",
    "Do the keepers write down what the sea forgets?",
    "I learned a new word today, and the word was estuary.",
)


def friend(house, *words: str) -> subprocess.CompletedProcess[str]:
    return house.run(f"friend {words[0]}", *words[1:])


def told(house, *words: str) -> dict[str, object]:
    done = friend(house, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for them all, in order."""
    runtime = Path(tempfile.mkdtemp(prefix="oneiros-rt-"))
    house = House(tmp_path_factory.mktemp("talk") / "home", runtime)
    house.up(*QUIET)
    yield house
    house.stop()
    shutil.rmtree(runtime, ignore_errors=True)


def test_twenty_turns_speak_at_the_gated_rate_and_show_nothing_of_the_friend(house, tmp_path) -> None:
    said = [f"{LINES[number % len(LINES)]} {number}" for number in range(TURNS)]

    done = house.run("talk", *(f"--say={text}" for text in said))
    house.until(lambda: told(house, "declines")["moments"] == TURNS)
    declines, dialogs = told(house, "declines"), told(house, "dialogs", "--size", "100")["dialogs"]
    exported = tmp_path / "dialogs.jsonl"
    friend(house, "export", "--output", str(exported))
    shown = [json.loads(line) for line in exported.read_text().splitlines()][::-1]
    first = told(house, "show", dialogs[0]["id"][:8])

    # one answer for each line, and nothing else
    screen = done.stdout.splitlines()
    assert [line.removeprefix("> ") for line in screen[::2]] == said
    assert len(screen) == 2 * TURNS and all(screen[1::2]) and done.stderr == ""
    # each moment ended in one way, about three open gates in ten in a dialogue
    opened = declines["opened"]
    eligible = opened + declines["declined"].get("dice", 0)
    assert opened + sum(declines["declined"].values()) == TURNS and eligible >= TURNS // 2
    assert set(declines["meaning"]) == set(declines["declined"]) <= {"gate", "dice", "busy"}
    assert 0.05 <= opened / eligible <= 0.6
    assert len(dialogs) == declines["kept"] == opened >= 1
    assert first == shown[0] and exported.stat().st_mode & 0o077 == 0
    # each dialogue is whole, and says why it ran
    for row, details in zip(dialogs, shown, strict=True):
        assert details["dialog"] == row and row["turns"] == len(details["turns"]) in (3, 4)
        assert row["gates"] and set(row["gates"]) <= {"trauma", "novelty", "quality"}
        assert 0.0 <= row["dice"] < row["probability"] == 0.3
        assert [turn["speaker"] for turn in details["turns"]] == ["leo", "friend", "leo", "friend"][: row["turns"]]
    # no line of a dialogue is in a log or on the supervisor's screen, and its files are the user's alone
    logs = house.output() + "".join(
        path.read_text(errors="replace") for path in (house.home / "logs").rglob("*") if path.is_file()
    )
    lines = [turn["text"] for details in shown for turn in details["turns"]]
    assert [line for line in lines if line in logs] == []
    for name in ("friend_field.msgpack", "friend_answers.json"):
        assert (house.home / "data" / name).stat().st_mode & 0o077 == 0


def test_a_dialogue_that_is_only_tried_comes_to_its_end_and_leaves_none(house) -> None:
    before = told(house, "dialogs")["total"]

    tested = friend(house, "selftest", "--json")

    assert tested.returncode == 0 and json.loads(tested.stdout)["turns"] in (3, 4)
    assert told(house, "dialogs")["total"] == before


def test_the_friend_is_paused_and_forgets_and_the_user_may_pipe(house) -> None:
    before = told(house, "dialogs")["dialogs"]
    paused, forgot = friend(house, "pause"), friend(house, "forget", before[0]["id"])
    house.run("talk", "--say=My heart is whole!", "--say=The storm is over!")
    house.until(lambda: told(house, "declines")["declined"].get("disabled") == 2)
    card = told(house, "card")
    resumed = friend(house, "pause", "--off")
    piped = house.run("talk", "--json", said="who are you?\n\n  \nwhat is the sea?")
    too_long = house.run("talk", "--say", "x" * 9000)

    assert (paused.returncode, forgot.returncode, resumed.returncode) == (0, 0, 0)
    assert card["paused"] == "paused by the user"
    assert [turn["said"] for turn in json.loads(piped.stdout)["turns"]] == ["who are you?", "what is the sea?"]
    assert all(turn["answer"] for turn in json.loads(piped.stdout)["turns"])
    assert (too_long.returncode, too_long.stdout) == (2, "") and "9000 characters" in too_long.stderr
    kept = [each["id"] for each in told(house, "dialogs")["dialogs"]]
    assert before[0]["id"] not in kept and {each["id"] for each in before[1:]} <= set(kept)


def test_all_of_it_can_be_looked_at_when_nothing_runs_and_is_replayed_the_same(house) -> None:
    running = told(house, "dialogs")["dialogs"]
    house.stop()

    replayed = house.run("replay", "latest", "--actor", "friend", "--actor", "pool-keeper")

    assert told(house, "dialogs")["dialogs"] == running
    assert told(house, "card")["paused"] is None
    assert told(house, "declines")["declined"]["disabled"] == 2
    assert {point["dialog_id"] for point in told(house, "drift")["points"]} == {each["id"] for each in running}
    assert replayed.returncode == 0 and replayed.stdout.count("identical: ") == 2, replayed.stdout
