"""The summaries that people read, in Markdown: every number in them stands, written alike, in a JSON file beside them.

In: the documents. Out: `val_summary.md` and `session_summary.md`. Nothing is rounded and nothing is computed here, so
that text and JSON cannot say different things. What is null is a dash, its reason below.
"""

import json
from collections.abc import Iterable, Sequence

from actors.learner.trainer.reports.documents import DreamSummary, TrainSummary, ValidationMetrics
from actors.learner.trainer.validator.findings import Drift, PartFindings, Undefined

RATES = ("precision", "recall", "specificity", "f1", "dice", "auc", "calibration_error", "brier")


def session_summary(summary: TrainSummary) -> bytes:
    """session_summary.md"""
    rows = [
        ("status", summary.status if summary.status == "complete" else f"**partial**: {summary.reason}"),
        ("detail", summary.detail or "-"),
        ("configuration", f"{_plain(summary.name)}, version {_plain(summary.version)}, seed {summary.seed}"),
        ("data", f"{summary.data_source}, {_parts(summary)}"),
        ("model", f"{summary.model}, {summary.parameters} parameters, {summary.backend}"),
        ("optimizer", f"{summary.optimizer}, schedule {summary.optimizer_schedule}, loss {summary.loss}"),
        ("steps", f"{summary.steps} of {summary.steps_total}"),
        ("epochs", f"{summary.epochs} of {summary.epochs_total}"),
        ("train loss", _number(summary.train_loss)),
        ("validation loss", _number(summary.val_loss)),
        ("validation accuracy", _number(summary.val_accuracy)),
        ("test accuracy", _number(summary.test_accuracy)),
        ("best epoch", _best(summary)),
    ]
    hashes = ("config_hash", "dataset_digest", "splits_digest", "log_digest", "weights_sha256")
    rows += [(name.replace("_", " "), f"`{getattr(summary, name)}`") for name in hashes]
    lines = ["# Training session", "", *_table(("what", "value"), rows)]
    if summary.dreams is not None:
        lines += ["", "## Dreams", "", *_dreams(summary.dreams)]
    return _text(lines)


def val_summary(metrics: ValidationMetrics) -> bytes:
    """val_summary.md"""
    lines = ["# Validation", ""]
    if metrics.status == "partial":
        lines += ["**Partial**: the run did not reach its end; the figures are of the weights that it has.", ""]
    lines += [f"Weights `{metrics.weights_sha256}`, splits `{metrics.splits_digest}`."]
    for name, part in (("Validation part", metrics.val), ("Test part", metrics.test)):
        lines += ["", f"## {name}", "", *_part(part)]
    return _text([*lines, "", "## Drift from validation to test", "", *_drift(metrics.drift)])


def _part(part: PartFindings | Undefined) -> list[str]:
    if isinstance(part, Undefined):
        return [f"Not measured: {part.reason}."]
    head = [
        ("examples", str(part.examples)),
        ("accuracy", _number(part.accuracy)),
        ("loss", _number(part.loss)),
        ("calibration error", _number(part.calibration_error)),
        *((f"baseline {row.name.replace('_', ' ')}", _number(row.accuracy)) for row in part.baselines),
        ("beats the baselines", "yes" if part.beats_baselines else "no"),
        ("biased classes", ", ".join(map(_plain, part.biased)) or "none"),
    ]
    rows = [
        (_plain(found.name), str(found.examples), *(_number(getattr(found, name)) for name in RATES))
        for found in part.classes
    ]
    rows.append(("mean", str(part.examples), *(_number(getattr(part.macro, name)) for name in RATES)))
    names = [_plain(found.name) for found in part.classes]
    confusion = [(name, *map(str, row)) for name, row in zip(names, part.confusion, strict=True)]
    reasons = [
        f"- {_plain(found.name)}, {figure}: {reason}"
        for found in part.classes
        for figure, reason in sorted(found.undefined.items())
    ]
    lines = [*_table(("figure", "value"), head), "", *_table(("class", "examples", *RATES), rows)]
    lines += ["", "Confusion, true class down, predicted class across:", ""]
    lines += _table(("true", *names), confusion)
    return lines + (["", "Undefined:", "", *reasons] if reasons else [])


def _drift(drift: Drift | Undefined) -> list[str]:
    if isinstance(drift, Undefined):
        return [f"Not measured: {drift.reason}."]
    rows = [
        (
            _plain(shift.name),
            *map(_number, (shift.recall_before, shift.recall_after, shift.recall_shift, shift.z)),
            "flagged" if shift.is_flagged else "",
        )
        for shift in drift.classes
    ]
    return _table(("class", "recall before", "recall after", "shift", "z", ""), rows)


def _dreams(dreams: DreamSummary) -> list[str]:
    rows = [
        ("query", dreams.query),
        ("beside each batch", str(dreams.per_batch)),
        ("weight of one", _number(dreams.mix)),
        ("pinned", str(dreams.pinned)),
        *((f"left out, {reason}", str(count)) for reason, count in sorted(dreams.left_out.items())),
        ("pool sequence", str(dreams.pool_sequence)),
        ("judged", str(dreams.judged)),
        ("mean utility", _number(dreams.mean_utility)),
        ("pins", f"`{dreams.pins_sha256}`"),
    ]
    return _table(("what", "value"), rows)


def _parts(summary: TrainSummary) -> str:
    return ", ".join(f"{count} {part}" for part, count in summary.samples.items())


def _best(summary: TrainSummary) -> str:
    best = summary.best
    return "-" if best is None else f"{best.epoch} with validation accuracy {_number(best.val_accuracy)}"


def _number(value: float | None) -> str:
    return "-" if value is None else json.dumps(value, allow_nan=False)


def _plain(text: str) -> str:
    """Text that ends no cell of a table."""
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(headings), _row(["---"] * len(headings)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
