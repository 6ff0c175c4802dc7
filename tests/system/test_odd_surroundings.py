"""One run with picture names that are no UTF-8, on a terminal that knows ASCII alone, with few open files."""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from supervisor.checks import LEAST_OPEN_FILES
from supervisor.inputs import SAMPLE

NAME = os.fsdecode(b"caf\xe9")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ON_DISK = README.partition("## What is on disk")[2].partition("\n## ")[0]
TOLD_IN_OTHER_WORDS = {"ordinal", "pinned", "pruned.json"}
"""Files of `runs/` that nobody looks for."""


@dataclass
class Run:
    """A run that is over."""

    home: Path
    environment: dict[str, str]
    code: int
    said: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder, runtime = tmp_path_factory.mktemp("odd"), tempfile.mkdtemp(prefix="oneiros-rt-")
    pictures = folder / "pictures"
    pictures.mkdir()
    for number, path in enumerate(sorted((SAMPLE / "pictures").iterdir())):
        shutil.copy(path, pictures / f"{NAME}{number}{path.suffix}")
    (pictures / f"broken-{NAME}-\N{GREEK SMALL LETTER LAMDA}.png").write_bytes(b"broken")
    environment = {**os.environ, "XDG_RUNTIME_DIR": runtime, "PYTHONIOENCODING": "ascii:strict"}
    options = ("--home", str(folder / "home"), "--images", str(pictures), "--until-profiles", "1", "--for", "30")
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.cli", "up", *options, "--set=dreamer.rate_hz=60"],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_OPEN_FILES, LEAST_OPEN_FILES)),
    )
    yield Run(folder / "home", environment, done.returncode, (done.stdout + done.stderr).decode("ascii", "replace"))
    shutil.rmtree(runtime, ignore_errors=True)


def test_the_least_number_of_open_files_that_doctor_passes_is_enough(run: Run) -> None:
    assert run.code == 0, run.said


def test_a_terminal_without_the_characters_shows_their_numbers(run: Run) -> None:
    assert r"left out: broken-caf\xe9-\u03bb.png" in run.said
    assert "Traceback" not in run.said


@pytest.mark.parametrize("text", [f"{NAME}0.png", f"{NAME}0"], ids=["name", "beginning"])
def test_a_picture_whose_name_is_no_utf8_is_traced_by_its_name(run: Run, text: str) -> None:
    command = [sys.executable, "-m", "supervisor.cli", "trace", text, "--home", str(run.home)]

    done = subprocess.run(command, env=run.environment, capture_output=True, text=True, timeout=60, check=False)

    assert r"picture caf\xe90.png" in done.stdout, done.stderr


def test_the_readme_names_everything_that_lies_in_a_home(run: Run) -> None:
    entries = {path.name for path in run.home.iterdir()} | {path.name for path in run.home.glob("runs/*/*")}
    named = set(re.findall(r"[\w.]+", ON_DISK))

    assert entries - named - TOLD_IN_OTHER_WORDS == set()
