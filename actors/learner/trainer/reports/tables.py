"""The rows of a step log as figures, in JSON and CSV alike.

In: rows as the training loop logs them. Out: `TrainingMetrics`, and the CSV of it: one writer of values for both, so
that they cannot differ. A null is an empty cell; numbers are written so that they read back as they were.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from actors.learner.trainer.reports.documents import MetricRow, Status, TrainingMetrics
from actors.learner.trainer.training.step_log import EpochRow, Row, StepRow

MOST_STEPS: Final = 50_000
"""More steps than this stay in the step log alone."""
COLUMNS: Final = tuple(MetricRow.model_fields)


def metrics_of(rows: Sequence[Row], status: Status) -> TrainingMetrics:
    """The figures of `rows`."""
    steps = sum(isinstance(row, StepRow) for row in rows)
    has_steps = steps <= MOST_STEPS
    shown = [row for row in rows if has_steps or isinstance(row, EpochRow)]
    return TrainingMetrics(status=status, rows=tuple(map(_metric, shown)), steps_left_out=0 if has_steps else steps)


def csv_of(metrics: TrainingMetrics) -> bytes:
    """The same rows as CSV with a line of headings (RFC 4180, lines ended by a line feed)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in metrics.rows:
        writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
    return text.getvalue().encode("ascii")


def _metric(row: Row) -> MetricRow:
    held: dict[str, Any] = {name: getattr(row, name, None) for name in COLUMNS}
    if isinstance(row, StepRow):
        return MetricRow.model_construct(**{**held, "row": "step"})
    return MetricRow.model_construct(**{**held, "row": "epoch", "step": row.steps})


def _cell(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, allow_nan=False)
