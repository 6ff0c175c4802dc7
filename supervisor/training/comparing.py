"""Two runs side by side: which settings differ, which hashes, which figures, and which class fares otherwise.

In: the folders of two runs. Out: `Comparison`. Runs of the same configuration, data and dreams must have the same
hashes, so that a difference there is a finding; so is a class that shifts, however equal the accuracies are. Where both
were measured on the same examples every shift counts, else only one that chance seldom brings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from pydantic import ValidationError

from actors.learner.trainer.reports.documents import TrainSummary, ValidationMetrics
from actors.learner.trainer.training.log_file import read_log
from actors.learner.trainer.training.step_log import Row, StepLogError
from actors.learner.trainer.validator.drifting import drift_between
from actors.learner.trainer.validator.findings import Drift, PartFindings
from supervisor.tables import draw_table
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import TrainingManifest, read_manifest
from supervisor.training.verifying import StepPlace, place_of

EXIT_FINDING: Final = 1
FIGURES: Final = ("train_loss", "val_loss", "val_accuracy", "test_accuracy", "steps", "parameters")
Pair = tuple[Any, Any]


@dataclass
class Comparison:
    """What differs."""

    first: str
    second: str
    settings: dict[str, Pair] = field(default_factory=dict)
    """Setting to its two values, where they differ."""
    hashes: dict[str, Pair] = field(default_factory=dict)
    """Name to the two hashes, of all."""
    figures: dict[str, Pair] = field(default_factory=dict)
    drift: dict[str, Drift] = field(default_factory=dict)
    """Part to how its classes shift."""
    first_differing: StepPlace | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_same_run(self) -> bool:
        """Whether both must have the same hashes."""
        return all(self.hashes[name][0] == self.hashes[name][1] for name in ("config_hash", "dataset", "dreams"))

    @property
    def differing(self) -> list[str]:
        """Names of the hashes that differ."""
        return [name for name, (first, second) in self.hashes.items() if first != second]

    @property
    def flagged(self) -> list[str]:
        """`part: class` for each class that shifts."""
        return [f"{part}: {name}" for part, drift in self.drift.items() for name in drift.flagged]

    @property
    def exit_code(self) -> int:
        """1 where the same run gave other bits, or a class shifts."""
        return EXIT_FINDING if (self.is_same_run and self.differing) or self.flagged else 0

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        place = self.first_differing
        return {
            "runs": [self.first, self.second],
            "identical": not self.differing,
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "hashes": {name: list(pair) for name, pair in self.hashes.items()},
            "figures": {name: list(pair) for name, pair in self.figures.items()},
            "drift": {part: drift.model_dump(mode="json") for part, drift in self.drift.items()},
            "flagged": self.flagged,
            "first_differing": None
            if place is None
            else {"line": place.line, "epoch": place.epoch, "step": place.step},
            "notes": self.notes,
        }

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        rows = [("", self.first, self.second)]
        rows += [(name, _cell(first), _cell(second)) for name, (first, second) in self.settings.items()]
        rows += [(name, _cell(first), _cell(second)) for name, (first, second) in self.figures.items()]
        rows += [(name, str(first)[:16], str(second)[:16]) for name, (first, second) in self.hashes.items()]
        yield from draw_table(rows, (0, 1, 2))
        yield ""
        yield "every hash is the same" if not self.differing else f"differing: {', '.join(self.differing)}"
        if self.first_differing is not None:
            yield f"the first differing step: {self.first_differing}"
        for part, drift in self.drift.items():
            shift = _cell(drift.accuracy_shift)
            yield f"{part}: accuracy shifts by {shift}; classes that shift: {', '.join(drift.flagged) or 'none'}"
        yield from self.notes


def compare(first: TrainingFolder, second: TrainingFolder) -> Comparison:
    """What differs between two runs; raises DamagedError."""
    manifests = [read_manifest(folder) for folder in (first, second)]
    found = Comparison(first.run_id, second.run_id)
    settings = [dict(_flat(manifest.run.config)) for manifest in manifests]
    for name in sorted(settings[0].keys() | settings[1].keys()):
        pair = (settings[0].get(name), settings[1].get(name))
        if pair[0] != pair[1]:
            found.settings[name] = pair
    hashes = [_hashes(manifest) for manifest in manifests]
    found.hashes = {name: (hashes[0][name], hashes[1][name]) for name in hashes[0]}
    _compare_figures(found, first, second)
    _compare_classes(found, first, second)
    _compare_steps(found, first, second, manifests[0].run.batches_per_epoch)
    return found


def _hashes(manifest: TrainingManifest) -> Mapping[str, str]:
    run, result = manifest.run, manifest.result
    return {
        "config_hash": run.config_hash,
        "dataset": run.dataset_digest,
        "splits": run.splits_digest,
        "dreams": run.pins_sha256 or "-",
        "step_log": "-" if result is None else result.log_digest,
        "weights": "-" if result is None else result.weights_sha256,
    }


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _compare_figures(found: Comparison, first: TrainingFolder, second: TrainingFolder) -> None:
    summaries = [_read(folder, "train_summary.json", TrainSummary, found) for folder in (first, second)]
    if summaries[0] is not None and summaries[1] is not None:
        found.figures = {name: (getattr(summaries[0], name), getattr(summaries[1], name)) for name in FIGURES}


def _compare_classes(found: Comparison, first: TrainingFolder, second: TrainingFolder) -> None:
    metrics = [_read(folder, "validation_metrics.json", ValidationMetrics, found) for folder in (first, second)]
    before, after = metrics
    if before is None or after is None:
        return
    if before.class_names != after.class_names:
        found.notes.append("the runs have other classes, so no class can be compared")
        return
    is_same = before.splits_digest == after.splits_digest
    for part in ("val", "test"):
        one, other = getattr(before, part), getattr(after, part)
        if isinstance(one, PartFindings) and isinstance(other, PartFindings):
            of = f"{part}, {found.first} to {found.second}"
            found.drift[part] = drift_between(of, before.class_names, one.confusion, other.confusion, is_same)
        else:
            found.notes.append(f"the part {part} is not measured in both runs")


def _compare_steps(found: Comparison, first: TrainingFolder, second: TrainingFolder, batches: int) -> None:
    rows: list[tuple[Row, ...]] = []
    for folder in (first, second):
        try:
            rows.append(read_log(folder.steps_file)[0])
        except StepLogError as error:
            found.notes.append(f"{folder.run_id}: {error}")
            return
    for line, (one, other) in enumerate(zip_longest(*rows)):
        if one != other:
            found.first_differing = place_of(line, batches)
            return


def _read(folder: TrainingFolder, name: str, cls: type[Any], found: Comparison) -> Any:
    try:
        return cls.model_validate_json((folder.reports / name).read_bytes())
    except (OSError, ValidationError):
        found.notes.append(f"{folder.run_id}: reports/{name} cannot be read")
        return None


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
