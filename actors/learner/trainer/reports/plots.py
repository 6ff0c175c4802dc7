"""Plots as PNG, byte for byte the same for the same figures and the same matplotlib (extra `plots`).

In: the documents. Out: name to bytes, or the reason why there are none. The drawing library is asked for nothing but
pixels: no window, no date, no name of a program in the file, its own default style whatever the user has configured.
"""

import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from actors.learner.trainer.reports.documents import MetricRow, TrainingMetrics, ValidationMetrics
from actors.learner.trainer.validator.findings import PartFindings, Undefined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES: Final = ("loss.png", "accuracy.png", "confusion.png", "calibration.png")
INSTALL: Final = "matplotlib is not installed: pip install 'oneiros[plots]'"
DPI: Final = 100
MOST_CELLS: Final = 20
"""Classes up to which the counts are written into the confusion matrix."""


def draw_plots(
    training: TrainingMetrics, validation: ValidationMetrics
) -> tuple[Mapping[str, bytes], Mapping[str, str]]:
    """The plots by file, and the reason for each that is absent."""
    try:
        from matplotlib import rc_context, rcParamsDefault  # noqa: PLC0415 - an extra
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError:
        return {}, dict.fromkeys(NAMES, INSTALL)
    drawn: dict[str, bytes] = {}
    absent: dict[str, str] = {}
    part = validation.test if isinstance(validation.test, PartFindings) else validation.val
    epochs = [row for row in training.rows if row.row == "epoch"]
    with (
        rc_context({key: value for key, value in rcParamsDefault.items() if key != "backend"}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # a sign of a name that the font lacks becomes a box
        for name in NAMES:
            figure = Figure(figsize=(7.0, 4.5), dpi=DPI, layout="tight")
            FigureCanvasAgg(figure)
            reason = _draw(name, figure, epochs, part)
            if reason:
                absent[name] = reason
            else:
                drawn[name] = _png(figure)
    return drawn, absent


def matplotlib_version() -> str:
    """The version that draws; empty without one."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
    except ImportError:
        return ""
    return str(mpl.__version__)


def _draw(name: str, figure: "Figure", epochs: list[MetricRow], part: PartFindings | Undefined) -> str:
    """Draw one plot; the reason why it cannot be, or nothing."""
    axes = figure.add_subplot()
    if name in ("loss.png", "accuracy.png"):
        if not epochs:
            return "no epoch is completed"
        return _loss(axes, epochs) if name == "loss.png" else _accuracy(axes, epochs)
    if isinstance(part, Undefined):
        return part.reason
    return _confusion(axes, part) if name == "confusion.png" else _calibration(axes, part)


def _loss(axes: Any, epochs: list[MetricRow]) -> str:
    axes.plot([row.epoch for row in epochs], [_gap(row.train_loss) for row in epochs], marker="o", label="train")
    axes.plot([row.epoch for row in epochs], [_gap(row.val_loss) for row in epochs], marker="s", label="validation")
    axes.set(xlabel="epoch", ylabel="mean loss", title="Loss")
    axes.legend()
    return ""


def _accuracy(axes: Any, epochs: list[MetricRow]) -> str:
    axes.plot([row.epoch for row in epochs], [_gap(row.val_accuracy) for row in epochs], marker="s")
    axes.set(xlabel="epoch", ylabel="accuracy", title="Validation accuracy", ylim=(0.0, 1.02))
    return ""


def _confusion(axes: Any, part: PartFindings) -> str:
    names = [found.name for found in part.classes]
    axes.imshow(part.confusion, cmap="Blues")
    axes.set(xlabel="predicted class", ylabel="true class", title="Confusion")
    if len(names) <= MOST_CELLS:
        axes.set_xticks(range(len(names)), [_short(name) for name in names], rotation=45, ha="right")
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        top = max(max(row) for row in part.confusion)
        for true, row in enumerate(part.confusion):
            for predicted, count in enumerate(row):
                axes.text(
                    predicted, true, count, ha="center", va="center", color="white" if 2 * count > top else "black"
                )
    return ""


def _calibration(axes: Any, part: PartFindings) -> str:
    shown = [(row.mean_confidence, row.accuracy) for row in part.calibration_bins if row.examples]
    axes.plot((0.0, 1.0), (0.0, 1.0), color="grey", linestyle="--")
    axes.plot([point[0] for point in shown], [point[1] for point in shown], marker="o")
    axes.set(xlabel="confidence", ylabel="accuracy", title="Calibration", xlim=(0.0, 1.0), ylim=(0.0, 1.02))
    return ""


def _gap(value: float | None) -> float:
    return float("nan") if value is None else value


def _short(name: str) -> str:
    """At most 16 characters, printable, with no formula in them."""
    plain = "".join(character if character.isprintable() else "?" for character in name)
    return (plain if len(plain) <= 16 else f"{plain[:15]}~").replace("$", "\\$")


def _png(figure: "Figure") -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()
