"""What a field makes of a text: how new, how stirring, how uncertain, how near its origin, how well said.

In: counts, a text. Out: a pulse, a quality, bits per token. All are in [0, 1] but the bits, which are None for a text
without a token. The bits are those of a model with fixed constants over `VOCABULARY` possible words, so that two fields
can be compared on the same text: three tokens lean on two, two on one, one on a uniform word. It refuses nothing.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from actors.friend.field.counts import EDGE, Row, View, triples
from actors.friend.field.memory import sentences_of
from actors.friend.words import content_words, is_word, tokens_of
from schemas.friend import Pulse

VOCABULARY: Final = 20_000
UNSEEN_WORD: Final = 0.1
LEAN: Final = 1.5
"""Mass that the shorter context has against what was seen after the longer one."""
UNKNOWN_NOVELTY: Final = 0.5
SHORTEST_PULSE: Final = 3
"""Tokens under which a text is too short to be new or known."""
ANSWER_SHARE: Final = 0.6
"""Of the quality of a reply, against its form."""
STIRRING_WORDS: Final = """
    afraid alive alone anger angry ashamed beautiful bleed blood break broken burn burning cry crying dark dead
    death die dying empty fear fire forever forget forgive forgotten free furious gone grief hate heal heart
    help hope hopeless hurt joy kill killed kiss lie lonely longing lose loss lost love loved mercy miss mother
    never night pain panic promise rage sad scared scream secret shame shock silence sorrow storm tears terrible
    terror tremble true trust wonder wound wounded wounds"""
STIRRING: Final = frozenset(STIRRING_WORDS.split())


def pulse_of(text: str, field: View) -> Pulse:
    """How `text` feels to `field` before it is heard."""
    sentences = sentences_of(text)
    return Pulse(novelty=_novelty(sentences, field), arousal=_arousal(text), entropy=_entropy(sentences, field))


def novelty_of(text: str, field: View) -> float:
    """How new `text` is to `field`, before it is heard."""
    return _novelty(sentences_of(text), field)


def quality_of(reply: str, prompt: str, field: View) -> float:
    """How well `reply` is said: its form, and for the greater part what it answers.

    Form: long enough, without repetition. An answer is near to what was asked, in other words than those of the
    question; a prompt without a content word asks for none, and leaves the form alone.
    """
    tokens = [token for token in tokens_of(reply) if is_word(token)]
    if not tokens:
        return 0.0
    form = (min(1.0, len(tokens) / 8.0) + len(set(tokens)) / len(tokens)) / 2.0
    answer = _answer(reply, prompt, field)
    return form if answer is None else ANSWER_SHARE * answer + (1.0 - ANSWER_SHARE) * form


def _answer(reply: str, prompt: str, field: View) -> float | None:
    """Share of the content words of `prompt` that have a neighbour in `reply` which is not of the prompt itself."""
    asked = frozenset(word for word in content_words(prompt) if not word.isdigit())
    if not asked:
        return None
    said = frozenset(content_words(reply)) - frozenset(content_words(prompt))
    return sum(any(word in said and not word.isdigit() for word in field.near(each)) for each in asked) / len(asked)


def prompt_echo(lines: Sequence[str], prompt: str) -> float | None:
    """Share of the content words of `lines` that are content words of `prompt`; None where there are none."""
    asked = frozenset(content_words(prompt))
    words = [word for line in lines for word in content_words(line)]
    return sum(word in asked for word in words) / len(words) if words else None


def bits_of(text: str, field: View) -> tuple[float, int]:
    """The bits that `text` costs `field`, and how many tokens they are for."""
    bits, count = 0.0, 0
    for sentence in sentences_of(text):
        for first, second, third in triples(sentence):
            bits -= math.log2(chance(first, second, third, field))
            count += 1
    return bits, count


def bits_per_token(texts: Iterable[str], field: View) -> float | None:
    """Mean bits of a token of `texts`; None where there is no token."""
    costs = [bits_of(text, field) for text in texts]
    count = sum(each for _, each in costs)
    return sum(bits for bits, _ in costs) / count if count else None


def chance(first: str, second: str, third: str, field: View) -> float:
    """How likely `third` is after `first second`."""
    chance = (field.word(third) + UNSEEN_WORD) / (field.tokens + UNSEEN_WORD * VOCABULARY)
    for row in (field.after(second), field.after_two(first, second)):
        chance = (row.get(third, 0.0) + LEAN * chance) / (_mass(row) + LEAN)
    return chance


def _mass(row: Row) -> float:
    return sum(row[token] for token in sorted(row))


def _novelty(sentences: Sequence[Sequence[str]], field: View) -> float:
    """Mean of the shares of unknown words, unknown pairs and unknown triples."""
    words = [token for sentence in sentences for token in sentence]
    if len(words) < SHORTEST_PULSE:
        return UNKNOWN_NOVELTY
    runs = [run for sentence in sentences for run in triples(sentence)]
    unknown_words = sum(field.word(token) == 0.0 for token in words) / len(words)
    unknown_pairs = sum(third not in field.after(second) for _, second, third in runs) / len(runs)
    unknown_triples = sum(third not in field.after_two(first, second) for first, second, third in runs) / len(runs)
    return (unknown_words + unknown_pairs + unknown_triples) / 3.0


def _arousal(text: str) -> float:
    words = [token for token in tokens_of(text) if is_word(token)]
    if not words:
        return 0.0
    shouted = sum(word.isupper() for word in text.split() if len(word) > 2)
    stirring = sum(word in STIRRING for word in words)
    load = 0.9 * min(text.count("!"), 3) + 0.25 * min(text.count("?"), 2) + 0.8 * stirring + 0.6 * min(shouted, 4)
    return 1.0 - math.exp(-load / (1.0 + len(words) / 12.0))


def _entropy(sentences: Sequence[Sequence[str]], field: View) -> float:
    """Mean uncertainty after each known token, against the most that its row could have."""
    found = []
    for sentence in sentences:
        for token in (EDGE, *sentence):
            row = field.after(token)
            if len(row) > 1:
                found.append(_uncertainty(row) / math.log2(len(row)))
    return min(1.0, sum(found) / len(found)) if found else UNKNOWN_NOVELTY


def _uncertainty(row: Row) -> float:
    mass = _mass(row)
    return -sum(row[token] / mass * math.log2(row[token] / mass) for token in sorted(row))
