"""DICOM files become grey images, patients are kept together (issue 9, datasets; needs the extra `dicom`)."""

from pathlib import Path

import numpy as np
import pytest

from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import DicomSettings, SplitSettings
from actors.learner.trainer.datasets.splitting import split
from schemas.errors import OneirosError

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")

SETTINGS = DicomSettings(root=".", rows=8, cols=6)


def write(path: Path, pixels: np.ndarray, patient: str = "p", **changed: object) -> None:
    """A small uncompressed file of u16 `pixels` [rows, cols] or [frames, rows, cols]."""
    record = pydicom.dataset.FileDataset(None, {}, preamble=bytes(128))
    record.file_meta = pydicom.dataset.FileMetaDataset()
    record.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    record.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    record.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    record.PatientID = patient
    record.Rows, record.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        record.NumberOfFrames = len(pixels)
    record.SamplesPerPixel, record.PhotometricInterpretation = 1, "MONOCHROME2"
    record.BitsAllocated, record.BitsStored, record.HighBit, record.PixelRepresentation = 16, 12, 11, 0
    for key, value in changed.items():
        setattr(record, key, value)
    record.PixelData = pixels.astype("<u2").tobytes()
    path.parent.mkdir(exist_ok=True)
    pydicom.dcmwrite(path, record, enforce_file_format=True)


def load(base: Path, settings: DicomSettings = SETTINGS) -> Dataset:
    return load_dataset(settings, Place(base, 1))


def test_values_are_scaled_by_what_the_bits_can_hold_or_by_the_window(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 48).reshape(8, 6).astype(np.uint16)
    write(tmp_path / "a" / "1.dcm", ramp)
    write(tmp_path / "b" / "1.dcm", ramp, RescaleSlope="1", RescaleIntercept="-1024")

    whole = load(tmp_path)
    window = load(tmp_path, SETTINGS.model_copy(update={"low": -1024.0, "high": 0.0}))

    np.testing.assert_allclose(whole.images[0, ..., 0], ramp / 4095, atol=1e-6)
    np.testing.assert_allclose(whole.images[1], whole.images[0])
    np.testing.assert_allclose(window.images[1, ..., 0], np.clip(ramp / 1024, 0, 1), atol=1e-6)


def test_more_is_brighter_and_every_frame_is_a_sample_of_the_wanted_size(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.dcm", np.zeros((8, 6)), PhotometricInterpretation="MONOCHROME1")
    write(tmp_path / "b" / "1.dcm", np.full((3, 16, 12), 4095))

    dataset = load(tmp_path)

    assert dataset.images.shape == (4, 8, 6, 1)
    assert np.unique(dataset.images).tolist() == [1.0]
    assert dataset.labels.tolist() == [0, 1, 1, 1]


def test_frames_of_a_patient_lie_on_one_side(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(24):
        pixels = generator.integers(0, 4096, (4, 8, 6))
        write(tmp_path / "ab"[number % 2] / f"{number}.dcm", pixels, patient=f"patient {number // 2}")
    dataset = load(tmp_path)

    splits = split(dataset, SplitSettings(train=0.5, val=0.25, test=0.25), 1)

    groups = [{dataset.group_hashes[i].tobytes() for i in part} for part in (splits.train, splits.val, splits.test)]
    assert all(groups)
    assert sum(len(group) for group in groups) == len(set.union(*groups)) == 12


def test_frames_are_scaled_by_area_means(tmp_path: Path) -> None:
    quarters = np.kron(np.array([[0, 4095], [4095, 0]]), np.ones((3, 3), dtype=int))
    write(tmp_path / "a" / "1.dcm", quarters)
    write(tmp_path / "b" / "1.dcm", quarters[:1, :1])

    dataset = load(tmp_path, SETTINGS.model_copy(update={"rows": 4, "cols": 1}))

    np.testing.assert_allclose(dataset.images[0].ravel(), 0.5)
    np.testing.assert_allclose(dataset.images[1].ravel(), 0.0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"SamplesPerPixel": 3}, "is in colour"),
        ({"Rows": 60000, "Columns": 60000}, "at most"),
        ({"Rows": 9}, "cannot be read as DICOM"),
    ],
)
def test_files_that_will_not_do_are_named(tmp_path: Path, changed: dict[str, object], expected: str) -> None:
    write(tmp_path / "a" / "1.dcm", np.zeros((8, 6)))
    write(tmp_path / "b" / "odd.dcm", np.zeros((8, 6)), **changed)

    with pytest.raises(OneirosError, match=expected) as caught:
        load(tmp_path)

    assert "odd.dcm" in str(caught.value)


def test_pixels_that_need_a_picture_decoder_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.dcm", np.zeros((8, 6)))
    write(tmp_path / "b" / "1.dcm", np.zeros((8, 6)))
    packed = pydicom.dcmread(tmp_path / "b" / "1.dcm")
    packed.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    packed.PixelData = pydicom.encaps.encapsulate([b"no jpeg"])
    packed["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(tmp_path / "b" / "1.dcm", packed, enforce_file_format=True)

    with pytest.raises(OneirosError, match=r"packed as JPEG 2000 .* which no actor decodes"):
        load(tmp_path)


def test_a_file_that_is_packed_as_a_whole_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.dcm", np.zeros((8, 6)))
    write(tmp_path / "b" / "1.dcm", np.zeros((8, 6)))
    packed = pydicom.dcmread(tmp_path / "b" / "1.dcm")
    packed.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "b" / "1.dcm", packed, enforce_file_format=True)

    with pytest.raises(OneirosError, match="is packed as a whole"):
        load(tmp_path)


def test_what_is_no_dicom_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.dcm", np.zeros((8, 6)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "text.dcm").write_text("nothing of the kind")

    with pytest.raises(OneirosError, match=r"text\.dcm: cannot be read as DICOM"):
        load(tmp_path)
