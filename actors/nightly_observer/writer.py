"""The bytes of `nightly.json`: what was there stays as it is, and the night's own keys are put in (seed 004, 3 and 5).

In: the bytes of a file that may be there, and values by key. Out: the bytes of the new file. The text of every other
key and value is kept byte for byte, in its place; a key that is new comes last. Refused: bytes that are no JSON object.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from schemas.errors import OneirosError

_DECODER: Final = json.JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\r\n]*")
INDENT: Final = 2
EMPTY: Final = "{\n}\n"


class NightlyFileError(OneirosError):
    """A `nightly.json` that cannot be added to."""


class Span(NamedTuple):
    """Where a member of an object stands in its text."""

    key: str
    begin: int
    """Of the value."""
    end: int


def with_values(text: bytes | None, values: Mapping[str, object]) -> bytes:
    """`text`, or an empty object, with `values` in place of those of the same keys. Raises NightlyFileError."""
    kept = EMPTY if text is None else _decoded(text)
    for key, value in values.items():
        kept = _with_value(kept, key, _drawn(value))
    return kept.encode()


def value_of(text: bytes, key: str) -> object | None:
    """The value of a key of the object in `text`; None when it is not there. Raises NightlyFileError."""
    found = [span for span in _spans(_decoded(text)) if span.key == key]
    return json.loads(_decoded(text)[found[-1].begin : found[-1].end]) if found else None


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NightlyFileError(f"it is no UTF-8 text ({error.reason} at byte {error.start})") from None


def _drawn(value: object) -> str:
    text = json.dumps(value, indent=INDENT, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.replace("\n", "\n" + " " * INDENT)


def _with_value(text: str, key: str, drawn: str) -> str:
    spans = list(_spans(text))
    found = [span for span in spans if span.key == key]
    if found:
        return text[: found[-1].begin] + drawn + text[found[-1].end :]
    member = f"{' ' * INDENT}{json.dumps(key)}: {drawn}"
    if not spans:
        opening = text.index("{") + 1
        return f"{text[:opening]}\n{member}\n{text[opening:].lstrip()}"
    end = spans[-1].end
    return f"{text[:end]},\n{member}{text[end:]}"


def _spans(text: str) -> Iterator[Span]:
    """The members of the object that `text` is, in order; raises NightlyFileError when it is none."""
    try:
        at = _expect(text, _skip(text, 0), "{")
        if text[at : at + 1] == "}":
            _end(text, at + 1)
            return
        while True:
            key, at = _DECODER.raw_decode(text, at)
            begin = _expect(text, _skip(text, at), ":")
            _, at = _DECODER.raw_decode(text, begin)
            if not isinstance(key, str):
                raise ValueError("a key is text")
            yield Span(key, begin, at)
            at = _skip(text, at)
            if text[at : at + 1] == "}":
                _end(text, at + 1)
                return
            at = _expect(text, at, ",")
    except (ValueError, IndexError, RecursionError) as error:
        raise NightlyFileError(f"it is no JSON object: {error}") from None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _expect(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign!r} is missing at {at}")
    return _skip(text, at + 1)


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise ValueError(f"more follows at {at}")
