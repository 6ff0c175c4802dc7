"""The folders of runs, `home/runs/RUN`: their names, their ordinals, and which of them were closed.

In: a home. Out: run ids that are never used twice, manifests, the last figures, and the mark `closed.json` of a run
whose pool-keeper stored everything. Each file is replaced whole: temp, fsync, rename. A folder without a manifest is
passed over: no process was started for it.
"""

import errno
import re
from datetime import datetime
from pathlib import Path
from typing import Final

from bus.files import write_atomically
from schemas.base import Record
from schemas.ids import RunId
from schemas.manifest import RunManifest
from supervisor.advice import advise
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.stats import Sections

RUN_PATTERN: Final = re.compile(r"^\d{8}T\d{6}Z-(\d{4,})$")


class RunFigures(Record):
    """`figures.json`, the last figures that were seen, and `closed.json`, the final ones of a closed run."""

    run_id: str
    reason: str
    """Why the run was closed; `running` in figures.json."""
    at: str
    """UTC time of writing, ISO 8601."""
    uptime_s: float
    sections: Sections


class RunFolder:
    """The folder of one run."""

    def __init__(self, home: Home, run_id: RunId) -> None:
        self.home = home
        self.run_id = run_id
        self.path = home.runs / run_id

    @property
    def manifest_file(self) -> Path:
        """The frozen description of the run."""
        return self.path / "manifest.json"

    @property
    def epochs_file(self) -> Path:
        """The number of process starts of each instance."""
        return self.path / "epochs.json"

    @property
    def closed_file(self) -> Path:
        """There when the pool-keeper has stored everything that the run said."""
        return self.path / "closed.json"

    @property
    def figures_file(self) -> Path:
        """The last figures of the running run."""
        return self.path / "figures.json"

    @property
    def journal(self) -> Path:
        """The folder of the run's journals, one folder for each instance."""
        return self.home.journal / self.run_id

    @property
    def is_open(self) -> bool:
        """Whether the run was begun and never closed."""
        return self.manifest_file.is_file() and not self.closed_file.exists()

    def write_manifest(self, manifest: RunManifest) -> None:
        """Make the folder and freeze `manifest` in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.manifest_file, manifest.model_dump_json(indent=2).encode() + b"\n")

    def read_manifest(self) -> RunManifest:
        """The manifest; raises OSError, or pydantic.ValidationError for one of an unknown form."""
        return RunManifest.from_json(self.manifest_file.read_bytes())

    def write_figures(self, figures: RunFigures) -> None:
        """Replace the last figures."""
        write_atomically(self.figures_file, figures.model_dump_json(indent=2).encode() + b"\n")

    def close(self, figures: RunFigures) -> None:
        """Mark the run as closed, with its final figures."""
        write_atomically(self.closed_file, figures.model_dump_json(indent=2).encode() + b"\n")

    def last_figures(self) -> RunFigures | None:
        """The final figures, else the last that were seen, else None; a file that cannot be read counts as absent."""
        for file in (self.closed_file, self.figures_file):
            try:
                return RunFigures.model_validate_json(file.read_bytes())
            except (OSError, ValueError):
                continue
        return None


def list_runs(home: Home) -> list[RunFolder]:
    """Every run of `home`, oldest first."""
    if not _is_there(home.runs):
        return []
    found = ((_ordinal_of(entry.name), entry.name) for entry in home.runs.iterdir())
    return [RunFolder(home, RunId(name)) for ordinal, name in sorted(found) if ordinal > 0]


def _is_there(folder: Path) -> bool:
    """Whether there is such a folder; a path that is too long names none. Raises OSError when that cannot be seen."""
    try:
        return folder.is_dir()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def resolve_run(home: Home, text: str) -> RunFolder:
    """The run that `text` names: its id, a unique beginning of it, its ordinal, or `latest`. Raises UsageError."""
    runs = list_runs(home)
    if not runs:
        raise UsageError(f"{home.root} has no recorded run; make one with {advise('up', home.root)}")
    if text == "latest":
        return runs[-1]
    found = (
        [run for run in runs if run.run_id == text]
        or [run for run in runs if text.isdigit() and _ordinal_of(run.run_id) == int(text)]
        or [run for run in runs if run.run_id.startswith(text)]
    )
    if len(found) == 1:
        return found[0]
    known = ", ".join(run.run_id for run in (found or runs)[-5:])
    raise UsageError(f"run {text!r} names {'several runs' if found else 'no run'} of {home.root}; among: {known}")


def next_ordinal(home: Home) -> int:
    """One more than any ordinal that this home has ever used; noted in `runs/ordinal` before it is given out."""
    note = home.runs / "ordinal"
    try:
        noted = int(note.read_text())
    except (OSError, ValueError):
        noted = 0
    seen = max((_ordinal_of(run.run_id) for run in list_runs(home)), default=0)
    ordinal = max(noted, seen) + 1
    write_atomically(note, f"{ordinal}\n".encode())
    return ordinal


def name_run(started_at: datetime, ordinal: int) -> RunId:
    """`YYYYMMDDTHHMMSSZ-NNNN`; `started_at` is in UTC."""
    return RunId(f"{started_at:%Y%m%dT%H%M%SZ}-{ordinal:04d}")


def _ordinal_of(name: str) -> int:
    found = RUN_PATTERN.match(name)
    return int(found.group(1)) if found else 0
