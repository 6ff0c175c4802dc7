"""Pixels are normalised by the training part alone (issue 9, datasets)."""

import numpy as np
import pytest

from actors.learner.trainer.datasets.dataset import Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.normalising import normalisation_of


def data(images: np.ndarray, top: float = 255.0) -> Dataset:
    return dataset_of(images, np.zeros(len(images), dtype=np.intp), Facts(("a",), "test", top))


BYTES = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
TRAIN = np.arange(0, 50, 2)


def test_unit_divides_by_the_largest_value_and_none_leaves_it() -> None:
    dataset = data(BYTES)

    unit = normalisation_of(dataset, TRAIN, "unit").apply(dataset.images)
    none = normalisation_of(dataset, TRAIN, "none").apply(dataset.images)

    np.testing.assert_array_equal(unit, (BYTES / 255.0).astype(np.float32))
    np.testing.assert_array_equal(none, BYTES.astype(np.float32))
    assert unit.dtype == none.dtype == np.float32


@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_standard_gives_the_training_part_mean_0_and_deviation_1_in_each_channel(kind: str) -> None:
    dataset = data(BYTES) if kind == "bytes" else data((BYTES / 255.0).astype(np.float32), top=1.0)

    plain = normalisation_of(dataset, TRAIN, "standard").apply(dataset.images)

    train = plain[TRAIN].astype(np.float64)
    np.testing.assert_allclose(train.mean(axis=(0, 1, 2)), 0.0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=(0, 1, 2)), 1.0, atol=1e-6)


def test_what_validates_and_tests_has_no_say() -> None:
    changed = BYTES.copy()
    changed[1::2] = 255

    first = normalisation_of(data(BYTES), TRAIN, "standard")

    assert normalisation_of(data(changed), TRAIN, "standard") == first
    assert normalisation_of(data(BYTES), TRAIN + 1, "standard") != first


def test_a_channel_without_spread_is_only_centred() -> None:
    flat = np.full((4, 2, 2, 1), 51, dtype=np.uint8)

    plain = normalisation_of(data(flat), np.arange(4), "standard")

    assert plain.deviation == (1.0,)
    np.testing.assert_array_equal(plain.apply(flat), 0.0)
