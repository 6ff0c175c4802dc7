"""Pictures of a dataset are decoded by the rule of a run's pictures, whole and of the size that is wanted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supervisor.pictures import PictureRefusedError, decode_sized


def test_a_picture_of_any_size_is_whole_and_exact(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    assert np.array_equal(decode_sized(tmp_path / "a.png", (0, 0), 3), pixels)
    assert decode_sized(tmp_path / "a.png", (8, 6), 3).shape == (8, 6, 3)
    assert decode_sized(tmp_path / "a.png", (8, 6), 1).shape == (8, 6, 1)


def test_a_camera_that_was_turned_is_turned_back(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 255]], dtype=np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=turned)

    assert decode_sized(tmp_path / "a.png", (0, 0), 1)[..., 0].tolist() == [[0], [255]]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(PictureRefusedError):
        decode_sized(tmp_path / "a.png", (0, 0), 3)
