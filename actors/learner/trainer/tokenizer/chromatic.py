"""Images as chromatic patches and back, exactly: a patch is a hue, a saturation, a luminance, a place, and the rest.

In: u8 or f32 images [n, rows, cols, 1 or 3]. Out: u32 tokens [n, length], and from them the same images, bit for bit
(NaN and -0.0 of f32 included). The mean colour of a patch is named by one of 12 hue sectors around 0, 30, ... 330
degrees, or a sector of its own for grey (design, 5.1), and by S and L of HSL in 256 steps; all of it is whole-number
arithmetic. The residual, one token for each byte, is what the named colour lacks. Edges that no patch fills are filled
with their last pixels and cut off again. Refused: other shapes and types; tokens in an order that no image has, with
the place of the first.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.tokenizer.colour_names import (
    LUMINANCES,
    SATURATIONS,
    SECTORS,
    ColourNames,
    colour_of,
    name_colours,
)
from actors.learner.trainer.tokenizer.settings import ChromaticSettings
from actors.learner.trainer.tokenizer.text import TokensRefusedError
from schemas.errors import OneirosError

LAYOUT: Final = "chromatic-1"
MAX_SIDE: Final = 4096
MAX_TOKENS: Final = 2**30
"""Most tokens of one call."""
HEAD: Final = 5
"""Tokens before the first patch: type, rows, cols, channels, side of a patch."""
PATCH_HEAD: Final = 5
"""Tokens before the residual of a patch: hue, S, L, row and column of the patch."""

U8: Final = 0
F32: Final = 1
NUMBERS: Final = 16
HUES: Final = NUMBERS + MAX_SIDE + 1
SATURATION: Final = HUES + SECTORS + 1
LUMINANCE: Final = SATURATION + SATURATIONS
RESIDUAL: Final = LUMINANCE + LUMINANCES
VOCABULARY_SIZE: Final = RESIDUAL + 256

Images = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint32]
Whole = npt.NDArray[np.int64]


class ImagesRefusedError(OneirosError):
    """Images cannot become tokens."""

    is_permanent = True


class Grid(NamedTuple):
    """How an image is cut."""

    rows: int
    cols: int
    channels: int
    patch: int
    item_bytes: int

    @property
    def down(self) -> int:
        """Patches in a column."""
        return -(-self.rows // self.patch)

    @property
    def across(self) -> int:
        """Patches in a row."""
        return -(-self.cols // self.patch)

    @property
    def values(self) -> int:
        """Values of a patch."""
        return self.patch * self.patch * self.channels

    @property
    def stride(self) -> int:
        """Tokens of a patch."""
        return PATCH_HEAD + self.values * self.item_bytes

    @property
    def length(self) -> int:
        """Tokens of an image."""
        return HEAD + self.down * self.across * self.stride


class ChromaticTokenizer:
    """Tokenizes images by patches of a fixed side."""

    def __init__(self, patch: int) -> None:
        self.patch = patch

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the layout of the vocabulary."""
        layout = (LAYOUT, self.patch, NUMBERS, HUES, SATURATION, LUMINANCE, RESIDUAL, VOCABULARY_SIZE)
        return hashlib.sha256("/".join(map(str, layout)).encode()).hexdigest()

    def describe(self) -> Mapping[str, str | int]:
        """What a manifest records."""
        return {
            "kind": "chromatic",
            "layout": LAYOUT,
            "patch": self.patch,
            "vocabulary_sha256": self.digest,
            "vocabulary_size": VOCABULARY_SIZE,
        }

    def encode(self, images: Images) -> Tokens:
        """Tokens u32 [n, length] of images [n, rows, cols, channels]; raises ImagesRefusedError."""
        grid = _grid_of(images, self.patch)
        patches = _cut(images, grid)
        colours = name_colours(_means(patches))
        residual = _residual(patches, colour_of(colours))
        places = np.arange(grid.down * grid.across)
        tokens = np.empty((len(images), grid.length), dtype=np.uint32)
        tokens[:, :HEAD] = _head(grid)
        body = tokens[:, HEAD:].reshape(len(images), grid.down * grid.across, grid.stride)
        body[..., 0] = colours.sector + HUES
        body[..., 1] = colours.saturation + SATURATION
        body[..., 2] = colours.luminance + LUMINANCE
        body[..., 3] = places // grid.across + NUMBERS
        body[..., 4] = places % grid.across + NUMBERS
        body[..., PATCH_HEAD:] = residual
        body[..., PATCH_HEAD:] += np.uint32(RESIDUAL)
        return tokens

    def decode(self, tokens: Tokens) -> Images:
        """Images [n, rows, cols, channels] of tokens [n, length]; raises TokensRefusedError."""
        grid = _grid_from(tokens, self.patch)
        body = tokens[:, HEAD:].reshape(len(tokens), grid.down * grid.across, grid.stride).astype(np.int64)
        _check_body(body, grid)
        names = ColourNames(body[..., 0] - HUES, body[..., 1] - SATURATION, body[..., 2] - LUMINANCE)
        residual = (body[..., PATCH_HEAD:] - RESIDUAL).astype(np.uint8)
        return _joined(_restored(residual, colour_of(names), grid), grid)


def build_chromatic(settings: ChromaticSettings) -> ChromaticTokenizer:
    """The tokenizer of `settings`."""
    return ChromaticTokenizer(settings.patch)


def _grid_of(images: Images, patch: int) -> Grid:
    if images.dtype not in (np.uint8, np.float32) or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ImagesRefusedError(
            f"images are {images.dtype} of shape {images.shape}; needed are uint8 or float32 [n, rows, cols, 1 or 3]"
        )
    if 0 in images.shape or max(images.shape[1:3]) > MAX_SIDE:
        raise ImagesRefusedError(f"images have shape {images.shape}; sides are 1 to {MAX_SIDE} pixels")
    _, rows, cols, channels = images.shape
    grid = Grid(rows, cols, channels, patch, images.itemsize)
    if len(images) * grid.length > MAX_TOKENS:
        raise ImagesRefusedError(f"{len(images)} images make {len(images) * grid.length} tokens; at most {MAX_TOKENS}")
    return grid


def _head(grid: Grid) -> list[int]:
    kind = U8 if grid.item_bytes == 1 else F32
    return [kind, *(NUMBERS + number for number in (grid.rows, grid.cols, grid.channels, grid.patch))]


def _cut(images: Images, grid: Grid) -> Images:
    """Patches [n, patches, values / channels, channels] of images, filled at the edges."""
    missing = ((0, 0), (0, grid.down * grid.patch - grid.rows), (0, grid.across * grid.patch - grid.cols), (0, 0))
    filled = np.pad(images, missing, mode="edge")
    cells = filled.reshape(len(images), grid.down, grid.patch, grid.across, grid.patch, grid.channels)
    ordered = np.ascontiguousarray(cells.transpose(0, 1, 3, 2, 4, 5))
    return ordered.reshape(len(images), grid.down * grid.across, grid.patch * grid.patch, grid.channels)


def _joined(patches: Images, grid: Grid) -> Images:
    """The images of `patches`, without what was filled."""
    count = len(patches)
    cells = patches.reshape(count, grid.down, grid.across, grid.patch, grid.patch, grid.channels)
    filled = cells.transpose(0, 1, 3, 2, 4, 5)
    whole = filled.reshape(count, grid.down * grid.patch, grid.across * grid.patch, grid.channels)
    return np.ascontiguousarray(whole[:, : grid.rows, : grid.cols])  # type: ignore[return-value] # of the type given


def _means(patches: Images) -> Whole:
    """Mean colours in whole steps of 1/255, [n, patches, 3]."""
    if patches.dtype == np.uint8:
        steps = patches.astype(np.int64)
    else:
        finite = np.where(np.isfinite(patches), patches, np.float32(0))
        steps = np.rint(np.clip(finite, 0, 1) * np.float32(255)).astype(np.int64)
    means = steps.sum(axis=2) // patches.shape[2]
    return np.broadcast_to(means, (*means.shape[:2], 3))


def _residual(patches: Images, colours: Whole) -> npt.NDArray[np.uint8]:
    """Bytes [n, patches, values * item bytes] that the named colours lack."""
    named = colours[:, :, None, : patches.shape[3]]
    if patches.dtype == np.uint8:
        lacking: npt.NDArray[np.uint8] = patches - named.astype(np.uint8)  # type: ignore[assignment] # u8 stays u8
        return lacking.reshape(*patches.shape[:2], -1)
    difference = patches.view("<u4") - _as_bits(named)
    return difference.astype("<u4").view(np.uint8).reshape(*patches.shape[:2], -1)


def _restored(residual: npt.NDArray[np.uint8], colours: Whole, grid: Grid) -> Images:
    """Patches of residuals and named colours."""
    shape = (*residual.shape[:2], grid.patch * grid.patch, grid.channels)
    named = colours[:, :, None, : grid.channels]
    if grid.item_bytes == 1:
        return residual.reshape(shape) + named.astype(np.uint8)
    difference = np.ascontiguousarray(residual).view("<u4").reshape(shape)
    restored: npt.NDArray[np.float32] = (difference + _as_bits(named)).astype("<u4").view("<f4")
    return restored


def _as_bits(named: Whole) -> npt.NDArray[np.uint32]:
    """The bits of the named colours as f32 in [0, 1]."""
    bits: npt.NDArray[np.uint32] = (named.astype("<f4") / np.float32(255)).astype("<f4").view("<u4")
    return bits


def _grid_from(tokens: Tokens, patch: int) -> Grid:
    if tokens.ndim != 2 or tokens.dtype != np.uint32 or tokens.shape[0] == 0 or tokens.shape[1] < HEAD:
        raise TokensRefusedError(f"tokens are {tokens.dtype} of shape {tokens.shape}; needed are uint32 [n, length]")
    head = [int(token) for token in tokens[0, :HEAD]]
    rows, cols, channels, side = (token - NUMBERS for token in head[1:])
    if head[0] not in (U8, F32) or channels not in (1, 3) or not (1 <= rows <= MAX_SIDE and 1 <= cols <= MAX_SIDE):
        raise TokensRefusedError(f"the tokens do not begin like an image: {head}")
    if side != patch:
        raise TokensRefusedError(f"the tokens are of patches of {side} pixels, this tokenizer has {patch}")
    grid = Grid(rows, cols, channels, patch, 1 if head[0] == U8 else 4)
    if grid.length != tokens.shape[1]:
        raise TokensRefusedError(f"an image of {rows} x {cols} has {grid.length} tokens, not {tokens.shape[1]}")
    other = np.flatnonzero((tokens[:, :HEAD] != tokens[0, :HEAD]).any(axis=1))
    if len(other):
        raise TokensRefusedError(f"image {other[0]} begins otherwise than the first; decode equal shapes together")
    return grid


def _check_body(body: Whole, grid: Grid) -> None:
    """Raise TokensRefusedError at the first token that is none of its place."""
    places = np.arange(grid.down * grid.across)
    low = np.full(body.shape[1:], RESIDUAL, dtype=np.int64)
    high = np.full(body.shape[1:], RESIDUAL + 256, dtype=np.int64)
    for column, (first, size) in enumerate(((HUES, SECTORS + 1), (SATURATION, SATURATIONS), (LUMINANCE, LUMINANCES))):
        low[:, column], high[:, column] = first, first + size
    for column, number in ((3, places // grid.across), (4, places % grid.across)):
        low[:, column], high[:, column] = number + NUMBERS, number + NUMBERS + 1
    wrong = np.argwhere((body < low) | (body >= high))
    if len(wrong):
        image, patch, column = (int(number) for number in wrong[0])
        at = HEAD + patch * grid.stride + column
        raise TokensRefusedError(f"token {body[image, patch, column]} at {at} of image {image} cannot stand there")
