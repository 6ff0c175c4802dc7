"""The IDX format of MNIST and its kin: a small head, then bytes.

In: a plain or gzip file. Out: u8 arrays of the shape that the head names. Refused: another type than unsigned bytes, a
head or data cut short, bytes after the data, a shape larger than allowed; no more is ever unpacked than the head
promises, so a small file cannot become a large one.
"""

import gzip
import io
import math
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import MAX_BYTES, DataRefusedError
from actors.learner.trainer.reading import read_file

UNSIGNED_BYTES: Final = 8
GZIP: Final = b"\x1f\x8b"
MAX_SIDES: Final = 4


def read_idx(path: Path, sides: int) -> npt.NDArray[np.uint8]:
    """The array of `sides` dimensions in the file at `path`; raises DataRefusedError and FileRefusedError."""
    raw = read_file(path, MAX_BYTES)
    stream: gzip.GzipFile | io.BytesIO = io.BytesIO(raw)
    if raw.startswith(GZIP):
        stream = gzip.GzipFile(fileobj=stream)
    try:
        return _read(stream, path, sides)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataRefusedError(f"{path}: is a damaged gzip file ({error}); fetch it again") from error


def _read(stream: gzip.GzipFile | io.BytesIO, path: Path, sides: int) -> npt.NDArray[np.uint8]:
    head = stream.read(4 + 4 * sides)
    if len(head) < 4 + 4 * sides or head[:2] != b"\0\0":
        raise DataRefusedError(f"{path}: is no IDX file; its head is {head[:4].hex() or 'missing'}")
    if head[2] != UNSIGNED_BYTES or head[3] != sides:
        raise DataRefusedError(
            f"{path}: holds type {head[2]:#04x} in {head[3]} dimensions; needed are unsigned bytes (0x08) in {sides}"
        )
    shape = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(4, len(head), 4))
    size = math.prod(shape)
    if size > MAX_BYTES:
        raise DataRefusedError(f"{path}: claims {shape}, {size} bytes; at most {MAX_BYTES} are taken")
    data = stream.read(size)
    if len(data) < size:
        raise DataRefusedError(f"{path}: is cut short: {len(data)} bytes of data, {shape} needs {size}")
    if stream.read(1):
        raise DataRefusedError(f"{path}: has bytes after the data of {shape}; it is damaged")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
