"""Decoding one picture file into the RGB pixels that a run works with; the only file that decodes with Pillow.

In: a path and the shorter side wanted. Out: u8 [height, width, 3] with `min(height, width) == side` and the longer side
at most twice that, the middle being kept. For a dataset of pictures: a path and the size and channels; out: that.
Refused, with a reason in words: what is no picture, is cut short or damaged, is smaller than 16 pixels a side (for a
run), or so large that it may be a decompression bomb.

The orientation that a camera recorded is applied; colour profiles are not. Transparency is laid over black, sixteen-bit
samples keep their upper eight bits, and an animation gives its first frame.
"""

import re
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from supervisor.errors import SupervisorError

if TYPE_CHECKING:
    from PIL.Image import Image as Frame

FORMATS: Final = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "AVIF", "JPEG2000")
"""Raster formats that Pillow decodes itself; formats that start other programs are left out."""
PICTURE_SUFFIXES: Final = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".tga", ".avif", ".jp2")
)
MIN_SIDE: Final = 16
MAX_ASPECT: Final = 2
MAX_PIXELS: Final = 128 * 1024 * 1024
MEGA: Final = 1_000_000

Pixels = npt.NDArray[np.uint8]


class PictureRefusedError(SupervisorError):
    """A file is not a picture that can be used; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"picture refused: {reason}")


def decode_picture(path: Path, side: int) -> Pixels:
    """The pixels of the picture at `path`, u8 [height, width, 3], scaled to a shorter side of `side` pixels.

    Raises PictureRefusedError.
    """
    return _decoded(lambda: _scaled(path, side))


def decode_sized(path: Path, size: tuple[int, int], channels: int) -> Pixels:
    """The whole picture at `path`, u8 [rows, cols, channels], of `size` (rows, cols) or, where that is (0, 0), its own.

    One channel is its luminance, three are RGB. Raises PictureRefusedError.
    """
    pixels = _decoded(lambda: _sized(path, size, channels))
    return pixels.reshape(*pixels.shape[:2], channels)


def _decoded(read: Callable[[], "Frame"]) -> Pixels:
    """The pixels of what `read` decodes, whose errors become reasons."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is of no concern here
        try:
            return np.asarray(read())
        except PictureRefusedError:
            raise
        except OSError as error:
            raise PictureRefusedError(_reason(error)) from error
        except Image.DecompressionBombError as error:
            raise PictureRefusedError(_too_large(_pixels_in(str(error)))) from error
        except Exception as error:  # a decoder fed damaged bytes fails with whatever its parser trips on
            raise PictureRefusedError(f"damaged ({type(error).__name__}: {error})") from error


def _scaled(path: Path, side: int) -> "Frame":
    from PIL import Image, ImageOps

    _check_file(path)
    with Image.open(path, formats=FORMATS) as opened:
        width, height = opened.size
        _check_size(width, height, MIN_SIDE)
        reach = 2 * side / min(width, height)
        opened.draft(None, (round(width * reach), round(height * reach)))  # a JPEG decodes no more than is needed
        picture = _to_rgb(ImageOps.exif_transpose(opened))
    picture = _cropped(picture)
    factor = side / min(picture.size)
    size = (max(side, round(picture.width * factor)), max(side, round(picture.height * factor)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _sized(path: Path, size: tuple[int, int], channels: int) -> "Frame":
    from PIL import Image, ImageOps

    _check_file(path)
    with Image.open(path, formats=FORMATS) as opened:
        _check_size(*opened.size, 1)
        picture = _to_rgb(ImageOps.exif_transpose(opened)).convert("L" if channels == 1 else "RGB")
    rows, cols = size
    if size == (0, 0) or picture.size == (cols, rows):
        return picture
    return picture.resize((cols, rows), Image.Resampling.LANCZOS)


def _check_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PictureRefusedError("not a plain file")
    if status.st_size == 0:
        raise PictureRefusedError("the file is empty")


def _check_size(width: int, height: int, least: int) -> None:
    if min(width, height) < least:
        raise PictureRefusedError(f"{width} x {height} pixels, at least {least} x {least} are needed")
    if width * height > MAX_PIXELS:
        raise PictureRefusedError(_too_large(width * height))


def _too_large(pixels: int | None) -> str:
    found = "" if pixels is None else f"{pixels / MEGA:.0f} megapixels, "
    return f"too large: {found}at most {MAX_PIXELS // MEGA}"


def _pixels_in(message: str) -> int | None:
    """The number of pixels that Pillow names when it refuses a picture before we have seen its size."""
    found = re.search(r"(\d+) pixels", message)
    return int(found.group(1)) if found is not None else None


def _to_rgb(picture: "Frame") -> "Frame":
    from PIL import Image

    if picture.mode.startswith("I"):
        samples = np.asarray(picture)
        return Image.fromarray((np.clip(samples, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise PictureRefusedError("floating-point samples, 8 or 16 bits are needed")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, (0, 0, 0, 255)), layered).convert("RGB")
    return picture.convert("RGB")


def _cropped(picture: "Frame") -> "Frame":
    width, height = picture.size
    limit = MAX_ASPECT * min(width, height)
    if max(width, height) <= limit:
        return picture
    kept_width, kept_height = min(width, limit), min(height, limit)
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return picture.crop((left, top, left + kept_width, top + kept_height))


def _reason(error: OSError) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format, or its head is damaged"
    return f"cannot be read ({error.strerror or error})"
