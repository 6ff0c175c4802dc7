"""What a language has to say about a scene: the closed vocabulary that every prompt is made of.

In: nothing. Out: the types of a vocabulary, and all of its texts in one list. Slots in braces are filled with other
parts of the same vocabulary alone, so that a prompt cannot say what its vocabulary does not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from schemas.night_settings import Style
from schemas.scene import Change, Form, Strength


@dataclass(frozen=True)
class Space:
    """Where a scene is: noun phrases."""

    name: str
    floor: str
    wall: str
    light: str


@dataclass(frozen=True)
class Noun:
    """A thing's name: one and many in English; the word and its counter in Japanese."""

    one: str
    many: str


@dataclass(frozen=True)
class StyleTexts:
    """How one style speaks."""

    openings: tuple[str, ...]
    changes: Mapping[Change, tuple[str, ...]]
    passages: tuple[str, ...]
    """What passes between two parts of a story."""
    empty: tuple[str, ...]
    """Of a scene without things."""
    codas: tuple[str, ...]
    """What a prompt asks for."""
    frames: tuple[str, ...]
    """How an image prompt begins,"""
    lights: tuple[str, ...]
    """and how it ends."""


@dataclass(frozen=True)
class Vocabulary:
    """All that a language says."""

    spaces: tuple[Space, ...]
    nouns: Mapping[Form, Noun]
    colours: tuple[str, ...]
    """Of the 24 hue bins from 0 degrees on, then of the greys."""
    materials: tuple[str, ...]
    """What a thing without a bin is made of."""
    numbers: tuple[str, ...]
    """From two on."""
    degrees: Mapping[Strength, tuple[str, ...]]
    images: Mapping[Change, tuple[str, ...]]
    empty_image: tuple[str, ...]
    particles: tuple[str, ...]
    """Articles, conjunctions and the like, which stand between the other parts."""
    styles: Mapping[Style, StyleTexts]

    def texts(self) -> Iterator[str]:
        """Every text there is, templates with their slots."""
        return _texts(self)


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _texts(each)
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from _texts(each)
    elif isinstance(part, Vocabulary | StyleTexts | Space | Noun):
        for each in fields(part):
            yield from _texts(getattr(part, each.name))
