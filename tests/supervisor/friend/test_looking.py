"""What the user sees of a friend when nothing runs: why it spoke, what it is made of, how it drifts, why it did not."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from schemas.ids import RunId, derived_id
from schemas.persona import Drift, NewFragment, PauseNoted
from supervisor.cli import run_cli
from supervisor.friend.looking import sharpest_fall
from supervisor.home import Home
from supervisor.runs import RunFigures, RunFolder
from tests.actors.pool_keeper.conftest import Keeper
from tests.friend_examples import START_S, commit

SHARES = (1.0, 0.9, 0.8, 0.75)


def dialog_id(number: int) -> str:
    return derived_id("dialog", number)


class Stopped:
    """A home without a supervisor, in whose pool the friend of `field` has spoken."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = Home(root)
        self.home.create()
        self._capsys = capsys
        self._keeper = Keeper(root)

    def speak(self, shares: tuple[float, ...], host: str = "field") -> None:
        """A dialogue for each share of the origin."""
        for number, share in enumerate(shares):
            plain = commit(dialog_id(number), host_id=host, base_rev=number)
            adopted = NewFragment(text=f"Adopted lantern number {number}.", weight=0.3, turn=1)
            drift = Drift(
                rev=number + 1,
                origin_share=share,
                lexical_distance=None if number == 0 else 0.5,
                turnover=None,
                effective_fragments=float(24 + number),
            )
            delta = plain.delta.model_copy(update={"adopted": (adopted,)})
            facts = plain.facts.model_copy(update={"started_s": START_S + number})
            said = plain.model_copy(update={"delta": delta, "drift": drift, "facts": facts})
            assert self._keeper.ask(said, "friend").result == "applied"

    def pause(self, reason: str) -> None:
        self._keeper.say(PauseNoted(host_id="field", reason=reason), "friend")
        self._keeper.commit()

    def figures(self, ordinal: int, **section: int) -> None:
        """A closed run with these figures of the friend; `declined_X` stands for declined.X."""
        run_id = f"20260101T00000{ordinal}Z-000{ordinal}"
        run = RunFolder(self.home, RunId(run_id))
        run.path.mkdir(parents=True)
        named = {name.replace("declined_", "declined."): value for name, value in section.items()}
        run.close(RunFigures(run_id=run_id, reason="done", at="", uptime_s=1.0, sections={"friend": named}))

    def ask(self, *words: str) -> tuple[int, str, str]:
        code = run_cli([*words[:2], "--home", str(self.home.root), *words[2:]])
        return (code, *self._capsys.readouterr())

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        found, out, err = self.ask("friend", *words, "--json")
        assert found == code, err
        return json.loads(out)


@pytest.fixture
def stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stopped:
    return Stopped(tmp_path / "home", capsys)


def test_dialogues_are_listed_newest_first_a_page_at_a_time_with_their_reasons(stopped) -> None:
    stopped.speak(SHARES)

    page = stopped.told("dialogs", "--size", "3", "--page", "2")
    _, text, _ = stopped.ask("friend", "dialogs")

    assert (page["total"], page["pages"], [row["id"] for row in page["dialogs"]]) == (4, 2, [dialog_id(0)])
    (row,) = page["dialogs"]
    facts = commit(dialog_id(0), host_id="field", base_rev=0).facts
    assert row["gates"] == list(facts.gates) and (row["dice"], row["probability"]) == (facts.dice, facts.probability)
    assert row["why"] in text and all(gate in row["why"] for gate in facts.gates)


def test_a_dialogue_is_found_by_id_beginning_or_number_and_shows_what_was_adopted(stopped) -> None:
    stopped.speak(SHARES)

    shown = [stopped.told("show", text) for text in (dialog_id(1), dialog_id(1)[:8], "2")]
    code, out, err = stopped.ask("friend", "show", "nothing")
    _, text, _ = stopped.ask("friend", "show", "2")

    assert shown[0] == shown[1] == shown[2]
    turns = commit(dialog_id(1), host_id="field", base_rev=1).turns
    assert [turn["text"] for turn in shown[0]["turns"]] == [turn.text for turn in turns]
    assert [turn["adopted_as"] is None for turn in shown[0]["turns"]] == [at != 1 for at in range(len(turns))]
    assert (code, out) == (2, "") and "'nothing'" in err and "friend dialogs" in err
    assert all(turn.text in text for turn in turns)


def test_the_card_says_where_each_fragment_is_from_and_why_the_friend_is_silent(stopped) -> None:
    stopped.speak(SHARES)
    stopped.pause("prompt_echo 0.310 is above 0.2")

    card = stopped.told("card")
    _, text, _ = stopped.ask("friend", "card")

    adopted = [each for each in card["fragments"] if not each["is_origin"]]
    assert card["paused"] == "prompt_echo 0.310 is above 0.2" and card["paused"] in text
    assert {each["dialog_id"] for each in adopted} <= {dialog_id(number) for number in range(4)}
    assert [each["age"] for each in sorted(adopted, key=lambda each: each["id"])][-1] == 0
    assert card["origin_fragments"] + card["adopted_fragments"] == len(card["fragments"]) and adopted
    assert [each["weight"] for each in card["fragments"]] == sorted(
        (each["weight"] for each in card["fragments"]), reverse=True
    )


def test_the_drift_is_told_and_drawn(stopped, tmp_path) -> None:
    stopped.speak(SHARES)
    picture = tmp_path / "drift.png"

    history = stopped.told("drift", "--png", str(picture))
    again, _, err = stopped.ask("friend", "drift", "--png", str(picture))

    assert [point["origin_share"] for point in history["points"]] == list(SHARES)
    assert [point["lexical_distance"] for point in history["points"]] == [None, 0.5, 0.5, 0.5]
    assert history["sharpest_fall"] == pytest.approx(0.25) and history["alarm"] is None
    with Image.open(picture) as image:
        assert image.size == (960, 540)
    assert again == 2 and "--force" in err


@pytest.mark.parametrize(
    ("shares", "words"),
    [((1.0, 0.9, 0.4), "fell by 0.600"), ((0.3, 0.25, 0.19), "0.190, below 0.2")],
)
def test_a_cliff_is_a_finding(shares, words, stopped) -> None:
    stopped.speak(shares)

    assert words in stopped.told("drift", code=1)["alarm"]


@pytest.mark.parametrize(
    ("shares", "fall"),
    [
        ([], None),
        ([1.0], None),
        ([0.5, 0.75, 1.0], 0.0),
        ([1.0, *[0.9] * 9, 0.25], 0.75),
        ([1.0, *[0.9] * 10, 0.25], 0.65),
    ],
)
def test_a_fall_is_looked_for_within_eleven_dialogues(shares, fall) -> None:
    assert sharpest_fall(shares) == (fall if fall is None else pytest.approx(fall))


def test_declines_are_summed_over_the_runs_that_had_a_friend(stopped) -> None:
    stopped.figures(1, declined_gate=3, declined_dice=2, dialogs_opened=2, dialogs_kept=1, dialogs_abandoned=1)
    stopped.figures(2, declined_gate=4, dialogs_opened=1, dialogs_kept=1)

    declines = stopped.told("declines")
    _, text, _ = stopped.ask("friend", "declines")

    assert declines["declined"] == {"dice": 2, "gate": 7}
    assert (declines["moments"], declines["opened"], declines["kept"], declines["abandoned"]) == (12, 3, 2, 1)
    assert [row["declined"] for row in declines["runs"]] == [{"dice": 2, "gate": 3}, {"gate": 4}]
    assert set(declines["meaning"]) == {"dice", "gate"} and "0.35 to 0.55" in declines["meaning"]["gate"]
    assert "12 moments in 2 runs" in text


def test_an_empty_home_says_so(stopped) -> None:
    asked = {what: stopped.ask("friend", what) for what in ("dialogs", "card", "drift", "declines")}

    assert {what: code for what, (code, _, _) in asked.items()} == dict.fromkeys(asked, 0)
    assert "not spoken yet" in asked["dialogs"][1] and "not spoken yet" in asked["drift"][1]
    assert "no moment" in asked["declines"][1]


def test_a_home_without_a_pool_is_a_mistake_of_the_user(tmp_path, capsys) -> None:
    codes = [
        run_cli(["friend", what, "--home", str(tmp_path / "none"), *more])
        for what, *more in (["dialogs"], ["card"], ["drift"], ["show", "1"])
    ]

    assert codes == [2, 2, 2, 2]
    assert "supervisor up" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [("friend", "pause"), ("friend", "forget", "1"), ("friend", "selftest"), ("talk", "--say=hello")],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_needs_a_running_friend_says_so(words, tmp_path, capsys) -> None:
    code = run_cli([*words, "--home", str(tmp_path)])

    assert code == 3
    assert "supervisor up" in capsys.readouterr().err


def test_a_host_that_nobody_knows_is_a_mistake_of_the_user(stopped) -> None:
    code, out, err = stopped.ask("friend", "card", "--host", "leo")

    assert (code, out) == (2, "") and "'leo'" in err


def test_an_export_is_for_the_user_alone(stopped, tmp_path) -> None:
    stopped.speak(SHARES)
    file = tmp_path / "dialogs.jsonl"

    code, _, err = stopped.ask("friend", "export", "--output", str(file))

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert code == 0, err
    assert file.stat().st_mode & 0o777 == 0o600
    assert [line["dialog"]["id"] for line in lines] == [dialog_id(number) for number in range(4)]
    assert lines[0] == stopped.told("show", "1")
