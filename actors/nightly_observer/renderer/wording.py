"""Things as phrases of a language: what fills the slots of a vocabulary.

In: the things that a transform is on, a vocabulary. Out: phrases by slot. A name with a capital holds the same phrase
with a capital. Digits, anchors and ids never become words.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from actors.nightly_observer.renderer.vocabulary import Space, Vocabulary
from schemas.scene import Thing

GREYS: Final = 24
"""The bin behind the 24 of the wheel."""


class Grammar(Protocol):
    """How a language says a thing, and several."""

    def thing(self, thing: Thing) -> str:
        """One thing as the subject of a sentence."""

    def several(self, things: Sequence[Thing]) -> dict[str, str]:
        """Slots for things that are the same but for their colour."""

    def pile(self, things: Sequence[Thing]) -> str:
        """Different things in one phrase."""


class EnglishGrammar:
    """Articles, plurals, `and`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def thing(self, thing: Thing) -> str:
        """`an amber bowl`."""
        return self._with_article(self._named(thing))

    def several(self, things: Sequence[Thing]) -> dict[str, str]:
        """`two amber bowls` as `many`, with `one`, `ones` and `a_one`."""
        first = things[0]
        look, noun = _look(self._vocabulary, first), self._vocabulary.nouns[first.form]
        ones = f"{look} {noun.many}"
        number = self._vocabulary.numbers[len(things) - 2]
        return {"one": self._named(first), "ones": ones, "a_one": self.thing(first), "many": f"{number} {ones}"}

    def pile(self, things: Sequence[Thing]) -> str:
        """`a red book, a clay bowl and a tin lamp`."""
        *before, last = [self.thing(thing) for thing in things]
        return f"{', '.join(before)} and {last}"

    def _named(self, thing: Thing) -> str:
        return f"{_look(self._vocabulary, thing)} {self._vocabulary.nouns[thing.form].one}"

    @staticmethod
    def _with_article(name: str) -> str:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


class JapaneseGrammar:
    """Counters, `の`, `と`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def thing(self, thing: Thing) -> str:
        """`琥珀色の鉢`."""
        return f"{_look(self._vocabulary, thing)}{self._vocabulary.nouns[thing.form].one}"

    def several(self, things: Sequence[Thing]) -> dict[str, str]:
        """`二つの琥珀色の鉢` as `many`, with `one`."""
        one = self.thing(things[0])
        number, noun = self._vocabulary.numbers[len(things) - 2], self._vocabulary.nouns[things[0].form]
        return {"one": one, "many": f"{number}{noun.many}の{one}"}

    def pile(self, things: Sequence[Thing]) -> str:
        """`赤い本と素焼きの鉢と錫のランプ`."""
        return "と".join(self.thing(thing) for thing in things)


def slots_of(grammar: Grammar, things: Sequence[Thing], change: str) -> dict[str, str]:
    """The slots that the templates of `change` have for `things`."""
    if change in ("blend", "echo", "invert"):
        return grammar.several(things)
    if change == "compress":
        return {"pile": grammar.pile(things)}
    names = ("here", "there", "span") if change == "connect" else ("guard", "held")
    return {name: grammar.thing(thing) for name, thing in zip(names, things, strict=True)}


def slots_of_space(space: Space) -> dict[str, str]:
    """The slots of where it is."""
    return {"space": space.name, "floor": space.floor, "wall": space.wall, "light": space.light}


def fill(template: str, slots: Mapping[str, str]) -> str:
    """`template` with its slots filled; a slot that begins with a capital gets one."""
    capitals = {name[0].upper() + name[1:]: phrase[:1].upper() + phrase[1:] for name, phrase in slots.items()}
    return template.format_map({**slots, **capitals})


def _look(vocabulary: Vocabulary, thing: Thing) -> str:
    """The colour of `thing`, or what it is made of: its anchor alone decides."""
    if thing.bin is not None:
        return vocabulary.colours[GREYS if thing.bin == GREYS else thing.bin % GREYS]
    digest = hashlib.sha256(f"material|{thing.anchor}".encode()).digest()
    return vocabulary.materials[int.from_bytes(digest[:8], "big") % len(vocabulary.materials)]
