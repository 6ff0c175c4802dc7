"""How a field speaks: a walk over its counts, begun at a word of the seed (dossier, section 5).

In: counts, a seed, a temperature, how much meaning weighs, a generator. Out: a line of one or two sentences. A step
scores each token that ever followed the last two, or the last one: (1 - w) * grammar + w * meaning, both normalised
over these tokens, to the power of 1 / temperature. Grammar is how often it followed; meaning is how near it stands to
the content words of the seed and of the line. The first sentence is walked to both sides of a word of the seed that
the field knows; without one it begins as sentences do. It refuses to say anything when it has heard nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from actors.friend.field.counts import EDGE, Row, View, carries_meaning
from actors.friend.words import is_word, tokens_of

TRIPLE_SHARE: Final = 0.65
"""Of grammar, that what followed two tokens has against what followed one."""
MOST_FOCUS: Final = 24
"""Words of the seed that draw."""
LEAST_TOKENS: Final = 5
"""A line shorter than this gets a second sentence."""
LONGEST_WALK_BACK: Final = 12
BOUND: Final = 4.0
"""What a token gains on the walk back for having stood before the same two."""
REPEATED: Final = 0.25
"""What is left of the score of a content word that the line has already."""
RECENT: Final = 8
"""Tokens of the line that draw, the last ones."""
IN_SEED: Final = 0.5
"""What a word gains in meaning by being in the seed."""
GLUED_BEFORE: Final = frozenset(".,;:!?…)”’%")
GLUED_AFTER: Final = frozenset("(“‘")
FIRST_PERSON: Final = re.compile(r"i(['’]|$)")


class Dice(Protocol):
    """Where numbers in [0, 1) come from."""

    def random(self) -> float:
        """The next one."""


class Speaker:
    """One line in the making."""

    def __init__(self, field: View, seed: str, temperature: float, semantic_weight: float, dice: Dice) -> None:
        self._field = field
        self._dice = dice
        self._power = 1.0 / max(temperature, 0.05)
        self._semantic_weight = semantic_weight
        self._focus = self._known(seed)
        self._said: list[str] = []
        self._rows: dict[str, Row] = {}

    def speak(self, max_tokens: int) -> str:
        """The line; empty when the field is."""
        sentences: list[list[str]] = []
        while len(self._said) < min(LEAST_TOKENS, max_tokens):
            before = len(self._said)
            self._sentence(max_tokens, is_first=not sentences)
            if len(self._said) == before:
                break
            sentences.append(self._said[before:])
        return " ".join(render(sentence) for sentence in sentences)

    def _known(self, seed: str) -> list[str]:
        """The content words of the seed that the field knows, each once, in order."""
        words = dict.fromkeys(token for token in tokens_of(seed) if carries_meaning(token))
        return [word for word in words if self._field.word(word) > 0.0][:MOST_FOCUS]

    def _sentence(self, max_tokens: int, is_first: bool) -> None:
        if is_first and self._focus:
            start = self._walk_back(self._focus[self._drawn(self._rarity())], max_tokens)
        else:
            first = self.step(EDGE, EDGE)
            start = [first] if first != EDGE else []
        self._said.extend(start)
        while start and len(self._said) < max_tokens:
            token = self.step(self._said[-2] if len(self._said) > 1 else EDGE, self._said[-1])
            if token == EDGE:
                break
            self._said.append(token)

    def _rarity(self) -> list[float]:
        """How likely each word of the seed is to begin with: the rarer, the more."""
        return [1.0 / (1.0 + self._field.word(word)) ** 0.5 for word in self._focus]

    def _walk_back(self, word: str, max_tokens: int) -> list[str]:
        """`word` with the tokens before it, back to the beginning of a sentence."""
        walked = [word]
        while len(walked) < min(LONGEST_WALK_BACK, max_tokens):
            token = self._step_back(walked)
            if token == EDGE:
                break
            walked.insert(0, token)
        while not is_word(walked[0]):
            del walked[0]
        return walked

    def _step_back(self, walked: Sequence[str]) -> str:
        row = self._field.before(walked[0])
        scores: Row = {}
        for token in sorted(row):
            if token in walked:
                continue
            triples = self._field.after_two(token, walked[0])
            scores[token] = row[token] + BOUND * triples.get(walked[1] if len(walked) > 1 else EDGE, 0.0)
        return list(scores)[self._drawn([score**self._power for score in scores.values()])] if scores else EDGE

    def step(self, first: str, second: str) -> str:
        """The token after `first second`; EDGE for the end of the sentence."""
        pairs = self._field.after(second)
        tokens = sorted(pairs)
        if not tokens:
            return EDGE
        triples = self._field.after_two(first, second)
        grammar = self._grammar(tokens, pairs, triples)
        meaning = self._meaning(tokens)
        weight = self._semantic_weight if meaning else 0.0
        scores = [(1.0 - weight) * grammar[token] + weight * meaning.get(token, 0.0) for token in tokens]
        scores = [score * self._freshness(token) for token, score in zip(tokens, scores, strict=True)]
        return tokens[self._drawn([score**self._power for score in scores])]

    @staticmethod
    def _grammar(tokens: Sequence[str], pairs: Row, triples: Row) -> Row:
        share = TRIPLE_SHARE if triples else 0.0
        pair_mass, triple_mass = sum(pairs[token] for token in tokens), sum(triples[token] for token in sorted(triples))
        return {
            token: (1.0 - share) * pairs[token] / pair_mass
            + (share * triples.get(token, 0.0) / triple_mass if share else 0.0)
            for token in tokens
        }

    def _meaning(self, tokens: Sequence[str]) -> Mapping[str, float]:
        """Nearness of each content word among `tokens` to the seed and to the line, summing to 1; empty for none."""
        candidates = [token for token in tokens if token != EDGE and carries_meaning(token)]
        focus = dict.fromkeys((*self._focus, *(token for token in self._said[-RECENT:] if carries_meaning(token))))
        rows = [(self._near(word), self._field.word(word)) for word in focus]
        nearness: Row = {}
        for token in candidates:
            own = self._field.word(token)
            pull = sum(row[token] / (own * mass) ** 0.5 for row, mass in rows if token in row)
            pull += IN_SEED if token in self._focus else 0.0
            if pull > 0.0:
                nearness[token] = pull
        total = sum(nearness.values())
        return {token: pull / total for token, pull in nearness.items()}

    def _near(self, word: str) -> Row:
        if word not in self._rows:
            self._rows[word] = self._field.near(word)
        return self._rows[word]

    def _freshness(self, token: str) -> float:
        return REPEATED if token in self._said and token != EDGE and is_word(token) and carries_meaning(token) else 1.0

    def _drawn(self, scores: Sequence[float]) -> int:
        left = self._dice.random() * sum(scores)
        for index, score in enumerate(scores):
            left -= score
            if left < 0.0:
                return index
        return max(index for index, score in enumerate(scores) if score > 0.0)


def render(tokens: Sequence[str]) -> str:
    """`tokens` as people write them."""
    text = ""
    for token in tokens:
        word = "I" + token[1:] if FIRST_PERSON.match(token) else token
        text += word if not text or token in GLUED_BEFORE or text[-1] in GLUED_AFTER else f" {word}"
    return text[:1].upper() + text[1:]
