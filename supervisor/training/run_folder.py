"""The folders of training runs, `home/artifacts/training/RUN`: names, contents, and which of them is being worked on.

In: a home, the hash of a configuration, what a user calls a run. Out: folders with the paths of what is in them. A name
is an ordinal and the beginning of the hash, so no clock is in it; it is claimed by making the folder. Refused: a name
that no run has, or several; to work on a run that another process works on.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.advice import advise
from supervisor.errors import UsageError
from supervisor.home import Home

PATTERN: Final = re.compile(r"train-(\d{4,})-[0-9a-f]{8}")
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.path.name

    @property
    def manifest_file(self) -> Path:
        """What the run is, and what came of it; it stays when all else goes."""
        return self.path / MANIFEST

    @property
    def steps_file(self) -> Path:
        """The step log."""
        return self.path / "steps.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def reports(self) -> Path:
        """Folder of the reports."""
        return self.path / "reports"

    @property
    def dreams_file(self) -> Path:
        """The pinned dreams: data, not output; a replay needs them."""
        return self.path / "data" / "dreams.bin"

    @property
    def tokens_file(self) -> Path:
        """The token log, where there is a tokenizer."""
        return self.path / "tokens.jsonl"

    @property
    def feedback_file(self) -> Path:
        """The judgements of dreams."""
        return self.path / "feedback.jsonl"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that works on the run."""
        return self.path / ".lock"

    def is_busy(self) -> bool:
        """Whether a process works on the run."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Work on the run alone; raises UsageError where another process does."""
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another process works on {self.run_id}; wait for it, or end it") from None
            yield
        finally:
            os.close(descriptor)


def training_of(home: Home) -> Path:
    """The folder of all training runs."""
    return home.artifacts / "training"


def splits_cache(home: Home) -> Path:
    """The folder in which splits are kept by the hash of what they follow from."""
    return home.artifacts / "training-splits"


def list_folders(home: Home) -> list[TrainingFolder]:
    """Every training run, oldest first; a folder without a manifest is none yet."""
    with suppress(FileNotFoundError):
        found = [(_ordinal(path.name), path) for path in training_of(home).iterdir()]
        return [TrainingFolder(path) for ordinal, path in sorted(found) if ordinal and (path / MANIFEST).is_file()]
    return []


def claim(home: Home, config_hash: str) -> TrainingFolder:
    """A new folder, with the next ordinal; raises OSError."""
    parent = training_of(home)
    parent.mkdir(parents=True, exist_ok=True)
    ordinal = max((_ordinal(path.name) for path in parent.iterdir()), default=0)
    while True:
        ordinal += 1
        folder = TrainingFolder(parent / f"train-{ordinal:04d}-{config_hash[:8]}")
        with suppress(FileExistsError):
            folder.path.mkdir()
            return folder


def resolve(home: Home, text: str) -> TrainingFolder:
    """The run that `text` names: its id, a beginning of it, its ordinal, `latest`, or a path. Raises UsageError."""
    path = Path(text)
    if "/" in text or path.is_dir() or path.name == MANIFEST:
        folder = path.parent if path.name == MANIFEST else path
        if (folder / MANIFEST).is_file():
            return TrainingFolder(folder.absolute())
        raise UsageError(f"{text}: holds no {MANIFEST} of a training run; `supervisor train list` names the runs")
    runs = list_folders(home)
    if not runs:
        raise UsageError(f"{home.root} has no training run; make one with {advise('train CONFIG', home.root)}")
    if text == "latest":
        return runs[-1]
    found = (
        [run for run in runs if run.run_id == text]
        or [run for run in runs if text.isdigit() and _ordinal(run.run_id) == int(text)]
        or [run for run in runs if run.run_id.startswith(text)]
    )
    if len(found) == 1:
        return found[0]
    known = ", ".join(run.run_id for run in (found or runs)[-5:])
    raise UsageError(f"run {text!r} names {'several runs' if found else 'no run'} of {home.root}; among: {known}")


def _ordinal(name: str) -> int:
    found = PATTERN.fullmatch(name)
    return int(found.group(1)) if found else 0
