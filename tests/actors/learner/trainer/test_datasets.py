"""Datasets come from files as they are, bounded, and nothing odd in a file gets through (issue 9, datasets)."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actors.learner.trainer.datasets import digit_file, idx_format
from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import (
    DataSettings,
    DigitsSettings,
    FoldersSettings,
    IdxSettings,
    NpzSettings,
    PatchesSettings,
)
from actors.learner.trainer.datasets.splitting import split
from schemas.errors import OneirosError
from schemas.inputs import SPLIT, InputSet, Picture
from supervisor import pictures
from supervisor.pictures import decode_sized

RNG = np.random.default_rng(11)
IMAGES = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)


def load(settings: DataSettings, base: Path, inputs: InputSet | None = None) -> Dataset:
    return load_dataset(settings, Place(base, 3, inputs, decode_sized))


def refusal(settings: DataSettings, base: Path, inputs: InputSet | None = None) -> str:
    with pytest.raises(OneirosError) as caught:
        load(settings, base, inputs)
    return str(caught.value)


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def write_idx(folder: Path, *, packed: bool = False, dot: str = "-") -> None:
    for stem, part in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        for what, content in (("images", idx(IMAGES[part])), ("labels", idx(LABELS[part]))):
            name = f"{stem}-{what}{dot}idx{3 if what == 'images' else 1}-ubyte{'.gz' if packed else ''}"
            (folder / name).write_bytes(gzip.compress(content) if packed else content)


def write_folders(root: Path, classes: tuple[str, ...] = ("cat", "dog"), size: tuple[int, int] = (6, 5)) -> None:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for place in range(3):
            pixels = np.full((*size, 3), 10 * place + 100 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{place}.png")


def test_digits_are_the_shipped_file_with_its_attribution_beside_it() -> None:
    dataset = load(DigitsSettings(), Path())

    assert dataset.images.shape == (1797, 8, 8, 1)
    assert (int(dataset.images.min()), int(dataset.images.max()), dataset.top) == (0, 16, 16.0)
    assert np.bincount(dataset.labels).min() > 170
    attribution = (digit_file.PATH.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert digit_file.SHA256 in attribution
    assert "Alpaydin" in attribution and "CC BY 4.0" in attribution


def test_digits_and_their_splits_are_the_same_for_ever() -> None:
    dataset = load(DigitsSettings(), Path())

    assert dataset.digest == "0f835423d3b4b6b890576eeb5e2a832ad00ee0be44c75ad83d6fbe119ea290cb"
    digest = split(dataset, DigitsSettings().split, 3).digest
    assert digest == "f595982a406630a88129d5980835fca9f65f6bd7cc32df74af269457d2959966"


def test_a_sample_is_known_by_the_hash_of_its_bytes_and_one_bit_changes_the_digest() -> None:
    images = IMAGES[..., None].copy()
    first = dataset_of(images, LABELS, Facts(("a", "b", "c"), "test", 255.0))
    images[2, 1, 1, 0] ^= 1

    second = dataset_of(images, LABELS, Facts(("a", "b", "c"), "test", 255.0))

    assert first.sample_hashes[0].tobytes() == hashlib.sha256(IMAGES[0].tobytes()).digest()
    assert [bool((first.sample_hashes[i] != second.sample_hashes[i]).any()) for i in range(6)] == [
        i == 2 for i in range(6)
    ]
    assert first.digest != second.digest
    assert not first.images.flags.writeable and images.flags.writeable


@pytest.mark.parametrize(
    ("images", "labels", "names", "expected"),
    [
        (np.zeros((2, 3, 3), np.uint8), [0, 0], ("a",), "needed are uint8 or float32"),
        (np.zeros((2, 3, 3, 1), np.float64), [0, 0], ("a",), "needed are uint8 or float32"),
        (np.zeros((0, 3, 3, 1), np.uint8), [], ("a",), "holds no images"),
        (np.zeros((2, 3, 3, 1), np.uint8), [0], ("a",), "give one label each"),
        (np.zeros((2, 3, 3, 1), np.uint8), [0, 1], ("a",), "label 1 has no class"),
        (np.zeros((2, 3, 3, 1), np.uint8), [0, -1], ("a",), "label -1 has no class"),
        (np.zeros((2, 3, 3, 1), np.uint8), [0, 1], ("a", "a"), "the same name"),
        (np.array([[[[0.5]]], [[[np.nan]]]], np.float32), [0, 0], ("a",), "1 images hold NaN"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    images: np.ndarray, labels: list[int], names: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(DataRefusedError, match=expected):
        dataset_of(images, np.array(labels, dtype=np.intp), Facts(names, "test", 1.0))


def test_a_limit_takes_samples_by_content_so_that_order_plays_no_part() -> None:
    images = RNG.integers(0, 256, (80, 3, 3, 1), dtype=np.uint8)
    facts = Facts(("a", "b"), "test", 255.0)
    dataset = dataset_of(images, np.arange(80) % 2, facts)
    turned = dataset.take(np.arange(80)[::-1].copy())

    first, second = dataset.limited(20, 1), turned.limited(20, 1)

    assert len(first) == 20
    assert {image.tobytes() for image in first.images} == {image.tobytes() for image in second.images}
    assert dataset.limited(0, 1) is dataset


@pytest.mark.parametrize(("packed", "dot"), [(True, "-"), (False, "-"), (False, ".")])
def test_idx_files_keep_their_official_test_part(tmp_path: Path, packed: bool, dot: str) -> None:
    write_idx(tmp_path, packed=packed, dot=dot)

    dataset = load(IdxSettings(root="."), tmp_path)

    assert np.array_equal(dataset.images[..., 0], IMAGES)
    assert dataset.labels.tolist() == LABELS.tolist()
    assert split(dataset, IdxSettings().split, 1).test.tolist() == [4, 5]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is no IDX file"),
        (b"\0\0\x08\x03\0", "is no IDX file"),
        (b"PK\3\4" + bytes(40), "is no IDX file"),
        (b"\0\0\x0d\x03" + bytes(12), "needed are unsigned bytes"),
        (idx(IMAGES[:4])[:-1], "is cut short"),
        (idx(IMAGES[:4]) + b"x", "has bytes after the data"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "at most"),
        (gzip.compress(idx(IMAGES[:4]))[:-9], "is a damaged gzip file"),
        (gzip.compress(idx(IMAGES[:4]) + bytes(50_000_000)), "has bytes after the data"),
        (idx(IMAGES[:3]), "3 images"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_broken_idx_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, expected: str) -> None:
    write_idx(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)

    assert expected in refusal(IdxSettings(root="."), tmp_path)


def test_missing_idx_files_are_named(tmp_path: Path) -> None:
    assert "looked for train-images-idx3-ubyte, train-images-idx3-ubyte.gz" in refusal(IdxSettings(root="."), tmp_path)
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert "has no test labels" in refusal(IdxSettings(root="."), tmp_path)


def test_a_packed_file_is_unpacked_no_further_than_its_head_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx_format, "MAX_BYTES", 10_000)
    write_idx(tmp_path)
    bomb = bytes((0, 0, 8, 3)) + b"".join(size.to_bytes(4, "big") for size in (100, 100, 100)) + bytes(1_000_000)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(gzip.compress(bomb))

    assert "claims (100, 100, 100), 1000000 bytes; at most 10000" in refusal(IdxSettings(root="."), tmp_path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_files_give_what_was_saved(tmp_path: Path, order: str) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.array(IMAGES, order=order), labels=LABELS)  # type: ignore[call-overload]

    dataset = load(NpzSettings(root="a.npz"), tmp_path)

    assert np.array_equal(dataset.images[..., 0], IMAGES)
    assert dataset.class_names == ("0", "1", "2")


def test_npz_floats_are_taken_in_unit_range_and_otherwise_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=IMAGES / 255.0, y=LABELS)
    np.savez(tmp_path / "b.npz", x=IMAGES / 2.0, y=LABELS)
    keys = {"images_key": "x", "labels_key": "y"}

    assert load(NpzSettings(root="a.npz", **keys), tmp_path).images.dtype == np.float32  # type: ignore[arg-type]
    assert "scale them to [0, 1]" in refusal(NpzSettings(root="b.npz", **keys), tmp_path)  # type: ignore[arg-type]
    assert load(NpzSettings(root="b.npz", normalise="standard", **keys), tmp_path).top == 1.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"images": IMAGES}, "has no array 'labels'"),
        ({"image": IMAGES, "labels": LABELS}, "did you mean image?"),
        ({"images": IMAGES, "labels": LABELS / 2}, "needed are whole numbers"),
        ({"images": IMAGES.astype(np.int32), "labels": LABELS}, "needed are uint8 or floats"),
        ({"images": IMAGES[0], "labels": LABELS}, "have 2 dimensions"),
        ({"images": np.array([{}, {}], dtype=object), "labels": LABELS}, "Python objects, which are never loaded"),
        ({"images": IMAGES, "labels": LABELS.astype(np.int64) + 10**12}, "labels count from 0"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "is empty"),
        ({"images": IMAGES, "labels": LABELS * 0}, "has 1 class; at least 2 are needed"),
    ],
)
def test_npz_arrays_that_will_not_do_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], expected: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]

    assert expected in refusal(NpzSettings(root="a.npz"), tmp_path)


def test_an_npz_head_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 9, 9)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", head.getvalue() + bytes(100))
    (tmp_path / "b.npz").write_bytes(b"no zip at all")

    assert "does not hold just that" in refusal(NpzSettings(root="a.npz"), tmp_path)
    assert "is no sound .npz file" in refusal(NpzSettings(root="b.npz"), tmp_path)


def test_folders_name_the_classes_in_byte_order_whatever_else_lies_there(tmp_path: Path) -> None:
    write_folders(tmp_path, ("zebra", "ape", "Öl"))
    (tmp_path / "ape" / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden").mkdir()

    dataset = load(FoldersSettings(root="."), tmp_path)

    assert dataset.class_names == ("ape", "zebra", "Öl")
    assert dataset.images.shape == (9, 6, 5, 3)
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_pictures_of_any_kind_become_eight_bits_of_the_wanted_size_and_channels(tmp_path: Path) -> None:
    write_folders(tmp_path)
    sixteen = np.full((9, 7), 0xABCD, dtype=np.uint16)
    Image.fromarray(sixteen).save(tmp_path / "cat" / "sixteen.png")
    Image.new("RGBA", (3, 3), (200, 200, 200, 0)).save(tmp_path / "cat" / "seen_through.png")

    dataset = load(FoldersSettings(root=".", rows=4, cols=6, channels=1), tmp_path)

    assert dataset.images.shape == (8, 4, 6, 1)
    assert np.unique(dataset.images[3]).tolist() == [0]  # seen_through.png, over black
    assert np.unique(dataset.images[4]).tolist() == [0xAB]


def test_pictures_that_cannot_be_read_are_all_named_and_labels_never_shift(tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "cat" / "empty.png").touch()
    (tmp_path / "dog" / "torn.png").write_bytes((tmp_path / "dog" / "1.png").read_bytes()[:40])

    text = refusal(FoldersSettings(root="."), tmp_path)

    assert "repair or remove 2 files" in text
    assert "empty.png" in text and "torn.png" in text


def test_pictures_of_different_sizes_need_a_size(tmp_path: Path) -> None:
    write_folders(tmp_path)
    Image.new("RGB", (9, 9)).save(tmp_path / "dog" / "wide.png")

    assert "set data.rows and data.cols" in refusal(FoldersSettings(root="."), tmp_path)
    assert load(FoldersSettings(root=".", rows=6, cols=5), tmp_path).images.shape == (7, 6, 5, 3)


@pytest.mark.parametrize("missing", ["class", "file", "root"])
def test_folders_without_classes_or_files_are_refused(tmp_path: Path, missing: str) -> None:
    write_folders(tmp_path / "data", ("cat",) if missing == "class" else ("cat", "dog"))
    if missing == "file":
        for path in (tmp_path / "data" / "dog").iterdir():
            path.unlink()

    text = refusal(FoldersSettings(root="nowhere" if missing == "root" else "data"), tmp_path)

    expected = {"class": "1 class folders; at least 2", "file": "holds no file", "root": "cannot be read"}
    assert expected[missing] in text


def test_a_picture_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folders(tmp_path)
    Image.new("L", (2000, 2000)).save(tmp_path / "cat" / "bomb.png")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000_000)

    text = refusal(FoldersSettings(root=".", rows=6, cols=5), tmp_path)

    assert "bomb.png: picture refused: too large: 4 megapixels, at most 1" in text


def test_folders_without_a_decoder_say_who_has_one(tmp_path: Path) -> None:
    write_folders(tmp_path)

    with pytest.raises(DataRefusedError, match="supervisor train"):
        load_dataset(FoldersSettings(root="."), Place(tmp_path, 3))


def test_a_file_of_too_many_bytes_and_a_pipe_are_refused_without_waiting(
    tmp_path: Path, make_pipe: Callable[[Path], None]
) -> None:
    make_pipe(tmp_path / "pipe.npz")
    with (tmp_path / "huge.npz").open("wb") as file:
        file.truncate(5 * 1024**3)

    assert "is no plain file" in refusal(NpzSettings(root="pipe.npz"), tmp_path)
    assert "has 5368709120 bytes; at most" in refusal(NpzSettings(root="huge.npz"), tmp_path)


def test_a_source_that_needs_a_root_says_so() -> None:
    assert "data.root is empty" in refusal(IdxSettings(), Path())
    assert "leave it empty" in refusal(DigitsSettings(root="x"), Path())


def striped(name: str, number: int) -> Picture:
    """A picture whose regions have colours of their own: 0, 128 and 255."""
    pixels = np.zeros((40, 200, 3), dtype=np.uint8)
    for region, level in (("train", 0), ("probe", 128), ("test", 255)):
        low, high = (round(200 * edge) for edge in SPLIT[region])  # type: ignore[index]
        pixels[:, low:high] = level
    pixels[0, 0, 0] = number
    image_id = f"00000000-0000-5000-8000-00000000000{number}"
    return Picture(image_id=image_id, name=name, height=40, width=200, rgb=pixels.tobytes())


def test_patches_train_validate_and_test_on_the_region_of_that_name_alone() -> None:
    # issue 9: no dream, which is born from the region `train`, has seen what validates or tests
    inputs = InputSet(pictures=(striped("a", 1), striped("b", 2)), factoids=())

    dataset = load(PatchesSettings(rows=8, cols=8), Path(), inputs)
    splits = split(dataset, PatchesSettings().split, 1)

    assert np.unique(dataset.images[splits.train][:, 1:]).tolist() == [0]
    assert np.unique(dataset.images[splits.val]).tolist() == [128]
    assert np.unique(dataset.images[splits.test]).tolist() == [255]
    assert splits.counts(dataset) == {"train": [64, 64], "val": [32, 32], "test": [32, 32]}


def test_another_picture_moves_no_patch_and_the_seed_moves_all(inputs: InputSet) -> None:
    two = InputSet(pictures=inputs.pictures[1:], factoids=())
    settings = PatchesSettings(rows=16, cols=16, train_per_picture=4, val_per_picture=2, test_per_picture=2)

    three, fewer = load(settings, Path(), inputs), load(settings, Path(), two)

    other = load_dataset(settings, Place(Path(), 4, inputs))
    assert np.array_equal(three.images[8:], fewer.images)
    assert not np.array_equal(three.images, other.images)


def test_patches_come_from_a_file_of_inputs_as_well(tmp_path: Path, inputs: InputSet) -> None:
    (tmp_path / "set.msgpack").write_bytes(inputs.to_bytes())
    (tmp_path / "torn.msgpack").write_bytes(inputs.to_bytes()[:-9])

    by_file = load(PatchesSettings(root="set.msgpack", rows=16, cols=16), tmp_path)

    assert by_file.digest == load(PatchesSettings(rows=16, cols=16), tmp_path, inputs).digest
    assert "is no input set" in refusal(PatchesSettings(root="torn.msgpack"), tmp_path)


def test_patches_that_do_not_fit_their_region_and_lonely_pictures_are_refused(inputs: InputSet) -> None:
    lonely = InputSet(pictures=inputs.pictures[:1], factoids=())

    assert "too small for 32 x 32" in refusal(PatchesSettings(), Path(), inputs)
    assert "at least 2 pictures, found 1" in refusal(PatchesSettings(), Path(), lonely)
    assert "no pictures are given" in refusal(PatchesSettings(), Path())
