"""Facts of the user: one a line, and what is no fact is left out by its number."""

from pathlib import Path

import pytest

from schemas.settings import RunSettings
from supervisor.errors import InputsRefusedError
from supervisor.inputs import PreparedInputs, prepare_inputs
from supervisor.left_out import LeftOut, shorten


def settings(factoids: Path) -> RunSettings:
    return RunSettings(seed=1, images="", factoids=str(factoids), image_side=64, max_images=256)


def facts_of(tmp_path: Path, content: bytes) -> PreparedInputs:
    path = tmp_path / "facts.txt"
    path.write_bytes(content)
    return prepare_inputs(settings(path))


def test_facts_are_lines_without_comments_and_blanks(tmp_path: Path) -> None:
    prepared = facts_of(tmp_path, "\ufeff# colours\n\n  Grass is green. \r\nBlüten sind bunt.".encode())

    assert [factoid.text for factoid in prepared.inputs.factoids] == ["Grass is green.", "Blüten sind bunt."]


def test_lines_that_cannot_be_taken_are_named_by_number(tmp_path: Path) -> None:
    prepared = facts_of(tmp_path, b"Good.\n\xff\xfe\n" + b"x" * 2001 + b"\nGood too.\n")

    assert prepared.left_out.facts == (
        ("facts.txt line 2", "not UTF-8 text"),
        ("facts.txt line 3", "2001 characters, at most 2000 are taken"),
    )
    assert len(prepared.inputs.factoids) == 2


def test_the_same_fact_twice_is_taken_once(tmp_path: Path) -> None:
    assert len(facts_of(tmp_path, b"Grass is green.\nGrass is green.\n").inputs.factoids) == 1


@pytest.mark.parametrize("content", [b"", b"\n\n# nothing\n"])
def test_a_file_without_facts_is_allowed_and_said(tmp_path: Path, content: bytes) -> None:
    prepared = facts_of(tmp_path, content)

    assert prepared.inputs.factoids == ()
    assert "holds no facts" in prepared.warnings[0]


def test_a_facts_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputsRefusedError, match="cannot be read"):
        prepare_inputs(settings(tmp_path))


def test_lines_with_control_characters_are_left_out_and_tabs_are_not(tmp_path: Path) -> None:
    prepared = facts_of(tmp_path, b"Good.\nRed \x1b[31m is red.\nA\ttab.\n")

    assert prepared.left_out.facts == (("facts.txt line 2", "holds control characters"),)
    assert [factoid.text for factoid in prepared.inputs.factoids] == ["Good.", "A\ttab."]


@pytest.mark.parametrize("content", [bytes(range(256)) * 8, "Grass is green.\nSky is blue.\n".encode("utf-16")])
def test_a_file_of_which_most_lines_are_no_text_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputsRefusedError, match="not a text file"):
        facts_of(tmp_path, content)


def test_at_most_five_of_each_kind_are_named_and_the_rest_is_counted() -> None:
    bad = tuple((f"{number}.png", "empty") for number in range(9))
    lines = LeftOut(bad, bad[:6]).lines()

    assert lines[:6] == (*(f"{number}.png: empty" for number in range(5)), "and 4 more pictures")
    assert lines[6:] == (*(f"{number}.png: empty" for number in range(5)), "and 1 more line of facts")
    assert shorten(bad[:5], "picture") == tuple(f"{number}.png: empty" for number in range(5))
