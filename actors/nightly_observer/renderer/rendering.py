"""A scene as a prompt: four formats in four styles and two languages (seed 004, 4.3).

In: a scene and the settings. Out: the text. Each choice between equal texts is made by the bytes of the scene, so that
a scene has one prompt, and another scene another. A text prompt is one paragraph that asks for a description; a story
stops without an ending; bullet scenes are lines that begin with `- `; an image prompt is one line of phrases.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from actors.nightly_observer.renderer.english import ENGLISH
from actors.nightly_observer.renderer.japanese import JAPANESE
from actors.nightly_observer.renderer.vocabulary import StyleTexts, Vocabulary
from actors.nightly_observer.renderer.wording import (
    EnglishGrammar,
    Grammar,
    JapaneseGrammar,
    fill,
    slots_of,
    slots_of_space,
)
from schemas.night_settings import Language, OutputFormat, RendererSettings
from schemas.scene import Change, Scene

RENDERER_VERSION: Final = "1"
"""Raised whenever a scene is told in other words: nights with different ones tell the same scene differently."""

Option = TypeVar("Option")


@dataclass(frozen=True)
class Tongue:
    """A language in use."""

    vocabulary: Vocabulary
    grammar: Grammar
    sentence_gap: str
    comma: str


TONGUES: Final[Mapping[Language, Tongue]] = {
    "en": Tongue(ENGLISH, EnglishGrammar(ENGLISH), " ", ", "),
    "ja": Tongue(JAPANESE, JapaneseGrammar(JAPANESE), "", "、"),
}


class _Telling:
    """One scene in one style and format, part by part."""

    def __init__(self, scene: Scene, settings: RendererSettings) -> None:
        self.tongue = TONGUES[settings.language]
        self.style: StyleTexts = self.tongue.vocabulary.styles[settings.style]
        self._scene = scene
        self._bytes = scene.canonical()
        self._manner = f"{settings.style}|{settings.output_format}"
        self._space = slots_of_space(self._pick("space", self.tongue.vocabulary.spaces, ""))

    def opening(self) -> str:
        return fill(self._pick("opening", self.style.openings, self._manner), self._space)

    def seeds(self) -> list[str]:
        """A text for each transform; for none, that there is nothing."""
        return self._told(self.style.changes) or [self._filled("empty", self.style.empty)]

    def images(self) -> list[str]:
        """A phrase for each transform; for none, that there is nothing."""
        vocabulary = self.tongue.vocabulary
        return self._told(vocabulary.images) or [self._filled("empty", vocabulary.empty_image)]

    def passage(self) -> str:
        return self._filled("passage", self.style.passages)

    def coda(self) -> str:
        return self._filled("coda", self.style.codas)

    def place(self) -> list[str]:
        """Where an image is: the space and its light."""
        return [self._space["space"], self._space["light"]]

    def frame(self) -> str:
        return self._filled("frame", self.style.frames)

    def light(self) -> str:
        return self._filled("light", self.style.lights)

    def _told(self, texts: Mapping[Change, tuple[str, ...]]) -> list[str]:
        """A text for each transform: none twice, and floor and wall in turn where that can be."""
        told = []
        used: list[str] = []
        for at, transform in enumerate(self._scene.transforms):
            options = texts[transform.change]
            first = options.index(self._pick(f"change {transform.change}", options, self._manner))
            template = min((*options[first:], *options[:first]), key=lambda option: _staleness(option, used))
            used.append(template)
            degrees = self.tongue.vocabulary.degrees[transform.strength]
            things = [self._scene.elements[index] for index in transform.on]
            slots = {**self._space, **slots_of(self.tongue.grammar, things, transform.change)}
            slots["degree"] = self._pick(f"degree {at}", degrees, self._manner)
            told.append(fill(template, slots))
        return told

    def _filled(self, role: str, options: Sequence[str]) -> str:
        return fill(self._pick(role, options, self._manner), self._space)

    def _pick(self, role: str, options: Sequence[Option], manner: str) -> Option:
        digest = hashlib.sha256(b"|".join((role.encode(), manner.encode(), self._bytes))).digest()
        return options[int.from_bytes(digest[:8], "big") % len(options)]


def _staleness(option: str, used: Sequence[str]) -> tuple[int, int]:
    """How often `option` was used, and whether it stands where the text before it stands."""
    before = used[-1] if used else ""
    return used.count(option), sum(slot in option and slot in before for slot in ("{floor}", "{wall}"))


def render(scene: Scene, settings: RendererSettings) -> str:
    """The prompt of `scene`."""
    return FORMATS[settings.output_format](_Telling(scene, settings))


def _text_prompt(telling: _Telling) -> str:
    return telling.tongue.sentence_gap.join((telling.opening(), *telling.seeds(), telling.coda()))


def _story(telling: _Telling) -> str:
    """Something passes between the parts, and it stops with a seed, in the middle of what happens."""
    first, *others = telling.seeds()
    told = (first, telling.passage(), *others) if others else (telling.passage(), first)
    return telling.tongue.sentence_gap.join((telling.opening(), *told))


def _bullet_scenes(telling: _Telling) -> str:
    return "\n".join(f"- {part}" for part in (telling.opening(), *telling.seeds()))


def _image_prompt(telling: _Telling) -> str:
    parts = (telling.frame(), *telling.place(), *telling.images(), telling.light())
    return telling.tongue.comma.join(parts)


FORMATS: Final[Mapping[OutputFormat, Callable[[_Telling], str]]] = {
    "text_prompt": _text_prompt,
    "story": _story,
    "bullet_scenes": _bullet_scenes,
    "image_prompt": _image_prompt,
}
