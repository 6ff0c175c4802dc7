"""The report of an experiment: one object, as JSON, as Markdown and as a picture, in a folder of its own.

In: what an experiment found. Out: `report.json`, `report.md` and `report.png`, each replaced whole. The folder is named
by experiment, settings and seeds, so that the same question has the same place, and the same answer the same bytes.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final, Protocol

from bus.files import write_atomically
from supervisor.errors import FolderRefusedError
from supervisor.experiments.charting import Chart, draw_chart

FOLDER: Final = "experiments"
TAG_LENGTH: Final = 8


class Report(Protocol):
    """What every experiment gives."""

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""

    def markdown(self) -> str:
        """As text for people."""

    def chart(self) -> Chart:
        """As a picture."""


@dataclass(frozen=True)
class Question:
    """What was asked: it names the folder and stands at the head of the report."""

    experiment: str
    config_sha256: str
    first_seed: int
    seeds: int

    @property
    def folder_name(self) -> str:
        """Name of the folder."""
        last = self.first_seed + self.seeds - 1
        return f"{self.experiment}-seeds-{self.first_seed}-{last}-{self.config_sha256[:TAG_LENGTH]}"


@contextmanager
def prepared_folder(folder: Path) -> Iterator[None]:
    """`folder` for a report, tried before any work is done for it; it goes again when none was written.

    Raises FolderRefusedError.
    """
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _refused(folder, error) from error
    try:
        yield
    finally:
        if not was_there:
            with suppress(OSError):
                folder.rmdir()  # one that holds a report stays


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write the three files; raises FolderRefusedError naming the folder that cannot be used."""
    contents = {
        "report.json": (json.dumps(report.tree(), indent=2) + "\n").encode(),
        "report.md": report.markdown().encode(),
        "report.png": draw_chart(report.chart()),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise _refused(folder, error) from error
    return tuple(folder / name for name in contents)


def _refused(folder: Path, error: OSError) -> FolderRefusedError:
    return FolderRefusedError(str(folder), error.strerror or str(error), "choose another folder with --out")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows)]
    return [*lines, ""]


def seeds_text(seeds: Sequence[int], is_complete: bool) -> str:
    """Which seeds the figures are of."""
    text = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return text if is_complete else f"{len(seeds)} seeds ({', '.join(map(str, seeds))}); interrupted before the others"
