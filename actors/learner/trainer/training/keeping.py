"""The folder in which a run keeps its checkpoints: replaced whole or not at all, the last good one always there.

In: a folder, how many to keep, a checkpoint for a step. Out: the newest checkpoint that is whole, and why newer ones
were passed over. A file is written beside its place, made durable and renamed; older ones go only after that. What a
killed writer left behind is cleared away by the next one.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.learner.trainer.training.checkpoint import Checkpoint, CheckpointRefusedError, pack, read
from bus.files import write_atomically

NAME: Final = re.compile(r"step-(\d{10})\.ckpt")
LEFT_BEHIND: Final = ".step-*.ckpt.*.tmp"


@dataclass(frozen=True, slots=True)
class Found:
    """The newest checkpoint that is whole."""

    path: Path | None
    """None where there is none."""
    checkpoint: Checkpoint | None
    passed_over: tuple[CheckpointRefusedError, ...]
    """Newer ones that are not, newest first."""


class Keeping:
    """One folder of checkpoints."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then drop those that are too many; raises OSError and leaves what was there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(LEFT_BEHIND):
            left.unlink(missing_ok=True)
        path = self.folder / f"step-{checkpoint.header.step:010d}.ckpt"
        write_atomically(path, pack(checkpoint))
        for old in self.paths()[self._keep :]:
            if old != path:
                old.unlink(missing_ok=True)
        return path

    def paths(self) -> tuple[Path, ...]:
        """Every checkpoint by its name, newest first; whether they are whole is another question."""
        found = (path for path in self.folder.glob("step-*.ckpt") if NAME.fullmatch(path.name))
        return tuple(sorted(found, key=lambda path: path.name, reverse=True))

    def newest(self) -> Found:
        """The newest that is whole."""
        refused: list[CheckpointRefusedError] = []
        for path in self.paths():
            try:
                return Found(path, read(path), tuple(refused))
            except CheckpointRefusedError as error:
                refused.append(error)
        return Found(None, None, tuple(refused))
