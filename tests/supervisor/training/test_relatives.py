"""A dream of a picture that validates is known by its file, whatever size the dataset gives it (issue 9, splits)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actors.learner.trainer.configuration.loading import open_config
from actors.learner.trainer.dreaming.kinship import TOUCHES_VALIDATION
from schemas.dreams import Ancestor
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.inputs import picture_from
from supervisor.pictures import decode_sized
from supervisor.training.preparing import Prepared, prepare
from tests.supervisor.training.conftest import SMALL

SIDE = load_configuration(Sources(Home(Path("/nonexistent")))).settings.run.image_side
DATA = 'source = "folders"\nroot = "pictures"\nrows = {rows}\ncols = {rows}\nchannels = {channels}'


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
        ancestry = (Ancestor.model_construct(source="image", ancestor_id=name, share=1.0, split="train"),)
        seen.append(index in train)
        assert kinship.refusal(ancestry) == ("" if index in train else TOUCHES_VALIDATION)
        if index in train:
            target = kinship.target(ancestry)
            assert target is not None
            assert target.argmax() == dataset.labels[index]

    assert set(seen) == {True, False}
