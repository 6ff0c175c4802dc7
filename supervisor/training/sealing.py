"""The result of a session as the manifest keeps it: every hash that a replay has to find again.

In: the folder, the summary and the manifest of the reports. Out: `RunResult`. The last checkpoint counts, for how many
older ones are kept is a matter of when a run was stopped.
"""

import hashlib

from actors.learner.trainer.reports.documents import ReportManifest, TrainSummary, canonical
from actors.learner.trainer.training.keeping import Keeping
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import RunResult


def result_of(
    folder: TrainingFolder, summary: TrainSummary, reports: ReportManifest, feedback_sha256: str | None
) -> RunResult:
    """What came of the run; raises OSError."""
    found = Keeping(folder.checkpoints, 1).newest()
    is_last = found.checkpoint is not None and found.checkpoint.header.step == summary.steps
    return RunResult(
        status=summary.status,
        reason=summary.reason,
        detail=summary.detail,
        steps=summary.steps,
        log_digest=summary.log_digest,
        log_rows=summary.log_rows,
        weights_sha256=summary.weights_sha256,
        feedback_sha256=feedback_sha256,
        checkpoint=found.path.name if found.path is not None and is_last else "",
        checkpoint_sha256=hashlib.sha256(found.path.read_bytes()).hexdigest() if found.path and is_last else None,
        reports={name: file.sha256 for name, file in reports.files.items()},
        report_manifest_sha256=hashlib.sha256(canonical(reports)).hexdigest(),
    )
