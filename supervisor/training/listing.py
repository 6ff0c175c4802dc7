"""The training runs of a home in a table, and the one that a configuration can go on with.

In: a home. Out: a row a run: what it is, how far it came, what it reached. A manifest that cannot be read is a row that
says so. Runs of the loop are not here: `supervisor record list` has those.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from actors.learner.trainer.reports.documents import TrainSummary
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.tables import draw_table
from supervisor.training.run_folder import TrainingFolder, list_folders
from supervisor.training.run_manifest import DamagedError, TrainingManifest, read_manifest

HEADINGS = ("run", "name", "status", "began", "seed", "steps", "val", "test", "dreams")


@dataclass(frozen=True)
class RunRow:
    """One run."""

    run_id: str
    name: str
    status: str
    """complete, partial, running, killed, removed or damaged"""
    reason: str
    logical_date: str
    seed: int | None
    steps: int | None
    val_accuracy: float | None
    test_accuracy: float | None
    is_dreaming: bool
    config_hash: str
    weights_sha256: str | None

    def tree(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def list_runs(home: Home) -> list[RunRow]:
    """Every training run, oldest first."""
    return [_row(folder) for folder in list_folders(home)]


def draw_runs(rows: Sequence[RunRow]) -> list[str]:
    """The table."""
    if not rows:
        return ["no training run yet: supervisor train digits"]
    cells = [
        (
            row.run_id,
            row.name,
            row.status if row.status != "partial" else f"partial ({row.reason})",
            row.logical_date,
            _cell(row.seed),
            _cell(row.steps),
            _share(row.val_accuracy),
            _share(row.test_accuracy),
            "yes" if row.is_dreaming else "",
        )
        for row in rows
    ]
    return draw_table([HEADINGS, *cells], (0, 1, 2, 3, 8))


def resumable(home: Home, config_hash: str) -> TrainingFolder:
    """The newest run of this configuration that did not reach its end; raises UsageError."""
    complete = ""
    for folder in reversed(list_folders(home)):
        try:
            manifest = read_manifest(folder)
        except DamagedError:
            if folder.run_id.endswith(config_hash[:8]):
                raise
            continue
        if manifest.run.config_hash != config_hash or manifest.envelope.removal is not None:
            continue
        if manifest.result is None or manifest.result.status == "partial":
            return folder
        complete = complete or folder.run_id
    told = f"{complete} of this configuration is complete" if complete else "no run of this configuration and data"
    raise UsageError(f"nothing to resume: {told}; leave --resume out to begin one")


def _row(folder: TrainingFolder) -> RunRow:
    try:
        manifest = read_manifest(folder)
    except DamagedError as error:
        return RunRow(folder.run_id, "", "damaged", error.reason, "", None, None, None, None, False, "", None)
    summary, result = _summary(folder), manifest.result
    meta = manifest.run.config.get("meta")
    return RunRow(
        run_id=folder.run_id,
        name=str(meta.get("name", "")) if isinstance(meta, dict) else "",
        status=_status(folder, manifest),
        reason=result.reason if result is not None else "",
        logical_date=manifest.envelope.logical_date,
        seed=manifest.seed,
        steps=result.steps if result is not None else manifest.envelope.sessions[-1].to_step,
        val_accuracy=summary.val_accuracy if summary is not None else None,
        test_accuracy=summary.test_accuracy if summary is not None else None,
        is_dreaming=manifest.run.pins_sha256 is not None,
        config_hash=manifest.run.config_hash,
        weights_sha256=result.weights_sha256 if result is not None else None,
    )


def _status(folder: TrainingFolder, manifest: TrainingManifest) -> str:
    if manifest.envelope.removal is not None:
        return "removed"
    if folder.is_busy():
        return "running"
    return "killed" if manifest.result is None else manifest.result.status


def _summary(folder: TrainingFolder) -> TrainSummary | None:
    try:
        return TrainSummary.model_validate_json((folder.reports / "train_summary.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _cell(value: int | None) -> str:
    return "-" if value is None else str(value)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
