"""The text that the friend is made of: where it begins, what of it speaks, what it takes in (seed 001, section 6).

In: origin text, a persona, the lines of a dialogue. Out: first fragments, one to three of them for a prefix, and the
change that a dialogue makes. The first fragments are spread over the whole origin, so that its end is in them like its
beginning; the README has places of its own. A friend's line is adopted when its arousal, its trauma or its share of
origin words is high: at most two, never one that says what a fragment says already. Refused: a line without a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from actors.friend.words import clamp, clean, content_words, overlap
from schemas.friend import LineMeasures, Speaker
from schemas.friend_settings import FriendSettings
from schemas.persona import Fragment, NewFragment, PersonaDelta, normal_form

SENTENCE: Final = re.compile(r"[^.!?…\n]+[.!?…]*[\"”')\]]*")
MOST_ADOPTED: Final = 2
MOST_SAMPLED: Final = 3
LEAST_WORDS: Final = 2
"""Content words of a line that is worth adopting."""
NEAR_COPY: Final = 0.8
"""Share of common content words at which two lines say the same."""


class Dice(Protocol):
    """Where numbers in [0, 1) come from."""

    def random(self) -> float:
        """The next one."""


@dataclass(frozen=True)
class SpokenLine:
    """A line of a dialogue with what the host measured of it."""

    speaker: Speaker
    text: str
    measures: LineMeasures


def sentences_of(text: str, settings: FriendSettings) -> list[str]:
    """The sentences of `text`, clean and within bounds, each said once."""
    found: dict[str, str] = {}
    for match in SENTENCE.finditer(text):
        sentence = clean(match.group())
        if sentence is not None:
            line = clamp(sentence, settings.max_tokens, settings.max_chars)
            found.setdefault(normal_form(line), line)
    return [line for form, line in found.items() if form]


def first_fragments(bootstrap: str, readme: Sequence[str], settings: FriendSettings) -> tuple[str, ...]:
    """The origin as at most `origin_quota` fragments, those of the README last."""
    told = sentences_of(bootstrap, settings)
    known = {normal_form(line) for line in told}
    asides = [line for text in readme for line in sentences_of(text, settings) if normal_form(line) not in known]
    asides = list(dict.fromkeys(asides))[: min(settings.readme_quota, settings.origin_quota)]
    return (*_spread(told, settings.origin_quota - len(asides)), *asides)


def sample(fragments: Sequence[Fragment], dice: Dice) -> tuple[Fragment, ...]:
    """One to three different fragments, each drawn by weight; none only of no fragments."""
    left = list(fragments)
    count = min(1 + int(dice.random() * MOST_SAMPLED), len(left))
    return tuple(left.pop(_drawn(left, dice)) for _ in range(count))


def origin_words(texts: Sequence[str]) -> frozenset[str]:
    """The content words of `texts`."""
    return frozenset(word for text in texts for word in content_words(text))


def adopt(
    lines: Sequence[SpokenLine], texts: Sequence[str], origin: frozenset[str], settings: FriendSettings
) -> tuple[NewFragment, ...]:
    """The friend's lines that become part of it, the strongest first; `texts` are what it has."""
    ranked = sorted(
        ((-strength, turn) for turn, line in enumerate(lines) if (strength := _strength(line, origin, settings)) > 0.0)
    )
    known = [frozenset(content_words(each)) for each in texts]
    forms = {normal_form(each) for each in texts}
    adopted: list[NewFragment] = []
    for _, turn in ranked:
        text = lines[turn].text
        words = frozenset(content_words(text))
        if normal_form(text) in forms or len(words) < LEAST_WORDS or any(_is_near(words, other) for other in known):
            continue
        known.append(words)
        adopted.append(NewFragment(text=text, weight=settings.adopted_weight, turn=turn))
    return tuple(adopted[:MOST_ADOPTED])


def change(origin: Sequence[str], adopted: tuple[NewFragment, ...], settings: FriendSettings) -> PersonaDelta:
    """What a dialogue does to a persona whose first fragments are `origin`."""
    return PersonaDelta(
        origin=tuple(origin),
        decay=settings.decay,
        floor=settings.floor,
        adopted=adopted,
        max_fragments=settings.max_fragments,
        origin_quota=settings.origin_quota,
    )


def _strength(line: SpokenLine, origin: frozenset[str], settings: FriendSettings) -> float:
    """How far the line is above the nearest of the three marks; 0 for one that is above none, or not the friend's."""
    if line.speaker != "friend":
        return 0.0
    above = (
        line.measures.pulse.arousal - settings.adopt_arousal,
        line.measures.trauma - settings.adopt_trauma,
        overlap(line.text, origin) - settings.adopt_overlap,
    )
    return max(0.0, *above)


def _is_near(words: frozenset[str], other: frozenset[str]) -> bool:
    union = words | other
    return bool(union) and len(words & other) / len(union) >= NEAR_COPY


def _drawn(fragments: Sequence[Fragment], dice: Dice) -> int:
    left = dice.random() * sum(fragment.weight for fragment in fragments)
    for index, fragment in enumerate(fragments):
        left -= fragment.weight
        if left < 0.0:
            return index
    return len(fragments) - 1


def _spread(lines: Sequence[str], count: int) -> list[str]:
    """`count` of `lines`, evenly spaced, the first and the last among them."""
    if len(lines) <= count:
        return list(lines)
    if count < 2:
        return list(lines[:count])
    return [lines[round(index * (len(lines) - 1) / (count - 1))] for index in range(count)]
