"""The judgements of a run's dreams on disk: a line for each, durable before the epoch that they are of begins.

In: judgements in order. Out: `feedback.jsonl` of canonical lines, and the judgements of the first epochs of it. A
resumed run writes the file anew from those that still hold. Refused: a line that is no judgement.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from actors.learner.trainer.dreaming.judging import Judgement
from bus.files import write_atomically
from supervisor.training.run_manifest import DamagedError


class FeedbackFile:
    """Appends to one file."""

    def __init__(self, path: Path, kept: Sequence[Judgement]) -> None:
        """Begin with the judgements that still hold; raises OSError."""
        write_atomically(path, _lines(kept))
        self._file = path.open("ab")

    def add(self, judgements: Sequence[Judgement]) -> None:
        """Write and make durable; raises OSError."""
        self._file.write(_lines(judgements))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Leave the file whole."""
        self._file.close()


def read_feedback(path: Path, epochs: int | None = None) -> list[Judgement]:
    """The judgements of the first `epochs` epochs, or all; none where there is no file. Raises DamagedError."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            judgement = Judgement(**json.loads(line))
            is_whole = judgement.line().encode("ascii") == line
        except (ValueError, TypeError) as error:
            raise DamagedError(path.name, f"line {number} is no judgement of a dream ({error})") from error
        if not is_whole:
            raise DamagedError(path.name, f"line {number} is not in canonical form")
        if epochs is None or judgement.epoch < epochs:
            found.append(judgement)
    return found


def _lines(judgements: Sequence[Judgement]) -> bytes:
    return "".join(f"{row.line()}\n" for row in judgements).encode("ascii")
