"""The configurations in config/ reach what they promise within their five epochs."""

from pathlib import Path

import pytest

from actors.learner.trainer.configuration.loading import open_config
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.training.measuring import measure
from tests.small_training import trainer

CONFIG = Path(__file__).parents[5] / "config"
FASHION = Path("/usr/share/datasets/fashion-mnist")


def reached(name: str, seed: int | None = None) -> float:
    """Accuracy on the test part."""
    opened = open_config(CONFIG / name)
    meta = opened.config.meta
    config = opened.config.model_copy(
        update={"meta": meta.model_copy(update={"seed": meta.seed if seed is None else seed})}
    )
    made = trainer(config, dataset=load_dataset(config.data, Place(opened.base, config.meta.seed)))
    made.run()
    accuracy = measure(made.model, made.feed, made.feed.splits.test, made.loss).accuracy
    assert config.training.epochs == 5
    assert accuracy is not None
    return accuracy


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_digits_reach_95_percent_with_any_seed(seed: int | None) -> None:
    assert reached("train_digits.toml", seed) >= 0.95


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_reaches_85_percent() -> None:
    assert reached("train_fashion.toml") >= 0.85
