"""A night that is lived again is the same in everything that it committed to, or says what is not (dossier, R35)."""

import shutil
from typing import Any

import pytest

from schemas.dream_artifact import DreamBlock
from supervisor.nightly.comparing import Compared, held_against, unnamed
from supervisor.nightly.night_text import draw_compared
from tests.actors.nightly_observer.lived_home import DATE, a_home, lived
from tests.night_examples import changed


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[DreamBlock, dict[str, Any]]:
    """A night, and the same one again."""
    root, settings = tmp_path_factory.mktemp("lived"), changed(storage__encrypt=False)
    home = a_home(root / "home")
    report = lived(home, settings)["report"]
    again = lived(home, settings, mode="replay")
    shutil.rmtree(root)
    return DreamBlock.model_validate(report["block"], strict=False), again


def compared(night: tuple[DreamBlock, dict[str, Any]], **replayed: Any) -> Compared:
    block, again = night
    result = {"manifest": again["manifest"], "replay": {**again["replay"], **replayed}}
    return held_against(block, DATE, again["manifest"], result)


def test_the_same_inputs_are_the_same_night(night: tuple[DreamBlock, dict[str, Any]]) -> None:
    found = compared(night)

    assert (found.is_same, found.changed_seeds, found.changed_inputs) == (True, (), ())
    assert draw_compared(found) == [f"night of {DATE}: the same again"]


@pytest.mark.parametrize(
    "other",
    [
        {"content_commits": ["0" * 64]},
        {"inputs_sha256": "0" * 64},
        {"skip_reason": "all_zero"},
        {"seeds": []},
    ],
    ids=str,
)
def test_whatever_differs_is_another_night(night: tuple[DreamBlock, dict[str, Any]], other: dict[str, Any]) -> None:
    found = compared(night, **other)

    assert not found.is_same
    assert bool(found.changed_seeds) == ("seeds" in other)


@pytest.mark.parametrize("word", ["wording", "method"])
def test_other_words_and_other_formulas_are_told_as_such(night: tuple[DreamBlock, dict[str, Any]], word: str) -> None:
    version = {"wording": "renderer_version", "method": "kernel_version"}[word]

    found = compared(night, content_commits=["0" * 64], **{version: "99"})

    assert (found.wording_changed, found.method_changed) == (word == "wording", word == "method")
    assert any(f"{word}_changed" in line for line in draw_compared(found))


def test_the_input_that_changed_is_named(night: tuple[DreamBlock, dict[str, Any]]) -> None:
    block, again = night
    files = [{**file, "sha256": "0"} if file["path"] == "snapshot" else file for file in again["manifest"]]

    found = held_against(block, DATE, files, {"manifest": again["manifest"][1:], "replay": again["replay"]})

    assert found.changed_inputs == tuple(sorted((again["manifest"][0]["path"], "snapshot")))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("logs/refusals/leo.jsonl", "logs/refusals/ (a guest's)"),
        ("journal/R/leo", "journal/R/ (a guest's)"),
        ("logs/refusals/dreamer.jsonl", "logs/refusals/dreamer.jsonl"),
        ("journal/R/learner-2", "journal/R/learner-2"),
        ("snapshot", "snapshot"),
    ],
)
def test_a_replay_names_no_guest(path: str, shown: str) -> None:
    assert unnamed(path) == shown
