"""What a user mistypes is told as a mistake: no number, no home."""

import pytest

from supervisor.cli import run_cli

NUMBERS = (
    ("pool", "list", "--min-coherence"),
    ("friend", "selftest", "--patience"),
    ("record", "prune", "--older-than"),
    ("simulate", "--hours"),
)


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_what_is_not_finite_is_no_number(words, value, capsys) -> None:
    assert run_cli([*words, value]) == 2

    assert words[-1] in capsys.readouterr().err


@pytest.mark.parametrize("words", [("kpi",), ("friend", "declines")], ids=" ".join)
def test_a_home_in_which_nothing_ever_ran_is_a_mistake_and_is_not_made(words, tmp_path, capsys) -> None:
    home = tmp_path / "nowhere"

    assert run_cli([*words, "--home", str(home)]) == 2
    assert "nothing ever ran there" in capsys.readouterr().err
    assert not home.exists()
