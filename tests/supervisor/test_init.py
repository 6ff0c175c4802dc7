"""`supervisor init learner` writes what runs as it stands."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli import run_cli

ROOT = Path(__file__).parents[2]


def test_the_example_passes_its_own_conformance_test(tmp_path: Path) -> None:
    assert run_cli(["init", "learner", str(tmp_path / "mine")]) == 0

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "mine"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout


def test_nothing_that_is_there_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "learner.py").write_text("mine")

    assert run_cli(["init", "learner", str(tmp_path)]) == 2

    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "learner.py").read_text() == "mine"
    assert not (tmp_path / "test_learner.py").exists()


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")

    assert run_cli(["init", "learner", str(tmp_path / "file" / "mine")]) == 2

    assert f"{tmp_path / 'file' / 'mine'}: Not a directory; choose another folder" in capsys.readouterr().err


def test_what_is_to_be_typed_next_can_be_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["init", "learner", str(tmp_path / "it's mine")]) == 0

    typed = capsys.readouterr().out.splitlines()[-1].partition(": ")[2]
    assert shlex.split(typed)[-1] == str(tmp_path / "it's mine" / "learner.py")


def test_the_learner_in_the_readme_is_the_example() -> None:
    example = (ROOT / "supervisor" / "example" / "learner.py.txt").read_text(encoding="utf-8")

    assert f"```python\n{example}```" in (ROOT / "README.md").read_text(encoding="utf-8")
