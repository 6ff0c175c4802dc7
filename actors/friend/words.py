"""Lines as tokens and words: what may be said, how long, and which words carry the meaning.

In: any text that a host gives. Out: a clean line within its bounds, its tokens, its content words. Refused, as None: a
text without a word in it.
"""

import re
import unicodedata
from typing import Final

TOKEN: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")
WORD: Final = re.compile(r"[^\W_]")
HARMLESS: Final = {"Cc": " ", "Cf": "", "Cs": "", "Co": "", "Cn": ""}
LONGEST_SCAN_CHARS: Final = 16_384
"""No line is looked at beyond this: a host may hand over anything."""

FUNCTION_WORD_LIST: Final = """
    a about after again all also am an and any are aren't as at be because been before being but by can can't
    could did didn't do does doesn't doing don't down each even ever every few for from had has have having he
    her here hers him his how i i'm if in into is isn't it it's its just let like may me might mine more most
    much must my no nor not now of off on once one only or other our ours out over own same shall she should so
    some such than that that's the their them then there these they this those through to too under until up us
    very was we were what when where which while who whom whose why will with without won't would yes yet you
    your yours"""
FUNCTION_WORDS: Final = frozenset(FUNCTION_WORD_LIST.split())


def clean(text: str) -> str | None:
    """`text` on one line, without control, format and surrogate characters; None when no word is left."""
    kept = (HARMLESS.get(unicodedata.category(char), char) for char in text[:LONGEST_SCAN_CHARS])
    line = " ".join("".join(kept).split())
    return line if WORD.search(line) else None


def clamp(line: str, max_tokens: int, max_chars: int) -> str:
    """The beginning of `line`: at most `max_tokens` tokens and `max_chars` characters."""
    end = 0
    for count, match in enumerate(TOKEN.finditer(line)):
        if count == max_tokens:
            return line[:end][:max_chars].rstrip()
        end = match.end()
    return line[:max_chars].rstrip()


def tokens_of(text: str) -> list[str]:
    """The words and punctuation marks of `text`, in lower case."""
    return TOKEN.findall(text.casefold())


def is_word(token: str) -> bool:
    """Whether `token` is a word and no mark."""
    return token[0].isalnum()


def content_words(text: str) -> list[str]:
    """The words of `text` that carry meaning, in order, with repetitions."""
    return [token for token in tokens_of(text) if is_word(token) and token not in FUNCTION_WORDS]


def overlap(text: str, origin: frozenset[str]) -> float:
    """Share of the content words of `text` that are in `origin`; 0 for a text without any."""
    words = content_words(text)
    return sum(word in origin for word in words) / len(words) if words else 0.0
