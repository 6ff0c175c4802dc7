"""The seed tensor of a dream, from one of four sources (seed 000, section 3.7).

In: pictures, facts, earlier dreams, and the keyed stream of the episode. Out: a planar tensor f32 [3, layers, rows,
cols] in [0, 1], and what flowed into it. Refuses nothing; a source that has nothing to give is not in `servable`.

- image: a crop of the train region of a picture, at a drawn place; of `CANDIDATES` drawn ones that whose mean colour is
  nearest to the wanted colour, if one is wanted. Layer 0 is that crop; layer l is the crop l or fewer
  pixels aside (drawn), as a glance that wanders. A picture smaller than the crop is enlarged by repeating pixels.
- factoid: one or two facts, word by word a colour (`factoids`), joined into a ribbon that runs along the columns;
  each row starts a drawn slant further on, each layer a quarter of the columns. Colours between two words are
  interpolated.
- pool: one or two own earlier dreams and a little noise, by the shares of the plan.
- random: uniform noise on a grid 1, 2, 4 ... cells wide (drawn), interpolated, and tinted by a drawn colour, the
  nearest of `CANDIDATES` to the wanted one.

Only pictures are ever cut from outside data, and only from their train region; a dream is never put back into them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from actors.dreamer.factoids import colours_of
from actors.dreamer.lineage import Ancestry
from actors.dreamer.measures import Planar
from schemas.colour import Rgb
from schemas.dreams import Source
from schemas.inputs import Factoid, InputSet, Picture

Field = npt.NDArray[np.float32]
_Between = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Field]

WORD_PIXELS: Final = (3, 13)
"""Range of the width of a word in a factoid dream, pixels; the upper end is excluded."""
MAX_SLANT: Final = 4
MAX_TINT: Final = 0.8
"""Largest share of the drawn colour in a random dream."""
CANDIDATES: Final = 3
"""Crops, or tints, that are drawn where a colour is wanted: to find it leaves a dream truer than to paint it."""

Detail = dict[str, int | float | str | list[int] | list[str]]
"""What the metadata says of the seed."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What flowed into a seed tensor of the outside world."""

    ancestry: tuple[Ancestry, ...]
    image: int
    """Number of the picture; -1 for none."""
    detail: Detail


class Seeding:
    """The sources of one run, cut to one tensor shape."""

    def __init__(self, inputs: InputSet, rows: int, cols: int, layers: int) -> None:
        self._shape = (rows, cols, layers)
        self._pictures = [_planar(picture, rows, cols) for picture in inputs.pictures]
        self._pictures_detail = [(picture.image_id, picture.name) for picture in inputs.pictures]
        self._facts = inputs.factoids
        self._colours: dict[int, npt.NDArray[np.float64]] = {}
        self._between: dict[tuple[int, int], _Between] = {}
        self._wander = np.arange(1, layers)[:, None]
        self._noise = np.empty((3, layers, rows, cols), np.float32)

    @property
    def servable(self) -> tuple[Source, ...]:
        """The sources besides pool that have something to give."""
        sources: tuple[tuple[Source, bool], ...] = (
            ("factoid", bool(self._facts)),
            ("image", bool(self._pictures)),
            ("random", True),
        )
        return tuple(source for source, serves in sources if serves)

    def seed(
        self,
        source: Literal["factoid", "image", "random"],
        rng: np.random.Generator,
        out: Planar,
        wanted: Rgb | None = None,
    ) -> Seeded:
        """Fill `out` [3, layers, rows, cols] from `source`, near the colour `wanted` where the source has a choice."""
        match source:
            case "factoid":
                return self._factoid(rng, out)
            case "image":
                return self._image(rng, out, wanted)
            case "random":
                return self._random(rng, out, wanted)

    def blend(self, parents: list[Planar], shares: tuple[float, ...], rng: np.random.Generator, out: Planar) -> None:
        """Fill `out` with `parents` by their `shares`, and noise, the same in each layer, for what is left to 1."""
        rows, cols, _ = self._shape
        grain = rng.random((3, 1, rows, cols), dtype=np.float32)
        np.multiply(grain, 1.0 - sum(shares), out=grain)
        np.multiply(parents[0], shares[0], out=out)
        for parent, share in zip(parents[1:], shares[1:], strict=True):
            np.add(out, np.multiply(parent, share, out=self._noise), out=out)
        np.add(out, grain, out=out)
        np.clip(out, 0.0, 1.0, out=out)

    def _image(self, rng: np.random.Generator, out: Planar, wanted: Rgb | None) -> Seeded:
        rows, cols, layers = self._shape
        index, row, col = self._place(rng)
        if wanted is not None:
            places = [(index, row, col), *(self._place(rng) for _ in range(CANDIDATES - 1))]
            index, row, col = min(places, key=lambda place: _distance(self._colour_at(*place), wanted))
        picture, scale = self._pictures[index]
        height, width = picture.shape[1] - rows, picture.shape[2] - cols
        wander = rng.integers(-self._wander, self._wander + 1, size=(layers - 1, 2)).tolist()
        for layer, (down, right) in enumerate([(0, 0), *wander]):
            top, left = min(max(row + down, 0), height), min(max(col + right, 0), width)
            np.copyto(out[:, layer], picture[:, top : top + rows, left : left + cols])
        np.divide(out, 255.0, out=out)
        image_id, name = self._pictures_detail[index]
        detail: Detail = {"image_id": image_id, "name": name, "crop": [row, col, rows, cols], "scale": scale}
        return Seeded((Ancestry("image", index, 1.0),), index, detail)

    def _place(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """A drawn picture, and the upper left corner of a drawn crop in it."""
        rows, cols, _ = self._shape
        index = int(rng.integers(len(self._pictures)))
        _, height, width = self._pictures[index][0].shape
        return index, int(rng.integers(height - rows + 1)), int(rng.integers(width - cols + 1))

    def _colour_at(self, index: int, row: int, col: int) -> Rgb:
        """Mean colour of a crop, exact: sums of whole numbers."""
        rows, cols, _ = self._shape
        crop = self._pictures[index][0][:, row : row + rows, col : col + cols]
        red, green, blue = (crop.sum(axis=(1, 2), dtype=np.int64) / (255.0 * rows * cols)).tolist()
        return red, green, blue

    def _factoid(self, rng: np.random.Generator, out: Planar) -> Seeded:
        rows, cols, layers = self._shape
        count = min(len(self._facts), int(rng.integers(1, 3)))
        chosen = [int(index) for index in rng.choice(len(self._facts), size=count, replace=False)]
        word_pixels = int(rng.integers(*WORD_PIXELS))
        slant, layer_step = int(rng.integers(MAX_SLANT)), max(1, cols // 4)
        words = [self._colours_of(index) for index in chosen]
        palette = words[0] if count == 1 else np.concatenate(words, axis=1)
        start = int(rng.integers(palette.shape[1]))
        length = cols + slant * (rows - 1) + layer_step * (layers - 1)
        ribbon = _ribbon(palette, start, word_pixels, length)
        channel, pixel = ribbon.strides
        strides = (channel, layer_step * pixel, slant * pixel, pixel)
        np.copyto(out, np.lib.stride_tricks.as_strided(ribbon, out.shape, strides, writeable=False))
        total = palette.shape[1]
        ancestry = tuple(Ancestry("factoid", i, text.shape[1] / total) for i, text in zip(chosen, words, strict=True))
        facts = [self._facts[index].factoid_id for index in chosen]
        return Seeded(ancestry, -1, {"facts": facts, "word_pixels": word_pixels, "slant": slant, "start": start})

    def _colours_of(self, fact: int) -> npt.NDArray[np.float64]:
        """Colours [3, words] of a fact."""
        if fact not in self._colours:
            self._colours[fact] = np.array(colours_of(self._facts[fact].text), np.float64).T
        return self._colours[fact]

    def _random(self, rng: np.random.Generator, out: Planar, wanted: Rgb | None) -> Seeded:
        rows, cols, layers = self._shape
        scale = 1 << int(rng.integers(max(1, (min(rows, cols) // 4).bit_length())))
        tint, *colour = rng.random(4).tolist()
        if wanted is not None:
            colours = [colour, *rng.random((CANDIDATES - 1, 3)).tolist()]
            colour = min(colours, key=lambda drawn: _distance(drawn, wanted))
        tint *= MAX_TINT
        if scale == 1:
            rng.random(out=out, dtype=np.float32)
        else:
            coarse = rng.random((3, layers, -(-rows // scale) + 1, -(-cols // scale) + 1), dtype=np.float32)
            self._interpolate(coarse, scale, out)
        np.multiply(out, 1.0 - tint, out=out)
        base = np.array([tint * channel for channel in colour], np.float32)
        np.add(out, base[:, None, None, None], out=out)
        np.clip(out, 0.0, 1.0, out=out)
        return Seeded((Ancestry("random", -1, 1.0),), -1, {"scale": scale, "tint": round(tint, 6)})

    def _interpolate(self, coarse: Field, scale: int, out: Planar) -> None:
        """Fill `out` from a grid `scale` cells wide, linear in rows, then in columns."""
        rows, cols, _ = self._shape
        upper, lower, weight = self._between_of(rows, scale)
        tall = coarse.take(upper, axis=2) * (1.0 - weight[:, None]) + coarse.take(lower, axis=2) * weight[:, None]
        left, right, weight = self._between_of(cols, scale)
        np.take(tall, left, axis=3, out=out, mode="clip")
        np.take(tall, right, axis=3, out=self._noise, mode="clip")
        np.subtract(self._noise, out, out=self._noise)
        np.multiply(self._noise, weight, out=self._noise)
        np.add(out, self._noise, out=out)

    def _between_of(self, length: int, scale: int) -> _Between:
        """For each of `length` cells the two points of a grid `scale` cells wide beside it, and the second's share."""
        if (length, scale) not in self._between:
            at, share = np.divmod(np.arange(length), scale)
            self._between[length, scale] = at, at + 1, (share / scale).astype(np.float32)
        return self._between[length, scale]


def _distance(colour: Sequence[float], wanted: Rgb) -> float:
    """Square of the Euclidean distance."""
    return math.fsum((here - there) ** 2 for here, there in zip(colour, wanted, strict=True))


def _ribbon(palette: npt.NDArray[np.float64], start: int, word_pixels: int, length: int) -> Field:
    """`length` pixels [3, length] along the words of `palette` [3, words], from word `start`, round and round."""
    at, share = np.divmod(np.arange(length), word_pixels)
    at += start
    here = palette.take(at, axis=1, mode="wrap")
    there = palette.take(at + 1, axis=1, mode="wrap")
    return np.ascontiguousarray(here + (there - here) * (share / word_pixels), np.float32)


def _planar(picture: Picture, rows: int, cols: int) -> tuple[npt.NDArray[np.uint8], int]:
    """The train region as u8 [3, height, width], enlarged to hold rows x cols, and the factor of the enlargement."""
    pixels = picture.pixels("train")
    scale = max(1, -(-rows // pixels.shape[0]), -(-cols // pixels.shape[1]))
    enlarged = pixels.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else pixels
    return np.ascontiguousarray(enlarged.transpose(2, 0, 1)), scale


def fact_ids(ancestry: tuple[Ancestry, ...], facts: tuple[Factoid, ...]) -> tuple[str, ...]:
    """Ids of the facts among `ancestry`, in its order."""
    return tuple(facts[part.number].factoid_id for part in ancestry if part.origin == "factoid")
