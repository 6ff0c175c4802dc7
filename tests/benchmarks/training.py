"""An epoch of the trainer's perceptron: against torch's same model, and against its own loop without any proof.

In: nothing. Out: one JSON object: seconds of an epoch of 60,000 images of 784 pixels in batches of 100 on one thread,
as the sum of the medians of its parts, and their ratios. Run: `make bench BENCH=training`. Exit code 1 when a target is
missed. `trainer` is the whole: order, digests of each batch, chained log in a file, checkpoint at the end of the epoch.
`bare` takes the same steps with the same functions and the same guard against numbers that run away, and proves
nothing: no digest, no log, no checkpoint. `torch` is torch's own perceptron, optimizer and loss from the same first
weights, in the same order. They take turns every few steps. Times are processor time of the one thread; `waiting_s` is
what the trainer waits beside it, for the disk or for a processor. Images are Fashion-MNIST where Debian's package
dataset-fashion-mnist is, else made up; `data` says which. Without torch its figures are null.
"""

import importlib
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from actors.learner.trainer.configuration.loading import config_of
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.datasets.dataset import Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.idx import load_idx
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import IdxSettings
from actors.learner.trainer.datasets.splitting import Splits, split
from actors.learner.trainer.model.backends import backend_of
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.accumulating import Accumulator
from actors.learner.trainer.training.log_file import StepLogFile
from actors.learner.trainer.training.measuring import measure
from actors.learner.trainer.training.stopping import halt_of
from actors.learner.trainer.training.trainer import Trainer

FASHION = Path("/usr/share/datasets/fashion-mnist")
TRAIN, TEST, SIDE, CLASSES = 60_000, 10_000, 28, 10
BATCH, HIDDEN, RATE, MOMENTUM = 100, 256, 0.05, 0.9
EPOCHS, PARTS = 9, 12
STEPS = TRAIN // BATCH // PARTS
"""Of a part."""
SEED, FIRST_LOSS, LIMIT = 1, 2.3, 1000.0
AT_MOST_OF_TORCH, AT_MOST_OVERHEAD, AT_MOST_APART = 1.3, 0.05, 0.01


def configuration() -> TrainConfig:
    """The trainer's side of the comparison."""
    return config_of(
        {
            "meta": {"name": "benchmark", "seed": SEED},
            "data": {"source": "idx", "split": {"train": 1.0, "val": 0.0, "test": 0.0}},
            "model": {"kind": "mlp", "hidden": HIDDEN},
            "optimizer": {"kind": "sgd", "lr": RATE, "momentum": MOMENTUM},
            "training": {"epochs": EPOCHS + 1, "batch_size": BATCH},
        }
    )


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Class centres under noise, in the shape of Fashion-MNIST; told apart whatever the last bits of a product are."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, TRAIN + TEST)
    centres = rng.integers(0, 256, (CLASSES, SIDE, SIDE)).astype(np.float32)
    images = np.empty((TRAIN + TEST, SIDE, SIDE, 1), np.uint8)
    for start in range(0, len(images), 10_000):
        part = slice(start, start + 10_000)
        noise = rng.normal(127.0, 110.0, (len(images[part]), SIDE, SIDE)).astype(np.float32)
        images[part, :, :, 0] = np.clip(0.25 * centres[labels[part]] + 0.75 * noise, 0, 255)
    return images, labels


def dataset() -> tuple[Dataset, str]:
    """The images, and which they are."""
    if FASHION.is_dir():
        return load_idx(IdxSettings(root=str(FASHION)), Place(FASHION, 1)), "Fashion-MNIST"
    images, labels = made_up()
    parts = np.repeat(np.array([0, 2], np.int8), (TRAIN, TEST))
    names = tuple(str(number) for number in range(CLASSES))
    told = "made up: the package dataset-fashion-mnist is not installed"
    return dataset_of(images, labels, Facts(names, "idx", 255.0, parts)), told


class Ours:
    """The trainer, a part of an epoch at a time."""

    def __init__(self, data: Dataset, splits: Splits, folder: Path) -> None:
        self.trainer = Trainer(configuration(), data, splits, backend_of("numpy"), StepLogFile(folder / "steps.jsonl"))
        self._checkpoints = folder / "checkpoints"
        self.first_weights = self.trainer.model.weights.copy()

    def part(self, number: int) -> None:
        """Part `number` of an epoch; the last one closes it and leaves a checkpoint."""
        if number == PARTS - 1:
            self.trainer.keep_in(self._checkpoints)
            self.trainer.run(until=self.trainer.progress.step + STEPS)
            return
        for _ in range(STEPS):
            self.trainer.take_step()

    def accuracy(self) -> float:
        feed = self.trainer.feed
        return measure(self.trainer.model, feed, feed.splits.test, self.trainer.loss).accuracy or 0.0


class Bare:
    """The same steps, without digests, log and checkpoint."""

    def __init__(self, data: Dataset, splits: Splits, folder: Path) -> None:
        self._trainer = Ours(data, splits, folder).trainer
        self._accumulator = Accumulator(self._trainer.model, self._trainer.loss, 1)
        self._rng = np.random.default_rng(1)
        self._order = self._trainer.feed.splits.train

    def part(self, number: int) -> None:
        """Part `number` of an epoch."""
        if number == 0:
            self._order = self._rng.permutation(self._trainer.feed.splits.train)
        feed, model, optimizer = self._trainer.feed, self._trainer.model, self._trainer.optimizer
        for start in range(number * STEPS * BATCH, (number + 1) * STEPS * BATCH, BATCH):
            step = self._accumulator.step(feed.examples(self._order[start : start + BATCH]), None, None)
            norm = math.sqrt(step.gradient.dot(step.gradient))
            if halt_of(step.loss, FIRST_LOSS, norm, LIMIT) is not None:
                raise RuntimeError("the comparison diverged")
            optimizer.step(model.weights, step.gradient, RATE)


class Torch:
    """torch's own perceptron on the same normalised images."""

    def __init__(self, torch: Any, ours: Ours) -> None:
        self._torch = torch
        torch.set_num_threads(1)
        feed, splits = ours.trainer.feed, ours.trainer.feed.splits
        self._images, self._labels = self._pair(feed, splits.train)
        self._test_images, self._test_labels = self._pair(feed, splits.test)
        nn = torch.nn
        first, second = nn.Linear(SIDE * SIDE, HIDDEN), nn.Linear(HIDDEN, CLASSES)
        parts = ours.trainer.model.layout.views(ours.first_weights)
        with torch.no_grad():
            for layer, weight, bias in ((first, "w1", "b1"), (second, "w2", "b2")):
                layer.weight.copy_(torch.from_numpy(parts[weight].T.copy()))
                layer.bias.copy_(torch.from_numpy(parts[bias].copy()))
        self._model = nn.Sequential(first, nn.ReLU(), second)
        self._loss = nn.CrossEntropyLoss()
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=RATE, momentum=MOMENTUM)
        self._streams, self._train = Streams(SEED), splits.train
        self._epochs = 0
        self._order = torch.arange(TRAIN)

    def part(self, number: int) -> None:
        """Part `number` of an epoch."""
        if number == 0:
            order = self._streams.at("order", self._epochs).permutation(self._train)
            self._order, self._epochs = self._torch.from_numpy(order), self._epochs + 1
        for start in range(number * STEPS * BATCH, (number + 1) * STEPS * BATCH, BATCH):
            chosen = self._order[start : start + BATCH]
            self._optimizer.zero_grad()
            self._loss(self._model(self._images[chosen]), self._labels[chosen]).backward()
            self._optimizer.step()

    def accuracy(self) -> float:
        with self._torch.no_grad():
            found = self._model(self._test_images).argmax(dim=1) == self._test_labels
        return float(found.double().mean())

    def _pair(self, feed: Any, chosen: np.ndarray) -> tuple[Any, Any]:
        images = feed.examples(chosen)[0].reshape(len(chosen), -1)
        return self._torch.from_numpy(images), self._torch.from_numpy(feed.labels(chosen).astype(np.int64))


def torch_or_reason() -> tuple[Any, str | None]:
    """torch, or why not."""
    try:
        return importlib.import_module("torch"), None
    except ImportError as error:
        return None, f"torch cannot be imported ({error})"


def epoch(sides: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Seconds of work and of waiting of each part of an epoch; the sides take turns part by part."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number in range(PARTS):
        for name in sorted(sides, reverse=number % 2 == 1):
            start, wall = time.thread_time(), time.perf_counter()
            sides[name].part(number)
            spent = time.thread_time() - start
            seconds[name].append((spent, time.perf_counter() - wall - spent))
    return seconds


def measure_all(folder: Path) -> dict[str, Any]:
    """Every figure."""
    data, told = dataset()
    splits = split(data, configuration().data.split, 1)
    torch, reason = torch_or_reason()
    (folder / "bare").mkdir()
    ours, bare = Ours(data, splits, folder), Bare(data, splits, folder / "bare")
    sides: dict[str, Any] = {"trainer": ours, "bare": bare}
    if torch is not None:
        sides["torch"] = Torch(torch, ours)
    epoch(sides)  # warms, and accuracy is compared after it
    reached = {name: sides[name].accuracy() for name in ("trainer", "torch") if name in sides}
    epochs = [epoch(sides) for _ in range(EPOCHS)]

    def whole(name: str, which: int) -> float:
        return sum(statistics.median(found[name][number][which] for found in epochs) for number in range(PARTS))

    seconds = {name: whole(name, 0) for name in sides}
    return {
        "data": told,
        "torch": torch.__version__ if torch is not None else None,
        "torch_reason": reason,
        "epoch_s": {name: round(value, 4) for name, value in seconds.items()},
        "waiting_s": round(whole("trainer", 1), 4),
        "of_torch": round(seconds["trainer"] / seconds["torch"], 3) if torch is not None else None,
        "overhead": round(seconds["trainer"] / seconds["bare"] - 1.0, 4),
        "test_accuracy_after_one_epoch": reached,
        "apart": round(abs(reached["trainer"] - reached["torch"]), 4) if torch is not None else None,
    }


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_all(Path(folder))
    limits = {"of_torch": AT_MOST_OF_TORCH, "overhead": AT_MOST_OVERHEAD, "apart": AT_MOST_APART}
    targets = {
        name: {"figure": found, "at_most": limit, "ok": None if found is None else found <= limit}
        for name, limit in limits.items()
        for found in (figures[name],)
    }
    print(json.dumps({**figures, "targets": targets}, indent=1))
    return int(any(target["ok"] is False for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
