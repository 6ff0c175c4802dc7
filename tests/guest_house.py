"""What tests of guests share: a virtual environment that has a client's needs alone, and the example learner in it."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDS = (
    "annotated-types",
    "msgpack",
    "numpy",
    "pydantic",
    "pydantic-core",
    "pyzmq",
    "typing-extensions",
    "typing-inspection",
)
"""What `pip install pyzmq msgpack numpy pydantic` brings."""
OURS = ("bus", "schemas")


@dataclass(frozen=True)
class Dwelling:
    """A folder with an interpreter of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def environment(self, seat: str) -> dict[str, str]:
        """Of a process in `seat`; nothing of this repository but its two packages."""
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder / "ours"), "ONEIROS_SEAT": seat}

    def start(self, seat: str, *words: str) -> subprocess.Popen[str]:
        """Run a script of this folder in `seat`."""
        return subprocess.Popen(
            [self.python, *words],
            cwd=self.folder,
            env=self.environment(seat),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def furnish(folder: Path, files: Mapping[str, str], ours: Sequence[str] = OURS) -> Dwelling:
    """A virtual environment in `folder` that has a client's needs and nothing else; beside it `files` and `ours`."""
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=60)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    for name in NEEDS:
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (site / top).exists():
                (site / top).symlink_to(Path(distribution(name).locate_file(top)))
    (folder / "ours").mkdir()
    for package in ours:
        (folder / "ours" / package).symlink_to(ROOT / package)
    for name, text in files.items():
        (folder / name).write_text(text)
    return Dwelling(folder)


def example(name: str) -> str:
    """A file of `supervisor init learner`."""
    return (ROOT / "supervisor" / "example" / f"{name}.txt").read_text(encoding="utf-8")
