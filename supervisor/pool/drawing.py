"""A dream as a picture: its layers side by side, in a PNG file.

In: a tensor [rows, cols, layers, 3], values in [0, 1]. Out: the bytes of a PNG, 8 bits a sample, each value of the
tensor a square of pixels; the same tensor gives the same bytes. It needs no library for pictures: a PNG is three chunks
around zlib (PNG specification, third edition, section 5).
"""

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.tensor import Tensor

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
WANTED_SIDE: Final = 256
"""Pixels that the longer side of a layer has at least."""
GAP: Final = 4
"""Pixels between two layers."""

Pixels = npt.NDArray[np.uint8]


def draw_png(tensor: Tensor) -> bytes:
    """The PNG of `tensor`."""
    return encode_png(lay_out(tensor))


def lay_out(tensor: Tensor) -> Pixels:
    """The layers of `tensor` from left to right, u8 [height, width, 3]."""
    rows, cols, layers, _ = tensor.shape
    scale = max(1, -(-WANTED_SIDE // max(rows, cols)))
    picture = np.zeros((rows * scale, layers * (cols * scale + GAP) - GAP, 3), dtype=np.uint8)
    samples = np.floor(tensor * 255.0 + 0.5).astype(np.uint8)
    for layer in range(layers):
        left = layer * (cols * scale + GAP)
        enlarged = samples[:, :, layer].repeat(scale, axis=0).repeat(scale, axis=1)
        picture[:, left : left + cols * scale] = enlarged
    return picture


def encode_png(picture: Pixels) -> bytes:
    """`picture` u8 [height, width, 3] as a PNG."""
    height, width, _ = picture.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    unfiltered = np.zeros((height, 1 + 3 * width), dtype=np.uint8)
    unfiltered[:, 1:] = picture.reshape(height, 3 * width)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)), (b"IEND", b"")
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
