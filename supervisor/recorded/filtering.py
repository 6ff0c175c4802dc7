"""A small language to choose messages by their fields: `k>4`, `source==image`, `entries[0].score>0.5`.

In: an expression, being comparisons joined by `and`; then the fields of messages. Out: whether one fits. A path begins
with the name of a field; a name that is no field of the message itself stands for all fields of that name inside it, a
list without an index for all of its entries, and one that fits is enough. Values are numbers, words or quoted text,
`true`, `false`, `none`, and the hex digits of bytes. Refused, with the column: everything else. Nothing is evaluated.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from supervisor.errors import UsageError

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
"""The longer ones first."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX: Final = re.compile(r"\[\s*(\d+)\s*\]")
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_WORD: Final = re.compile(r"[^\s'\"<>=!]+")
_AND: Final = re.compile(r"and(?=\s)")

Part = str | int
Fields = Mapping[str, object]


class FilterError(UsageError):
    """A filter that cannot be understood; `column` counts from 1."""

    def __init__(self, text: str, column: int, reason: str) -> None:
        self.text = text
        self.column = column
        self.reason = reason
        super().__init__(f"--filter, column {column}: {reason}\n  {text}\n  {'^':>{column}}")


@dataclass(frozen=True, slots=True)
class Literal:
    """What a field is compared with: the text as it was written, and the number that it is, if it is one."""

    text: str
    number: float | int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a filter."""

    path: tuple[Part, ...]
    operator: str
    literal: Literal
    column: int

    def fits(self, fields: Fields) -> bool:
        """Whether some value at the path compares so."""
        compare = OPERATORS[self.operator]
        return any(_compares(value, compare, self.literal, self.operator) for value in _values(fields, self.path))


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression."""

    text: str
    comparisons: tuple[Comparison, ...]

    def fits(self, fields: Fields) -> bool:
        """Whether every comparison holds for `fields`."""
        return all(comparison.fits(fields) for comparison in self.comparisons)

    def check_names(self, known: Mapping[str, frozenset[str]]) -> None:
        """Refuse a name that no kind in `known` (kind to all names inside it) has; raises FilterError."""
        for comparison in self.comparisons:
            for name in comparison.path:
                if isinstance(name, str) and not any(name in names for names in known.values()):
                    raise FilterError(self.text, comparison.column, _no_such_field(name, known))


def parse_filter(text: str) -> Filter:
    """The filter that `text` states; raises FilterError."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Filter:
        comparisons = [self._comparison()]
        self._skip_spaces()
        while self._at < len(self._text):
            if self._take(_AND) is None:
                self._refuse(f"expected `and` or the end, found {self._rest()}")
            comparisons.append(self._comparison())
            self._skip_spaces()
        return Filter(self._text, tuple(comparisons))

    def _comparison(self) -> Comparison:
        self._skip_spaces()
        column = self._at + 1
        path = self._path()
        self._skip_spaces()
        found = next((sign for sign in OPERATORS if self._text.startswith(sign, self._at)), None)
        if found is None:
            self._refuse(f"expected one of {' '.join(OPERATORS)}, found {self._rest()}")
        self._at += len(found)
        return Comparison(path, found, self._literal(found), column)

    def _path(self) -> tuple[Part, ...]:
        path: list[Part] = [self._name()]
        while self._at < len(self._text) and self._text[self._at] in ".[":
            if self._text[self._at] == ".":
                self._at += 1
                path.append(self._name())
                continue
            index = self._take(_INDEX)
            if index is None:
                self._refuse("expected an index such as [0]")
            path.append(int(index.group(1)))
        return tuple(path)

    def _name(self) -> str:
        found = self._take(_NAME)
        if found is None:
            self._refuse(f"expected the name of a field, found {self._rest()}")
        return found.group()

    def _literal(self, sign: str) -> Literal:
        self._skip_spaces()
        at = self._at
        quoted = self._take(_QUOTED)
        if quoted is not None:
            return Literal(quoted.group(1) or quoted.group(2) or "", None)
        word = self._take(_WORD)
        if word is None:
            self._refuse(f"expected a value after {sign}, found {self._rest()}")
        number = _number(word.group())
        if number is None and sign not in ("==", "!=") and word.group().lower() in ("true", "false", "none", "null"):
            self._at = at
            self._refuse(f"{word.group()} is neither more nor less than anything; use == or !=")
        return Literal(word.group(), number)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _rest(self) -> str:
        rest = self._text[self._at :]
        return repr(rest if len(rest) <= 20 else rest[:17] + "...") if rest else "the end"

    def _refuse(self, reason: str) -> NoReturn:
        raise FilterError(self._text, self._at + 1, reason)


def _number(word: str) -> float | int | None:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        number = float(word)
    except ValueError:
        return None
    return number if number - number == 0.0 else None


def _values(fields: Fields, path: tuple[Part, ...]) -> Iterator[object]:
    """Everything that `path` stands for in `fields`."""
    first = str(path[0])
    roots: Iterator[object] = iter((fields[first],)) if first in fields else _anywhere(fields, first)
    for root in roots:
        yield from _below(root, path[1:])


def _anywhere(value: object, name: str) -> Iterator[object]:
    """The values of all fields called `name` inside `value`."""
    if isinstance(value, Mapping):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from _anywhere(inner, name)
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from _anywhere(entry, name)


def _below(value: object, path: tuple[Part, ...]) -> Iterator[object]:
    if isinstance(value, tuple | list):
        entries = value[path[0] : path[0] + 1] if path and isinstance(path[0], int) else value
        rest = path[1:] if path and isinstance(path[0], int) else path
        for entry in entries:
            yield from _below(entry, rest)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _below(value[path[0]], path[1:])


def _compares(value: object, compare: Callable[[Any, Any], bool], literal: Literal, sign: str) -> bool:
    """Whether `value` compares so; values of another type than the literal are unequal, and never more or less."""
    is_other_type = sign == "!="
    match value:
        case None:
            return compare("none", literal.text.lower().replace("null", "none")) if sign in ("==", "!=") else False
        case bool():
            return compare(str(value).lower(), literal.text.lower()) if sign in ("==", "!=") else False
        case int() | float():
            return compare(value, literal.number) if literal.number is not None else is_other_type
        case str():
            return compare(value, literal.text) if literal.number is None or sign in ("==", "!=") else False
        case bytes() | memoryview():
            return compare(bytes(value).hex(), literal.text.lower()) if sign in ("==", "!=") else False
    return is_other_type


def _no_such_field(name: str, known: Mapping[str, frozenset[str]]) -> str:
    from difflib import get_close_matches

    names = sorted(frozenset().union(*known.values()))
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    kinds = ", ".join(sorted(known)) if len(known) <= 3 else "any kind"
    return f"no field {name!r} in {kinds}; " + (f"did you mean {', '.join(close)}?" if close else "see `topic info`")
