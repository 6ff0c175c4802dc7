"""Text as tokens and back: normal form NFC, tags as one token each, everything else as merged bytes.

In: text. Out: u32 tokens, and from them the text in normal form NFC (Unicode Standard Annex 15): decode(encode(x)) is
NFC(x), and x itself where x is in that form. No character is unknown: what no merge covers is its bytes. Zero
characters, emoji and text that looks like a tag come back as they were. Refused, with the place: halves of surrogate
pairs, which are no text; more text than a document has; tokens that no vocabulary has or that make no UTF-8.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.tokenizer.settings import TextSettings
from actors.learner.trainer.tokenizer.vocabulary import (
    BYTES,
    PIECE,
    Pair,
    Vocabulary,
    merged,
    shipped_merges,
    vocabulary_of,
)
from schemas.errors import OneirosError

MAX_CHARACTERS: Final = 16 * 1024 * 1024
CACHED_PIECES: Final = 65_536
LONG_RUN: Final = re.compile("[^\\x00-\u02ff]{64,}")
"""Where many marks may follow each other: below U+0300 there is none."""

Tokens = npt.NDArray[np.uint32]


class TextRefusedError(OneirosError):
    """A text cannot become tokens."""

    is_permanent = True


class TokensRefusedError(OneirosError):
    """Tokens cannot become what they claim to be."""

    is_permanent = True


class TextTokenizer:
    """Tokenizes by a frozen vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._ranks: dict[Pair, int] = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
        self._tag_ids = {tag: BYTES + len(vocabulary.merges) + place for place, tag in enumerate(vocabulary.tags)}
        longest_first = sorted(vocabulary.tags, key=lambda tag: (-len(tag), tag))
        self._tag = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._encode_piece = lru_cache(CACHED_PIECES)(self._merge_piece)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the vocabulary."""
        return self.vocabulary.digest

    def describe(self) -> Mapping[str, str | int]:
        """What a manifest records."""
        return {
            "kind": "text",
            "normal_form": "NFC",
            "unicode": unicodedata.unidata_version,
            "vocabulary_sha256": self.digest,
            "vocabulary_size": len(self.vocabulary),
        }

    def encode(self, text: str) -> Tokens:
        """The tokens of `text`, u32 [n]; raises TextRefusedError."""
        plain = normal_form(text)
        tokens: list[int] = []
        place = 0
        for found in self._tag.finditer(plain) if self._tag is not None else ():
            self._encode_into(plain[place : found.start()], tokens)
            tokens.append(self._tag_ids[found.group()])
            place = found.end()
        self._encode_into(plain[place:], tokens)
        return np.array(tokens, dtype=np.uint32)

    def decode(self, tokens: Tokens | Sequence[int]) -> str:
        """The text of `tokens`; raises TokensRefusedError."""
        known = self.vocabulary.tokens
        ids = [int(token) for token in tokens]
        unknown = next((place for place, token in enumerate(ids) if not 0 <= token < len(known)), None)
        if unknown is not None:
            raise TokensRefusedError(f"token {ids[unknown]} at {unknown} is not in the vocabulary of {len(known)}")
        content = b"".join([known[token] for token in ids])
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise TokensRefusedError(f"the tokens make no text: {error.reason} at byte {error.start}") from None

    def _encode_into(self, text: str, tokens: list[int]) -> None:
        for piece in PIECE.findall(text.encode()):
            tokens.extend(self._encode_piece(piece))

    def _merge_piece(self, piece: bytes) -> tuple[int, ...]:
        """Apply the merges to one piece, in the order in which they were learnt."""
        word = list(piece)
        while len(word) > 1:
            ranked = [(self._ranks[pair], pair) for pair in pairwise(word) if pair in self._ranks]
            if not ranked:
                break
            rank, pair = min(ranked)
            word = merged(word, pair, BYTES + rank)
        return tuple(word)


def normal_form(text: str) -> str:
    """`text` in normal form NFC; raises TextRefusedError for what is no text."""
    if len(text) > MAX_CHARACTERS:
        raise TextRefusedError(f"the text has {len(text)} characters; at most {MAX_CHARACTERS} are taken")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextRefusedError(
            f"the character at {error.start} is U+{ord(text[error.start]):04X}, half of a surrogate pair and no text; "
            "decode the source anew, or replace it"
        ) from None
    return unicodedata.normalize("NFC", LONG_RUN.sub(_marks_in_order, text))


def _marks_in_order(run: re.Match[str]) -> str:
    """The same text to Unicode, every run of marks in canonical order: `normalize` takes its square to sort one."""
    groups = groupby(run.group(), key=lambda character: unicodedata.combining(character) > 0)
    return "".join("".join(sorted(marks, key=unicodedata.combining) if is_mark else marks) for is_mark, marks in groups)


def build_text(settings: TextSettings) -> TextTokenizer:
    """The tokenizer of `settings`; raises VocabularyError."""
    return TextTokenizer(vocabulary_of(shipped_merges(settings.merges), settings.tags))
