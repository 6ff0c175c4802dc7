"""The frozen vocabulary of text: 256 bytes, merges of two tokens each, tags.

In: the shipped file of merges and the tags of a configuration, or texts to learn merges from. Out: a `Vocabulary` in
which every id has its bytes, with a digest. Ids 0 to 255 are the bytes, merges follow in the order in which they were
learnt (Sennrich et al. 2016), then the tags. The shipped merges are those of the facts of the sample set, learnt by
`learn_merges`. Nothing that is tokenized ever changes a vocabulary. Refused: a file that is not the
one that was shipped, a merge of tokens that do not exist yet.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from actors.learner.trainer.reading import read_file
from schemas.errors import OneirosError

PATH: Final = Path(__file__).parent / "merges.json"
SHA256: Final = "5ed48c40cd3329a8ee1be1af7dae3bdf5e16e561916c35525dca4619695bdcc9"
MAX_BYTES: Final = 4 * 1024 * 1024
BYTES: Final = 256
PIECE: Final = re.compile(rb" ?[^ \t\r\n]{1,64}|[ \t\r\n]{1,64}")
"""What merges stay inside of: a word with the space before it, or white space; every byte is in one piece."""

Pair = tuple[int, int]


class VocabularyError(OneirosError):
    """A vocabulary cannot be used."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every token with its bytes."""

    merges: tuple[Pair, ...]
    tags: tuple[str, ...]
    tokens: tuple[bytes, ...]
    """Bytes of each id."""
    digest: str
    """Hexadecimal SHA-256 over merges and tags."""

    def __len__(self) -> int:
        return len(self.tokens)


def vocabulary_of(merges: Iterable[Pair], tags: tuple[str, ...]) -> Vocabulary:
    """The vocabulary of `merges` and `tags`; raises VocabularyError."""
    pairs = tuple(merges)
    tokens = [bytes((value,)) for value in range(BYTES)]
    for place, (left, right) in enumerate(pairs):
        if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
            raise VocabularyError(
                f"merge {place} joins {left} and {right}, but there are {len(tokens)} tokens before it"
            )
        tokens.append(tokens[left] + tokens[right])
    tokens.extend(tag.encode() for tag in tags)
    content = json.dumps({"merges": pairs, "normal_form": "NFC", "tags": tags}, separators=(",", ":"))
    return Vocabulary(pairs, tags, tuple(tokens), hashlib.sha256(content.encode()).hexdigest())


def shipped_merges(count: int) -> tuple[Pair, ...]:
    """The first `count` of the shipped merges; raises VocabularyError where there are fewer, or the file is another."""
    content = read_file(PATH, MAX_BYTES)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise VocabularyError(f"{PATH} is not the file that was shipped; install the package again")
    merges = tuple((left, right) for left, right in json.loads(content))
    if count > len(merges):
        raise VocabularyError(f"tokenizer.merges is {count}; {len(merges)} are shipped")
    return merges[:count]


def merges_text(merges: Iterable[Pair]) -> str:
    """The content of a file of merges: one a line."""
    return "[\n" + ",\n".join(f"[{left},{right}]" for left, right in merges) + "\n]\n"


def learn_merges(texts: Iterable[str], count: int) -> tuple[Pair, ...]:
    """At most `count` merges, each of the pair that is most frequent in `texts` then; of equals the lowest ids.

    Texts are in normal form NFC. It stops where no pair is there twice.
    """
    pieces = Counter(piece for text in texts for piece in PIECE.findall(text.encode()))
    words = [(list(piece), number) for piece, number in sorted(pieces.items())]
    merges: list[Pair] = []
    while len(merges) < count:
        pairs: Counter[Pair] = Counter()
        for word, number in words:
            for pair in pairwise(word):
                pairs[pair] += number
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        words = [(merged(word, best, BYTES + len(merges)), number) for word, number in words]
        merges.append(best)
    return tuple(merges)


def merged(word: list[int], pair: Pair, token: int) -> list[int]:
    """`word` with every `pair`, from the left, replaced by `token`."""
    out: list[int] = []
    place = 0
    while place < len(word):
        if place + 1 < len(word) and (word[place], word[place + 1]) == pair:
            out.append(token)
            place += 2
        else:
            out.append(word[place])
            place += 1
    return out
