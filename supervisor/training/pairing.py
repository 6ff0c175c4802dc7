"""The same configuration with dreams and without, seed by seed, and whether the difference is sure.

In: what carries out one run, seeds. Out: `DreamComparison`: every run of both arms, and paired differences with their
intervals of 95 %. Both arms take the same number of steps on the same batches from the same weights; the dreams are the
same pinned ones for every seed, without those that touch what validates or tests under that seed. Accuracies are those
at the end, in both arms, never the best. One seed has no interval, and fewer than ten say little: that is told.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.learner.trainer.configuration.loading import LoadedConfig
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.dreaming.pins import Pins
from actors.learner.trainer.reports.documents import TrainSummary, ValidationMetrics, canonical_json
from actors.learner.trainer.validator.findings import PartFindings
from bus.files import write_atomically
from supervisor.experiments.statistics import Spread, paired
from supervisor.tables import draw_table
from supervisor.training.conducting import Conducted

FEW_SEEDS: Final = 10
"""With fewer a difference is a hint (design, 5.12)."""
FIGURES: Final = ("test_accuracy", "test_loss", "val_accuracy", "val_loss")
NAME: Final = "dream_comparison"


@dataclass(frozen=True)
class Arm:
    """One run in figures."""

    run_id: str
    seed: int
    status: str
    steps: int
    figures: dict[str, float | None]


@dataclass(frozen=True)
class DreamComparison:
    """Both arms of every seed."""

    with_dreams: tuple[Arm, ...]
    without: tuple[Arm, ...]
    pins_sha256: str

    def spread(self, figure: str) -> Spread | None:
        """Of the differences with - without; None where a figure is missing."""
        pairs = [(a.figures[figure], b.figures[figure]) for a, b in zip(self.with_dreams, self.without, strict=True)]
        known = [(one, other) for one, other in pairs if one is not None and other is not None]
        if len(known) < len(pairs) or not pairs:
            return None
        return paired([one for one, _ in known], [other for _, other in known])

    @property
    def verdict(self) -> str:
        """What the intervals of the test part say, or those of the validation where there is no test part."""
        part = next((part for part in ("test", "val") if self.spread(f"{part}_accuracy") is not None), None)
        side = None if part is None else self._side(f"{part}_accuracy")
        if part is None or side is None:
            return "not measured" if part is None else "no interval: one seed alone cannot say"
        said = ("dreams harm", f"no difference in {part} accuracy is shown", "dreams help")[side + 1]
        loss = ("; the loss is lower with them", "", "; the loss is higher with them")[
            (self._side(f"{part}_loss") or 0) + 1
        ]
        few = f" ({len(self.without)} seeds; fewer than {FEW_SEEDS} are a hint)"
        return said + loss + (few if len(self.without) < FEW_SEEDS else "")

    def _side(self, figure: str) -> int | None:
        """On which side of 0 the interval of a figure lies, 0 where it holds 0; None without an interval."""
        spread = self.spread(figure)
        if spread is None or spread.t_interval is None:
            return None
        low, high = spread.t_interval
        return int(low > 0.0) - int(high < 0.0)

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "schema_id": "oneiros.dream_comparison/1",
            "seeds": [arm.seed for arm in self.without],
            "pins_sha256": self.pins_sha256,
            "with_dreams": [_arm_tree(arm) for arm in self.with_dreams],
            "without_dreams": [_arm_tree(arm) for arm in self.without],
            "paired": {name: None if (s := self.spread(name)) is None else s.tree() for name in FIGURES},
            "verdict": self.verdict,
        }

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        rows = [("seed", "run with", "run without", "test with", "test without", "val with", "val without")]
        for one, other in zip(self.with_dreams, self.without, strict=True):
            figures = [_cell(arm.figures[name]) for name in ("test_accuracy", "val_accuracy") for arm in (one, other)]
            rows.append((str(one.seed), one.run_id, other.run_id, *figures))  # type: ignore[arg-type] # 7 cells
        yield from draw_table(rows, (1, 2))
        yield ""
        for name in FIGURES:
            spread = self.spread(name)
            if spread is not None:
                yield f"{name.replace('_', ' ')}, with - without: {spread.mean:+.6f}, 95 % {_interval(spread)}"
        yield f"verdict: {self.verdict}"


def train_both(
    loaded: LoadedConfig, pins: Pins, seeds: Sequence[int], train: Callable[[LoadedConfig, Pins | None], Conducted]
) -> tuple[DreamComparison, list[Conducted]]:
    """Both arms of every seed, until one does not reach its end; the comparison of the pairs that are whole."""
    done: list[Conducted] = []
    arms: tuple[list[Arm], list[Arm]] = ([], [])
    for seed in seeds:
        pair = []
        for is_dreaming in (True, False):
            conducted = train(arm_of(loaded, seed, is_dreaming), pins if is_dreaming else None)
            done.append(conducted)
            if conducted.exit_code:
                return DreamComparison(tuple(arms[0]), tuple(arms[1]), pins.digest), done
            pair.append(read_arm(conducted, seed))
        arms[0].append(pair[0])
        arms[1].append(pair[1])
    return DreamComparison(tuple(arms[0]), tuple(arms[1]), pins.digest), done


def arm_of(loaded: LoadedConfig, seed: int, is_dreaming: bool) -> LoadedConfig:
    """The configuration of one arm."""
    config = loaded.config
    meta = config.meta.model_copy(update={"seed": seed})
    dreams = config.dreams if is_dreaming else config.dreams.model_copy(update={"count": 0})
    return with_config(loaded, config.model_copy(update={"meta": meta, "dreams": dreams}))


def with_config(loaded: LoadedConfig, config: TrainConfig) -> LoadedConfig:
    """The same file, with settings that a flag has changed."""
    return LoadedConfig(config, loaded.path, loaded.sha256, loaded.plugin_digests)


def write_comparison(found: DreamComparison, done: Sequence[Conducted]) -> None:
    """Leave the comparison beside the reports of every run in it; raises OSError."""
    tree = found.tree()
    content = canonical_json({**tree, "sha256": comparison_sha256(tree)})
    for conducted in done:
        write_atomically(conducted.folder.path / f"{NAME}.json", content)


def comparison_sha256(tree: Mapping[str, Any]) -> str:
    """Over the canonical form of a comparison without its own hash, in hex."""
    return hashlib.sha256(canonical_json({name: tree[name] for name in tree if name != "sha256"})).hexdigest()


def read_arm(conducted: Conducted, seed: int) -> Arm:
    """The figures of a finished run, from its reports."""
    reports = conducted.folder.reports
    summary = TrainSummary.model_validate_json((reports / "train_summary.json").read_bytes())
    metrics = ValidationMetrics.model_validate_json((reports / "validation_metrics.json").read_bytes())
    parts = {"test": metrics.test, "val": metrics.val}
    figures = {
        f"{part}_{figure}": getattr(found, figure) if isinstance(found, PartFindings) else None
        for part, found in parts.items()
        for figure in ("accuracy", "loss")
    }
    figures["train_loss"] = summary.train_loss
    return Arm(conducted.folder.run_id, seed, summary.status, summary.steps, figures)


def _arm_tree(arm: Arm) -> dict[str, Any]:
    return {"run_id": arm.run_id, "seed": arm.seed, "status": arm.status, "steps": arm.steps, **arm.figures}


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(spread: Spread) -> str:
    if spread.t_interval is None:
        return "no interval (one seed)"
    low, high = spread.t_interval
    return f"{low:+.6f} to {high:+.6f}"
