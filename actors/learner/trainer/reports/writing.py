"""Writes the reports of a run into one folder, each file whole or not at all, the manifest with their hashes last.

In: the summary, the rows, the validation, a signer or none. Out: the files and a `ReportManifest`; `render` gives the
same bytes without writing, for a replay. Files of an earlier state of the run that are not part of this one are removed
before the manifest names the new ones. Nothing here asks for the time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.learner.trainer.reports.documents import (
    ReportFile,
    ReportManifest,
    TrainSummary,
    ValidationMetrics,
    canonical,
)
from actors.learner.trainer.reports.plots import NAMES, draw_plots
from actors.learner.trainer.reports.signing import NO_KEY, Signer
from actors.learner.trainer.reports.tables import csv_of, metrics_of
from actors.learner.trainer.reports.texts import session_summary, val_summary
from actors.learner.trainer.training.step_log import Row
from bus.files import write_atomically

MANIFEST: Final = "report_manifest.json"
SIGNATURE: Final = "report_manifest.sig.json"
NOT_WANTED: Final = "reports.plots is false"
NOT_YET: Final = "plots are drawn when a run ends"


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that a run has to say."""

    summary: TrainSummary
    rows: Sequence[Row]
    validation: ValidationMetrics


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files as bytes, and the reasons for those that are absent."""

    files: Mapping[str, bytes]
    absent: Mapping[str, str]


def render(told: Told, no_plots: str = "") -> Rendered:
    """Every file but the manifest; `no_plots` is why none are to be drawn."""
    metrics = metrics_of(told.rows, told.summary.status)
    files = {
        "session_summary.md": session_summary(told.summary),
        "train_summary.json": canonical(told.summary),
        "training_metrics.csv": csv_of(metrics),
        "training_metrics.json": canonical(metrics),
        "val_summary.md": val_summary(told.validation),
        "validation_metrics.json": canonical(told.validation),
    }
    absent: Mapping[str, str] = dict.fromkeys(NAMES, no_plots)
    if not no_plots:
        drawn, absent = draw_plots(metrics, told.validation)
        files.update(drawn)
    return Rendered(dict(sorted(files.items())), absent)


def write_reports(folder: Path, told: Told, signer: Signer | None, no_plots: str = "") -> ReportManifest:
    """Replace the reports in `folder`; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    rendered = render(told, no_plots)
    for name, content in rendered.files.items():
        write_atomically(folder / name, content)
    for name in (SIGNATURE, *rendered.absent):
        (folder / name).unlink(missing_ok=True)
    manifest = ReportManifest(
        status=told.summary.status,
        config_hash=told.summary.config_hash,
        weights_sha256=told.summary.weights_sha256,
        files={name: file_of(content) for name, content in rendered.files.items()},
        absent=dict(rendered.absent),
        is_signed=signer is not None,
        unsigned_reason="" if signer is not None else NO_KEY,
    )
    content = canonical(manifest)
    write_atomically(folder / MANIFEST, content)
    if signer is not None:
        write_atomically(folder / SIGNATURE, canonical(signer.sign(content)))
    return manifest


def file_of(content: bytes) -> ReportFile:
    """Size and SHA-256 of `content`."""
    return ReportFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
