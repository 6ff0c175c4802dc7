"""zstd, by the zstandard package, or in python where that is missing.

In: raw bytes, or one frame. Out: a frame that tells its content's size, or the content. The program itself always has
the package; a guest's virtual environment need not, and reads the same bytes more slowly (`schemas.zstd_frame`).
Refused with `CompressionError`: what is no single frame of the size that was asked for.
"""

from functools import cache
from typing import Final

from schemas import zstd_frame
from schemas.zstd_block import FrameError

try:
    import zstandard
except ImportError:
    has_package = False
else:
    has_package = True

LEVEL: Final = 1


class CompressionError(ValueError):
    """The bytes are not one frame with the content that was asked for."""


def compress(raw: bytes) -> bytes:
    """A frame that holds `raw`."""
    return _compressor().compress(raw) if has_package else zstd_frame.store(raw)


def content_bytes(frame: bytes) -> int | None:
    """The size of the content that `frame` announces; None when it announces none. Raises CompressionError."""
    if not has_package:
        try:
            return zstd_frame.read_head(frame).content_bytes
        except FrameError as error:
            raise CompressionError(str(error)) from error
    try:
        size = zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise CompressionError(str(error)) from error
    return None if size < 0 else size


def decompress(frame: bytes, size: int) -> bytes:
    """The content of `frame`, which has at most `size` bytes; raises CompressionError."""
    if not has_package:
        try:
            return zstd_frame.decompress(bytes(frame), size)
        except FrameError as error:
            raise CompressionError(str(error)) from error
    try:
        return _decompressor().decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CompressionError(str(error)) from error


@cache
def _compressor() -> "zstandard.ZstdCompressor":
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)


@cache
def _decompressor() -> "zstandard.ZstdDecompressor":
    return zstandard.ZstdDecompressor()
