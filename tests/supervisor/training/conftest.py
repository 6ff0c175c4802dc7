"""A small configuration, a home, and the command line that trains there, all in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import run_cli
from supervisor.training.run_folder import TrainingFolder

SMALL = """
[meta]
name = "small"
seed = 5

[data]
source = "digits"
limit = 160

[model]
kind = "mlp"
hidden = 12

[optimizer]
kind = "sgd"
lr = 0.05

[training]
epochs = 2
batch_size = 32

[reports]
plots = false
"""


@dataclass
class Workshop:
    """A home with a configuration beside it."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def write(self, text: str = SMALL, name: str = "small.toml", **changes: str) -> Path:
        """A configuration, in which `old=new` lines are exchanged."""
        for old, new in changes.items():
            text = "\n".join(new if line.startswith(f"{old} =") else line for line in text.splitlines())
        path = self.folder / name
        path.write_text(text)
        return path

    def do(self, *words: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `supervisor train WORDS --home ...`."""
        self.capture.readouterr()
        code = run_cli(["train", *map(str, words), *(["--home", str(self.home)] if words[0] != "keygen" else [])])
        out, error = self.capture.readouterr()
        return code, out, error

    def answer(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """The JSON that a command prints."""
        found, out, error = self.do(*words, "--json")
        assert found == code, (found, out, error)
        tree: dict[str, Any] = json.loads(out)
        return tree

    def train(self, *words: str | Path, code: int = 0) -> tuple[TrainingFolder, dict[str, Any]]:
        """Train, and the folder of the run."""
        tree = self.answer(*(words or (self.write(),)), code=code)
        return TrainingFolder(Path(tree["folder"])), tree


@pytest.fixture
def workshop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)


@pytest.fixture(scope="session")
def stop_after() -> Callable[[int], Callable[[], bool]]:
    """Makes a question that is answered with yes from the n-th time on."""

    def make(count: int) -> Callable[[], bool]:
        asked = 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return asked >= count

        return should_stop

    return make
