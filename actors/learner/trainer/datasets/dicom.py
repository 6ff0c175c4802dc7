"""Datasets of DICOM files in class folders; needs the extra `dicom` (pydicom).

In: settings and a folder. Out: a `Dataset` of grey f32 images in [0, 1], one for each frame, scaled to one size. Values
are those of the modality (rescale slope and intercept), clipped to `low` and `high`, or to the range that the file's
bits can hold; MONOCHROME1 is turned, so that more is brighter. Frames of one patient are one group, by the SHA-256 of
the patient's id, which is kept nowhere. Refused, all by name: files that are packed as a whole, without pixels, in
colour or with pixels in a form that nothing here decodes; more pixels than fit.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.class_folders import find_class_files, refuse_if_any
from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset, Facts, dataset_of, sum_of_bytes
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import MAX_SIDE, DicomSettings
from actors.learner.trainer.reading import FileRefusedError, read_file

SUFFIXES: Final = frozenset((".dcm", ".dicom", ""))
MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
RUN_LENGTH: Final = "1.2.840.10008.1.2.5"
HEAD_BYTES: Final = 4096
"""Where a file says how it is packed."""
MAX_VALUES: Final = 16 * MAX_SIDE * MAX_SIDE
"""Most pixel values of one file, over its frames."""

Frames = npt.NDArray[np.float32]


def load_dicom(settings: DicomSettings, place: Place) -> Dataset:
    """The dataset in the class folders of `data.root`; raises DataRefusedError."""
    _require_pydicom()
    root = place.root(settings)
    found = find_class_files(root, "dicom", lambda path: path.suffix.lower() in SUFFIXES)
    images: list[Frames] = []
    labels: list[int] = []
    groups: list[bytes] = []
    refused: list[FileRefusedError] = []
    for file in found.files:
        try:
            frames, patient = read_frames(file.path, settings)
        except FileRefusedError as error:
            refused.append(error)
            continue
        images.append(frames)
        labels.extend([file.label] * len(frames))
        groups.extend([patient] * len(frames))
        sum_of_bytes(len(labels), (settings.rows, settings.cols), 4, f"dicom: {root}")
    refuse_if_any(refused, "dicom")
    together = np.frombuffer(b"".join(groups), dtype=np.uint8).reshape(len(groups), -1).copy()
    kept = together if settings.keep_patients_together else None
    facts = Facts(found.names, "dicom", 1.0, group_hashes=kept)
    return dataset_of(np.concatenate(images), np.array(labels, dtype=np.intp), facts)


def read_frames(path: Path, settings: DicomSettings) -> tuple[Frames, bytes]:
    """The frames of one file, f32 [n, rows, cols, 1] in [0, 1], and the SHA-256 of its patient's id, 32 bytes.

    A file without a patient's id is a patient of its own. Raises FileRefusedError.
    """
    import pydicom  # noqa: PLC0415 - an extra

    content = read_file(path, MAX_FILE_BYTES)
    if DEFLATED in content[:HEAD_BYTES]:
        raise FileRefusedError(path, "is packed as a whole (deflate), which may unpack to anything; store it unpacked")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of odd padding and metadata, which are of no concern here
            record = pydicom.dcmread(io.BytesIO(content))
            _check(record, path)
            values = _values(record)
            low, high = _range(record, settings)
    except FileRefusedError:
        raise
    except Exception as error:  # a parser fed damaged bytes fails with whatever it trips on
        reason = (str(error).splitlines() or [""])[0]
        raise FileRefusedError(path, f"cannot be read as DICOM ({type(error).__name__}: {reason})") from error
    shares = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    if record.PhotometricInterpretation == "MONOCHROME1":
        shares = np.float32(1.0) - shares
    patient = str(record.get("PatientID", "") or "").encode()
    return _scaled(shares, (settings.rows, settings.cols)), hashlib.sha256(patient or content).digest()


def _check(record: Any, path: Path) -> None:
    syntax = record.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax != RUN_LENGTH:
        raise FileRefusedError(path, f"has pixels packed as {syntax.name}, which no actor decodes; store them unpacked")
    if "PixelData" not in record:
        raise FileRefusedError(path, "holds no pixels")
    if int(record.get("SamplesPerPixel", 1)) != 1:
        raise FileRefusedError(path, "is in colour; grey pictures (MONOCHROME1, MONOCHROME2) are read")
    values = int(record.Rows) * int(record.Columns) * int(record.get("NumberOfFrames", 1) or 1)
    if values > MAX_VALUES:
        raise FileRefusedError(path, f"has {values} pixel values; at most {MAX_VALUES} are taken")


def _values(record: Any) -> npt.NDArray[np.float64]:
    """Values of the modality, f64 [frames, rows, cols]."""
    stored = np.asarray(record.pixel_array, dtype=np.float64)
    frames = stored.reshape(-1, int(record.Rows), int(record.Columns))
    return frames * _slope(record) + float(record.get("RescaleIntercept", 0) or 0)


def _slope(record: Any) -> float:
    return float(record.get("RescaleSlope", 1) or 1)


def _range(record: Any, settings: DicomSettings) -> tuple[float, float]:
    """Value that becomes 0 and value that becomes 1."""
    if settings.high > settings.low:
        return settings.low, settings.high
    bits = int(record.BitsStored)
    first = -(2 ** (bits - 1)) if int(record.PixelRepresentation) else 0
    ends = [
        value * _slope(record) + float(record.get("RescaleIntercept", 0) or 0) for value in (first, first + 2**bits - 1)
    ]
    return min(ends), max(ends)


def _scaled(frames: Frames, size: tuple[int, int]) -> Frames:
    """Area means f32 [n, rows, cols, 1] of frames [n, height, width]."""
    if frames.shape[1:] != size:
        over_rows = area_weights(frames.shape[1], size[0]) @ frames.astype(np.float64)
        means = over_rows @ area_weights(frames.shape[2], size[1]).T
        frames = np.clip(means, 0.0, 1.0).astype(np.float32)
    return frames[..., None]


def area_weights(pixels: int, cells: int) -> npt.NDArray[np.float64]:
    """f64 [cells, pixels]: share of cell i, which spans [i, i + 1) * pixels / cells, that each pixel covers."""
    edges = np.arange(cells + 1, dtype=np.float64) * pixels / cells
    places = np.arange(pixels, dtype=np.float64)
    covered = np.minimum(edges[1:, None], places + 1.0) - np.maximum(edges[:-1, None], places)
    weights: npt.NDArray[np.float64] = np.maximum(covered, 0.0) * cells / pixels
    return weights


def _require_pydicom() -> None:
    try:
        import pydicom  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise DataRefusedError("dicom: needs pydicom; install it with `pip install 'oneiros[dicom]'`") from error
