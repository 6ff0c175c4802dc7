"""Training runs of a second or less: a made-up dataset, configurations by keyword, a sink that remembers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from actors.learner.trainer.configuration.loading import config_of
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.datasets.dataset import Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.splitting import split
from actors.learner.trainer.model.backends import backend_of
from actors.learner.trainer.training.step_log import EpochRow, Link, Sink, StepRow
from actors.learner.trainer.training.trainer import ExtraBatches, Trainer

SMALL = {"epochs": 2, "batch_size": 20}


def made_up(count: int = 120, side: int = 8, classes: int = 3, channels: int = 1) -> Dataset:
    """Noisy pictures about a centre for each class."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, classes, count)
    centres = rng.integers(60, 190, (classes, side, side, channels))
    images = np.clip(centres[labels] + rng.normal(0, 40, (count, side, side, channels)), 0, 255).astype(np.uint8)
    return dataset_of(images, labels, Facts(tuple(f"class {number}" for number in range(classes)), "npz", 255.0))


def config(seed: int = 5, **sections: dict[str, object]) -> TrainConfig:
    """A configuration; `config(model={"kind": "cnn"}, training={"epochs": 4})` adds to what is small."""
    tree: dict[str, object] = {
        "meta": {"name": "small", "seed": seed},
        "data": {"source": "npz"},
        "model": {"kind": "mlp", "hidden": 6},
        "optimizer": {"kind": "sgd", "lr": 0.05},
        **sections,
    }
    tree["training"] = {**SMALL, **sections.get("training", {})}
    return config_of(tree)


@dataclass
class Kept:
    """A sink that keeps every row."""

    links: list[Link] = field(default_factory=list)
    settled: int = 0

    def take(self, links: Sequence[Link]) -> None:
        self.links += links

    def settle(self) -> None:
        self.settled += 1

    @property
    def lines(self) -> list[str]:
        return [link.line for link in self.links]

    @property
    def steps(self) -> list[StepRow]:
        return [link.row for link in self.links if isinstance(link.row, StepRow)]

    @property
    def epochs(self) -> list[EpochRow]:
        return [link.row for link in self.links if isinstance(link.row, EpochRow)]


def trainer(
    chosen: TrainConfig,
    sink: Sink | None = None,
    folder: Path | None = None,
    extra: ExtraBatches | None = None,
    dataset: Dataset | None = None,
) -> Trainer:
    """A fresh trainer of `chosen`."""
    data = made_up() if dataset is None else dataset
    splits = split(data, chosen.data.split, chosen.meta.seed)
    made = Trainer(chosen, data, splits, backend_of(chosen.training.backend), sink or Kept(), extra)
    made.keep_in(folder)
    return made
