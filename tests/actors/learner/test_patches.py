"""Where patches come from, and that a dream can be compared with them."""

from collections.abc import Callable

import numpy as np
import pytest

from actors.learner.patches import FEATURES, TaskError, cut_task, dream_features
from bus.randomness import RandomSource
from schemas.inputs import SPLIT, InputSet, Picture
from schemas.settings import EngineSettings


def test_every_picture_is_a_class_with_the_patches_that_the_settings_ask_for(
    inputs: InputSet, settings: EngineSettings
) -> None:
    task = cut_task(inputs, settings, RandomSource(1, 1, "learner"))

    learner = settings.learner
    assert np.bincount(task.labelled.labels).tolist() == [learner.labelled_per_class] * 3
    assert np.bincount(task.probe.labels).tolist() == [learner.probe_per_class] * 3
    assert np.bincount(task.test.labels).tolist() == [learner.test_per_class] * 3
    assert task.labelled.features.shape == (3 * learner.labelled_per_class, FEATURES)
    assert task.labelled.features.dtype == np.float32
    assert task.image_ids == tuple(picture.image_id for picture in inputs.pictures)


def test_patches_are_cut_from_the_region_of_their_name_alone(settings: EngineSettings) -> None:
    # design, section 5; dossier section 6, leakage: what measures was never trained on
    flat = np.zeros((96, 120, 3), dtype=np.uint8)
    for region, level in (("train", 0), ("probe", 128), ("test", 255)):
        low, high = (round(120 * edge) for edge in SPLIT[region])  # type: ignore[index]
        flat[:, low:high] = level
    two = tuple(
        Picture(image_id=f"00000000-0000-5000-8000-00000000000{i}", name="x", height=96, width=120, rgb=flat.tobytes())
        for i in range(2)
    )

    task = cut_task(InputSet(pictures=two, factoids=()), settings, RandomSource(1, 1, "learner"))

    np.testing.assert_allclose(task.labelled.colours, 0.0)
    np.testing.assert_allclose(task.probe.colours, 128 / 255, rtol=1e-6)
    np.testing.assert_allclose(task.test.colours, 1.0, rtol=1e-6)


def test_same_seed_gives_the_same_patches_and_another_seed_others(inputs: InputSet, settings: EngineSettings) -> None:
    first = cut_task(inputs, settings, RandomSource(1, 1, "learner"))
    again = cut_task(inputs, settings, RandomSource(1, 1, "learner"))
    other = cut_task(inputs, settings, RandomSource(2, 1, "learner"))

    assert first.labelled.features.tobytes() == again.labelled.features.tobytes()
    assert first.probe.features.tobytes() == again.probe.features.tobytes()
    assert first.labelled.features.tobytes() != other.labelled.features.tobytes()


@pytest.mark.parametrize(("rows", "cols"), [(64, 64), (4, 4), (256, 256), (9, 31)])
def test_regions_narrower_than_the_tensor_and_odd_shapes_still_give_features(
    inputs: InputSet, changed: Callable[..., EngineSettings], rows: int, cols: int
) -> None:
    task = cut_task(inputs, changed(tensor={"rows": rows, "cols": cols}), RandomSource(1, 1, "learner"))

    for patches in (task.labelled, task.probe, task.test):
        assert patches.features.shape[1] == FEATURES
        assert np.isfinite(patches.features).all()
        assert np.abs(patches.features).max() <= 1.0 + 1e-6


@pytest.mark.parametrize("shape", [(32, 32, 4), (64, 64, 8), (5, 11, 1)])
def test_features_keep_the_mean_colour_whatever_the_shape(shape: tuple[int, int, int]) -> None:
    tensor = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)

    features = dream_features(tensor)

    means = features.reshape(-1, 3).mean(axis=0) / 2 + 0.5
    np.testing.assert_allclose(means, tensor.mean(axis=(0, 1, 2)), atol=1e-5)


def test_dream_of_a_patch_has_the_features_of_the_patch(settings: EngineSettings) -> None:
    pixels = np.tile(np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8), (1, 10, 1))
    rgb = pixels.tobytes()
    same = Picture(image_id="00000000-0000-5000-8000-000000000001", name="a", height=32, width=320, rgb=rgb)
    task = cut_task(InputSet(pictures=(same, same), factoids=()), settings, RandomSource(1, 1, "learner"))
    dream = np.repeat((pixels[:, :32].astype(np.float32) / np.float32(255))[:, :, None], 4, axis=2)

    features = dream_features(dream)

    distances = np.abs(task.labelled.features - features).mean(axis=1)
    assert distances.max() < 0.03, "crops of a repeated tile have its colours, wherever they begin"


def test_one_picture_is_refused_with_what_to_do(pictures: tuple[Picture, ...], settings: EngineSettings) -> None:
    lonely = InputSet(pictures=pictures[:1], factoids=())

    with pytest.raises(TaskError, match=r"at least 2, this run has 1: add pictures to run\.images"):
        cut_task(lonely, settings, RandomSource(1, 1, "learner"))


def test_picture_too_narrow_for_three_regions_is_named(
    make_picture: Callable[..., Picture], pictures: tuple[Picture, ...], settings: EngineSettings
) -> None:
    thin = make_picture("thread.png", (0.5, 0.5, 0.5), height=64, width=2)

    with pytest.raises(TaskError, match=r"thread\.png is 2 pixels wide"):
        cut_task(InputSet(pictures=(pictures[0], thin), factoids=()), settings, RandomSource(1, 1, "learner"))
