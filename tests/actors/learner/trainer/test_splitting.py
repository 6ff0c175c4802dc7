"""Splits follow from content: a new sample moves no other, equal contents lie on one side (seed 002, IV.2, V)."""

from pathlib import Path

import numpy as np
import pytest

from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.loading import config_of
from actors.learner.trainer.datasets.dataset import FREE, PARTS, DataRefusedError, Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.settings import SplitSettings
from actors.learner.trainer.datasets.split_cache import split_cached
from actors.learner.trainer.datasets.splitting import Splits, split, splits_of

SHARES = SplitSettings()


def data(count: int, classes: int = 3, seed: int = 0, parts: np.ndarray | None = None) -> Dataset:
    """Random 4 x 4 pictures with labels in turn; the first k of `count` and of more are the same."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
    names = tuple(f"class {number}" for number in range(classes))
    return dataset_of(images, np.arange(count) % classes, Facts(names, "test", 255.0, parts=parts))


def joined(*datasets: Dataset) -> Dataset:
    images = np.concatenate([dataset.images for dataset in datasets])
    labels = np.concatenate([dataset.labels for dataset in datasets])
    parts = np.concatenate([dataset.parts for dataset in datasets])
    return dataset_of(images, labels, Facts(datasets[0].class_names, "test", 255.0, parts=parts))


def sides(dataset: Dataset, splits: Splits) -> dict[bytes, set[str]]:
    """Content to the parts that it lies in."""
    found: dict[bytes, set[str]] = {}
    for part in PARTS:
        for index in getattr(splits, part).tolist():
            found.setdefault(dataset.images[index].tobytes(), set()).add(part)
    return found


def test_every_sample_is_in_one_part() -> None:
    dataset = data(500)

    splits = split(dataset, SHARES, 1)

    together = np.concatenate((splits.train, splits.val, splits.test))
    assert np.array_equal(np.sort(together), np.arange(500))


@pytest.mark.parametrize("place", ["front", "middle", "end"])
def test_a_new_sample_moves_no_other_wherever_it_is_put(place: str) -> None:
    dataset = data(300)
    before = sides(dataset, split(dataset, SHARES, 5))
    one = data(1, seed=99)
    order = {"front": (one, dataset), "end": (dataset, one)}
    halves = (dataset.take(np.arange(150)), one, dataset.take(np.arange(150, 300)))
    grown = joined(*order.get(place, halves))

    after = sides(grown, split(grown, SHARES, 5))

    assert {content: after[content] for content in before} == before
    assert len(after) == len(before) + 1


def test_no_other_sample_moves_for_any_of_two_hundred_new_ones() -> None:
    dataset = data(400)
    before = sides(dataset, split(dataset, SHARES, 2))
    grown = dataset

    for number in range(200):
        grown = joined(grown, data(1, seed=1000 + number))

    after = sides(grown, split(grown, SHARES, 2))
    assert {content: after[content] for content in before} == before


def test_order_and_labels_of_others_play_no_part() -> None:
    dataset = data(200)
    shuffled = dataset.take(np.random.default_rng(3).permutation(200))

    assert sides(dataset, split(dataset, SHARES, 4)) == sides(shuffled, split(shuffled, SHARES, 4))


def test_equal_contents_lie_on_one_side_even_with_other_labels() -> None:
    dataset = data(120)
    doubled = joined(dataset, dataset.take(np.roll(np.arange(120), 7)))
    relabelled = dataset_of(
        np.concatenate([dataset.images, dataset.images]),
        np.concatenate([dataset.labels, (dataset.labels + 1) % 3]),
        Facts(dataset.class_names, "test", 255.0),
    )

    for both in (doubled, relabelled):
        assert all(len(parts) == 1 for parts in sides(both, split(both, SHARES, 1)).values())


def test_shares_hold_in_the_mean_of_each_class() -> None:
    dataset = data(6000)

    counts = split(dataset, SHARES, 1).counts(dataset)

    for part, share in zip(PARTS, (0.8, 0.1, 0.1), strict=True):
        deviation = 5.0 * (2000 * share * (1.0 - share)) ** 0.5  # five standard deviations of a draw
        assert all(abs(count - 2000 * share) < deviation for count in counts[part])


@pytest.mark.parametrize("seed", range(20))
def test_every_class_with_three_samples_is_in_every_part(seed: int) -> None:
    dataset = data(9 + seed, seed=seed)

    counts = split(dataset, SHARES, seed).counts(dataset)

    assert all(count >= 1 for part in PARTS for count in counts[part])


def test_another_seed_divides_otherwise_and_the_same_seed_the_same() -> None:
    dataset = data(200)

    assert split(dataset, SHARES, 1).digest == split(dataset, SHARES, 1).digest
    assert split(dataset, SHARES, 1).digest != split(dataset, SHARES, 2).digest


def test_swapping_two_samples_between_parts_changes_the_hash() -> None:
    dataset = data(100)
    splits = split(dataset, SHARES, 1)
    config = config_of(
        {
            "meta": {"name": "a", "seed": 1},
            "data": {"source": "digits"},
            "model": {"kind": "mlp"},
            "optimizer": {"kind": "sgd"},
        }
    )
    train, val = splits.train.copy(), splits.val.copy()
    train[0], val[0] = val[0], train[0]

    swapped = splits_of(dataset, np.sort(train), np.sort(val), splits.test)

    assert splits_of(dataset, splits.train, splits.val, splits.test).digest == splits.digest
    assert config_hash(config, swapped.digest) != config_hash(config, splits.digest)


def test_parts_of_the_source_are_kept_and_a_copy_of_a_test_sample_is_no_training_sample() -> None:
    parts = np.full(100, FREE, dtype=np.int8)
    parts[80:] = 2
    dataset = data(100, parts=parts)
    leaked = dataset_of(
        np.concatenate([dataset.images, dataset.images[90:91]]),
        np.append(dataset.labels, dataset.labels[90]),
        Facts(dataset.class_names, "test", 255.0, parts=np.append(parts, np.int8(FREE))),
    )

    splits = split(leaked, SHARES, 1)

    assert splits.test.tolist() == [*range(80, 100), 100]
    assert len(splits.val) > 0


def test_samples_of_a_group_stay_together() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), dtype=np.uint8)
    patients = np.repeat(np.arange(60, dtype=np.uint8), 5)
    groups = np.zeros((300, 32), dtype=np.uint8)
    groups[:, 0] = patients
    facts = Facts(("a", "b"), "test", 255.0, group_hashes=groups)
    dataset = dataset_of(images, np.arange(300) % 2, facts)

    splits = split(dataset, SplitSettings(train=0.5, val=0.25, test=0.25), 1)

    seen = [set(patients[getattr(splits, part)].tolist()) for part in PARTS]
    assert all(seen)
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]


def test_a_dataset_without_anything_to_train_on_is_refused() -> None:
    with pytest.raises(DataRefusedError, match="left to train on"):
        split(data(30, parts=np.full(30, 2, dtype=np.int8)), SHARES, 1)


@pytest.mark.parametrize("train", [[0, 1], [0, 1, 1], [0, 1, 3]])
def test_parts_that_do_not_divide_the_dataset_are_refused(train: list[int]) -> None:
    none = np.array([], dtype=np.intp)

    with pytest.raises(DataRefusedError, match="not each of 3 once"):
        splits_of(data(3), np.array(train, dtype=np.intp), none, none)


def test_the_cache_hits_on_the_same_and_misses_on_one_changed_byte(tmp_path: Path) -> None:
    dataset = data(50)
    first = split_cached(dataset, SHARES, 1, tmp_path / "splits")
    images = dataset.images.copy()
    images[7, 0, 0, 0] ^= 1
    changed = dataset_of(images, dataset.labels, Facts(dataset.class_names, "test", 255.0))

    again = split_cached(dataset, SHARES, 1, tmp_path / "splits")
    other = split_cached(changed, SHARES, 1, tmp_path / "splits")

    assert (first.state, again.state, other.state) == ("miss", "hit", "miss")
    assert again.splits.digest == first.splits.digest
    assert other.path != first.path


def test_another_seed_and_other_shares_have_cache_files_of_their_own(tmp_path: Path) -> None:
    dataset = data(50)
    shares = SplitSettings(train=0.6, val=0.2, test=0.2)

    found = [split_cached(dataset, *chosen, tmp_path) for chosen in ((SHARES, 1), (SHARES, 2), (shares, 1))]

    assert [cached.state for cached in found] == ["miss"] * 3
    assert len({cached.path for cached in found}) == len({cached.splits.digest for cached in found}) == 3


def test_a_cache_file_that_was_altered_is_found_and_never_served(tmp_path: Path) -> None:
    dataset = data(50)
    first = split_cached(dataset, SHARES, 1, tmp_path)
    sound = first.path.read_bytes()

    states = []
    for place in range(0, len(sound), 97):
        broken = bytearray(sound)
        broken[place] ^= 1
        first.path.write_bytes(broken)
        found = split_cached(dataset, SHARES, 1, tmp_path)
        states.append(found.state)
        assert found.splits.digest == first.splits.digest
        assert first.path.read_bytes() == sound

    assert set(states) == {"damaged"}


def test_a_sound_cache_file_with_other_splits_is_told_apart_from_damage(tmp_path: Path) -> None:
    dataset = data(50)
    one, two = split_cached(dataset, SHARES, 1, tmp_path), split_cached(dataset, SHARES, 2, tmp_path)
    one.path.write_bytes(two.path.read_bytes())

    found = split_cached(dataset, SHARES, 1, tmp_path)

    assert found.state == "disagreed"
    assert found.splits.digest == one.splits.digest
