"""Takes old runs away, by the day on which they began: everything but the manifest, which says what it took and why.

In: a home, the day that it is. Out: what was removed. A run stays for `reports.keep_days` days and goes on the day
after; of a run with 90, one that is 90 days old is kept. The new manifest is what removes: it is written first and
whole, and what is left behind by a killed removal is taken by the next one. Kept whatever their age: a run that a
process works on, and one whose manifest cannot be read, which is named.
"""

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from supervisor.home import Home
from supervisor.training.run_folder import TrainingFolder, list_folders
from supervisor.training.run_manifest import (
    DamagedError,
    Removal,
    TrainingManifest,
    read_manifest,
    sealed,
    write_manifest,
)


@dataclass
class Removed:
    """What a round of retention did, or would do."""

    as_of: str
    runs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        return {"as_of": self.as_of, "removed": self.runs, "faults": self.faults}


def prune(home: Home, as_of: date, is_dry: bool = False) -> Removed:
    """Remove what is too old on `as_of`; raises OSError."""
    found = Removed(as_of.isoformat())
    for folder in list_folders(home):
        try:
            manifest = read_manifest(folder)
            age, keep = _age_days(manifest, as_of), _keep_days(manifest)
        except (DamagedError, ValueError) as error:
            found.faults.append(str(error))
            continue
        if manifest.envelope.removal is not None:
            _clear(folder)
        elif age > keep and not folder.is_busy():
            found.runs.append(folder.run_id)
            if not is_dry:
                _remove(folder, manifest, as_of, f"{age} days old, kept for {keep}")
    return found


def _remove(folder: TrainingFolder, manifest: TrainingManifest, as_of: date, reason: str) -> None:
    files = {
        str(path.relative_to(folder.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path not in (folder.manifest_file, folder.lock_file)
    }
    removal = Removal(date=as_of.isoformat(), reason=reason, files=files)
    envelope = manifest.envelope.model_copy(update={"removal": removal})
    with folder.held():
        write_manifest(folder, sealed(manifest.run, manifest.result, envelope))
        _clear(folder)


def _clear(folder: TrainingFolder) -> None:
    """Remove everything but the manifest."""
    for path in sorted(folder.path.iterdir()):
        if path != folder.manifest_file:
            _remove_path(path)


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _age_days(manifest: TrainingManifest, as_of: date) -> int:
    return (as_of - date.fromisoformat(manifest.envelope.logical_date)).days


def _keep_days(manifest: TrainingManifest) -> int:
    reports = manifest.run.config.get("reports")
    keep = reports.get("keep_days") if isinstance(reports, dict) else None
    if not isinstance(keep, int):
        raise ValueError(f"{manifest.envelope.run_id}: its configuration does not say for how long it is kept")
    return keep
