"""The counts of a field: which word follows which, and which words stand near each other.

In: sentences of tokens with a weight. Out: sums of weights, of words, pairs, triples and neighbourhoods. All weights
are multiples of a power of two, so that every sum is exact: what was added can be taken away again, and the counts are
the same whatever the order in which it happened. An entry that comes to nothing is gone. It refuses nothing.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Final, NamedTuple, TypeVar

from actors.friend.words import FUNCTION_WORDS, is_word

EDGE: Final = ""
"""The token before the first and after the last of a sentence."""
NEIGHBOURHOOD: Final = 5
"""Distance in tokens within which two content words are neighbours."""

K = TypeVar("K", str, tuple[str, str])

Row = dict[str, float]
Sentences = Sequence[Sequence[str]]


class Counts:
    """Sums of weights; `tokens` is the mass of the words heard."""

    __slots__ = ("bigrams", "neighbours", "preceding", "tokens", "trigrams", "words")

    def __init__(self) -> None:
        self.tokens = 0.0
        self.words: Row = {}
        self.bigrams: dict[str, Row] = {}
        """Token -> the tokens after it; EDGE -> the first words of sentences."""
        self.preceding: dict[str, Row] = {}
        """Token -> the tokens before it."""
        self.trigrams: dict[tuple[str, str], Row] = {}
        self.neighbours: dict[str, Row] = {}
        """Content word -> the content words near it, both ways."""

    def add(self, sentences: Sentences, weight: float) -> None:
        """Add `weight` for each occurrence in `sentences`; a negative weight takes away."""
        for sentence in sentences:
            self.tokens += weight * len(sentence)
            for token in sentence:
                _bump(self.words, token, weight)
            for first, second in _pairs(sentence):
                _bump_in(self.bigrams, first, second, weight)
                _bump_in(self.preceding, second, first, weight)
            for first, second, third in triples(sentence):
                _bump_in(self.trigrams, (first, second), third, weight)
            for first, second in _neighbours(sentence):
                _bump_in(self.neighbours, first, second, weight)
                _bump_in(self.neighbours, second, first, weight)

    def halve(self) -> None:
        """Let every count be half of what it was."""
        self.tokens /= 2
        for row in self._rows():
            for token in row:
                row[token] /= 2

    @property
    def entries(self) -> int:
        """How many counts there are."""
        return sum(map(len, self._rows()))

    def _rows(self) -> Iterator[Row]:
        tables = (self.bigrams, self.preceding, self.trigrams, self.neighbours)
        return chain((self.words,), *(table.values() for table in tables))


class View(NamedTuple):
    """Some counts, taken together."""

    parts: tuple[Counts, ...]

    @property
    def tokens(self) -> float:
        """The mass of all words."""
        return sum(part.tokens for part in self.parts)

    def word(self, token: str) -> float:
        """The mass of `token`."""
        return sum(part.words.get(token, 0.0) for part in self.parts)

    def after(self, token: str) -> Row:
        """What follows `token`."""
        return _merged([part.bigrams.get(token) for part in self.parts])

    def after_two(self, first: str, second: str) -> Row:
        """What follows `first second`."""
        return _merged([part.trigrams.get((first, second)) for part in self.parts])

    def near(self, token: str) -> Row:
        """The neighbours of `token`."""
        return _merged([part.neighbours.get(token) for part in self.parts])

    def before(self, token: str) -> Row:
        """What `token` follows."""
        return _merged([part.preceding.get(token) for part in self.parts])


def triples(sentence: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Every three tokens in a row, the edges among them."""
    padded = (EDGE, *sentence, EDGE)
    return zip(padded, padded[1:], padded[2:], strict=False)


def _pairs(sentence: Sequence[str]) -> Iterator[tuple[str, str]]:
    padded = (EDGE, *sentence, EDGE)
    return pairwise(padded)


def _neighbours(sentence: Sequence[str]) -> Iterator[tuple[str, str]]:
    for index, first in enumerate(sentence):
        if not carries_meaning(first):
            continue
        for second in sentence[index + 1 : index + 1 + NEIGHBOURHOOD]:
            if second != first and carries_meaning(second):
                yield first, second


def carries_meaning(token: str) -> bool:
    """Whether `token` is a content word."""
    return is_word(token) and token not in FUNCTION_WORDS


def _bump(row: Row, key: str, weight: float) -> None:
    value = row.get(key, 0.0) + weight
    if value == 0.0:
        row.pop(key, None)
    else:
        row[key] = value


def _bump_in(table: dict[K, Row], key: K, token: str, weight: float) -> None:
    row = table.setdefault(key, {})
    _bump(row, token, weight)
    if not row:
        del table[key]


def _merged(rows: Sequence[Row | None]) -> Row:
    found = [row for row in rows if row]
    if len(found) <= 1:
        return found[0] if found else {}
    merged = dict(found[0])
    for row in found[1:]:
        for token, weight in row.items():
            merged[token] = merged.get(token, 0.0) + weight
    return merged
