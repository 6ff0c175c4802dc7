"""Chromatic tensors as bytes: one definition for the dreamer, the pool, the learner and every reader outside.

A chromatic tensor is f32 little-endian in C order [rows, cols, layers, 3], red green blue in [0, 1] (design, 5.15). Its
identity is the SHA-256 of that raw buffer; what is stored and sent is the buffer under zstd level 1. Anything else is
refused: wrong size, wrong shape, NaN, infinity, values outside [0, 1], bytes after the frame.
"""

import hashlib
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from schemas import compression
from schemas.errors import TensorRefusedError

Tensor = npt.NDArray[np.float32]

MAX_SIDE: Final = 1024
MAX_LAYERS: Final = 64
MAX_RAW_BYTES: Final = 64 * 1024 * 1024

Shape = tuple[
    Annotated[int, Field(ge=1, le=MAX_SIDE)],
    Annotated[int, Field(ge=1, le=MAX_SIDE)],
    Annotated[int, Field(ge=1, le=MAX_LAYERS)],
]
"""Rows, columns, layers."""


def raw_size(shape: tuple[int, int, int]) -> int:
    """Bytes of the raw buffer of a tensor of `shape` (rows, cols, layers)."""
    rows, cols, layers = shape
    return rows * cols * layers * 3 * 4


def encode(tensor: Tensor) -> tuple[bytes, bytes]:
    """The compressed blob and the SHA-256 of the raw buffer of `tensor` [rows, cols, layers, 3] f32.

    Raises TensorRefusedError when the array is not a chromatic tensor.
    """
    _check(tensor)
    raw = np.ascontiguousarray(tensor, dtype="<f4").tobytes()
    return compression.compress(raw), hashlib.sha256(raw).digest()


def decode(blob: bytes, shape: tuple[int, int, int], sha256: bytes) -> Tensor:
    """The tensor [rows, cols, layers, 3] f32 held in `blob`, verified against `sha256`.

    Raises TensorRefusedError naming what is wrong.
    """
    raw = decompress(blob, shape)
    if hashlib.sha256(raw).digest() != sha256:
        raise TensorRefusedError("sha256 of the raw buffer differs from the one declared")
    rows, cols, layers = shape
    tensor: Tensor = np.frombuffer(raw, dtype="<f4").reshape(rows, cols, layers, 3)
    _check(tensor)
    return tensor


def decompress(blob: bytes, shape: tuple[int, int, int]) -> bytes:
    """The raw buffer held in `blob`, whose size must be that of `shape`; raises TensorRefusedError."""
    expected = raw_size(shape)
    if expected > MAX_RAW_BYTES:
        raise TensorRefusedError(f"shape {shape} needs {expected} bytes, the limit is {MAX_RAW_BYTES}")
    try:
        declared = compression.content_bytes(blob)
        if declared != expected:
            told = "none" if declared is None else declared
            raise TensorRefusedError(f"shape {shape} needs {expected} raw bytes, the blob declares {told}")
        return compression.decompress(blob, expected)
    except compression.CompressionError as error:
        raise TensorRefusedError(f"blob is not one zstd frame ({error})") from error


def _check(tensor: npt.NDArray[Any]) -> None:
    if tensor.dtype != np.float32:
        raise TensorRefusedError(f"dtype is {tensor.dtype}, float32 is required")
    if tensor.ndim != 4 or tensor.shape[3] != 3:
        raise TensorRefusedError(f"shape is {tensor.shape}, [rows, cols, layers, 3] is required")
    if tensor.nbytes > MAX_RAW_BYTES or max(tensor.shape[:2]) > MAX_SIDE or tensor.shape[2] > MAX_LAYERS:
        raise TensorRefusedError(f"shape {tensor.shape} is over the limit of {MAX_SIDE} a side, {MAX_LAYERS} layers")
    if tensor.size == 0:
        raise TensorRefusedError("an empty tensor")
    low, high = float(tensor.min()), float(tensor.max())
    if not (low >= 0.0 and high <= 1.0):
        raise TensorRefusedError(f"values span [{low}, {high}], finite values in [0, 1] are required")
