"""A dream of a picture that validates is known by its file, whatever size the dataset gives it (issue 9, splits)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actors.learner.trainer.configuration.loading import open_config
from actors.learner.trainer.dreaming.kinship import TOUCHES_VALIDATION
from actors.learner.trainer.dreaming.pins import pins_from
from schemas.dreams import Ancestor
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.inputs import picture_from
from supervisor.pictures import decode_sized
from supervisor.training.conducting import Company, begin
from supervisor.training.pairing import arm_of
from supervisor.training.preparing import Prepared, prepare
from tests.supervisor.training.conftest import SMALL, Workshop
from tests.supervisor.training.test_dreams import made_pins

SIDE = load_configuration(Sources(Home(Path("/nonexistent")))).settings.run.image_side
DATA = 'source = "folders"\nroot = "pictures"\nrows = {rows}\ncols = {rows}\nchannels = {channels}'


def relative(name: str) -> Ancestor:
    """The part that one may learn from of the picture with that id."""
    return Ancestor.model_construct(source="image", ancestor_id=name, share=1.0, split="train")


def prepared_of(folder: Path, rows: int, channels: int) -> Prepared:
    """A dataset of small noise in two classes, and a picture that no run would take."""
    rng = np.random.default_rng(4)
    for name in ("cat", "dog"):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{number}.png")
    Image.new("RGB", (9, 9)).save(folder / "pictures" / "cat" / "tiny.png")
    path = folder / "train.toml"
    path.write_text(SMALL.replace('source = "digits"\nlimit = 160', DATA.format(rows=rows, channels=channels)))
    return prepare(open_config(path), None)


@pytest.mark.parametrize(("rows", "channels"), [(16, 3), (16, 1)])
def test_a_picture_counts_as_the_sample_that_its_file_is(tmp_path: Path, rows: int, channels: int) -> None:
    prepared = prepared_of(tmp_path, rows, channels)
    dataset, kinship = prepared.dataset, prepared.kinship
    places = {dataset.sample_hashes[index].tobytes(): index for index in range(len(dataset))}
    train, seen = set(prepared.splits.train.tolist()), []

    for path in sorted((tmp_path / "pictures").glob("*/[0-9]*.png")):
        sample = decode_sized(path, (rows, rows), channels)
        index = places[hashlib.sha256(np.ascontiguousarray(sample).data).digest()]
        name = picture_from(path, path.name, SIDE).image_id
        ancestry = (relative(name),)
        seen.append(index in train)
        assert kinship.refusal(ancestry) == ("" if index in train else TOUCHES_VALIDATION)
        if index in train:
            target = kinship.target(ancestry)
            assert target is not None
            assert target.argmax() == dataset.labels[index]

    assert set(seen) == {True, False}


def test_a_dream_that_touches_what_validates_under_one_seed_is_left_out_of_the_runs_of_that_seed_alone(
    workshop: Workshop,
) -> None:
    images = np.random.default_rng(3).integers(0, 256, (60, 6, 6, 3), dtype=np.uint8)
    np.savez(workshop.folder / "data.npz", images=images, labels=np.arange(60) % 3)
    text = SMALL.replace('source = "digits"\nlimit = 160', 'source = "npz"\nroot = "data.npz"')
    loaded = open_config(workshop.write(f"{text}\n[dreams]\ncount = 2\n"))
    other = arm_of(loaded, 6, is_dreaming=True)
    here, there = prepare(loaded, None).kinship, prepare(other, None).kinship
    names = sorted(here.classes, key=lambda name: (name not in there.forbidden, name))[:10]
    pins = made_pins(*((relative(name),) for name in names))

    runs = [begin(one, Home(workshop.home), Company(), pins) for one in (loaded, other)]

    kept = [pins_from(run.folder.dreams_file.read_bytes()) for run in runs]
    touching = sum(name in there.forbidden for name in names)
    assert kept[0].digest == pins.digest
    assert len(kept[1].tensors) == len(pins.tensors) - touching
    assert kept[1].head.left_out == {TOUCHES_VALIDATION: touching}
    assert not any(there.refusal(dream.ancestry) for dream in kept[1].head.dreams)
    assert 0 < touching < len(names)
    for run in runs:
        assert workshop.answer("replay", run.folder.run_id)["identical"]
