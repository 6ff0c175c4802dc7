"""What a kind of message looks like: its fields in words, read from the classes that every message is checked with.

In: the name of a kind, in any case. Out: its fields and those of the records inside it, each with type, range and
docstring; who may send and receive it by the topology; the names that a filter may use. Refused: a kind that is not
there, with the nearest ones.
"""

import ast
import inspect
import types
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from bus.topology import CONTROL, TOPOLOGY
from schemas.base import Message, Record
from schemas.catalogue import CATALOGUE
from schemas.ids import INSTANCE_PATTERN, UUID_PATTERN
from supervisor.errors import UsageError

PLAIN: Final[dict[object, str]] = {str: "text", int: "int", float: "float", bool: "bool", bytes: "bytes"}
PATTERNS: Final = {UUID_PATTERN: "UUID", INSTANCE_PATTERN: "instance name"}
HUGE: Final = {2**63 - 1: "2^63 - 1", 2**64 - 1: "2^64 - 1", 2**31 - 1: "2^31 - 1"}


class FieldText(NamedTuple):
    """One field in words."""

    name: str
    type: str
    doc: str


class KindText(NamedTuple):
    """A kind of message in words."""

    kind: str
    version: int
    golden: str
    """The file among the tests of the wire that fixes its bytes."""
    doc: str
    is_journalled: bool
    rows: tuple[tuple[str, str], ...]
    """Sender role and receiver role, as the topology allows."""
    fields: tuple[FieldText, ...]
    records: tuple[tuple[str, tuple[FieldText, ...]], ...]
    """The records inside it, in the order in which they are first named."""

    def tree(self) -> dict[str, object]:
        """The kind as a JSON object."""
        return {
            "kind": self.kind,
            "version": self.version,
            "golden": self.golden,
            "doc": self.doc,
            "is_journalled": self.is_journalled,
            "rows": [{"sender": sender, "receiver": receiver} for sender, receiver in self.rows],
            "fields": [text._asdict() for text in self.fields],
            "records": {name: [text._asdict() for text in texts] for name, texts in self.records},
        }


def journalled_kinds() -> list[str]:
    """Every kind that stands in journals, by name."""
    return sorted({row.message.kind for row in TOPOLOGY if row.message not in CONTROL})


def find_kind(text: str) -> str:
    """The kind that `text` names, in any case; raises UsageError with the nearest ones."""
    for kind in CATALOGUE:
        if kind.lower() == text.lower():
            return kind
    close = get_close_matches(text.lower(), [kind.lower() for kind in CATALOGUE], n=3, cutoff=0.5)
    near = [kind for kind in CATALOGUE if kind.lower() in close] or journalled_kinds()
    raise UsageError(f"no message is called {text!r}; there are {', '.join(near)}")


def describe_kind(kind: str) -> KindText:
    """`kind` in words."""
    cls = CATALOGUE[kind]
    return KindText(
        kind=kind,
        version=cls.version,
        golden=f"{kind}.v{cls.version}.msgpack",
        doc=inspect.getdoc(cls) or "",
        is_journalled=cls not in CONTROL,
        rows=tuple((row.sender, row.receiver) for row in TOPOLOGY if row.message is cls),
        fields=_fields(cls),
        records=tuple((record.__name__, _fields(record)) for record in _records_in(cls)),
    )


@cache
def names_in(kind: str) -> frozenset[str]:
    """The names of all fields of `kind` and of the records inside it."""
    cls = CATALOGUE[kind]
    return frozenset(name for each in (cls, *_records_in(cls)) for name in each.model_fields)


def _fields(cls: type[Record]) -> tuple[FieldText, ...]:
    docs = _docs_of(cls)
    payloads = cls.payload_fields if issubclass(cls, Message) else ()
    return tuple(
        FieldText(
            name,
            _type_text(field.annotation, field.metadata) + (", travels beside the body" if name in payloads else ""),
            docs.get(name, ""),
        )
        for name, field in cls.model_fields.items()
    )


def _docs_of(cls: type) -> dict[str, str]:
    """The docstrings under the fields of `cls` and its bases; without source code there are none."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, Record):
            continue
        try:
            tree = ast.parse(dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for statement, following in pairwise(body):
            match statement, following:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(inspect.cleandoc(text).split())
    return found


def _records_in(cls: type[Record]) -> list[type[Record]]:
    found: dict[type[Record], None] = {}
    for field in cls.model_fields.values():
        for record in _records_of(field.annotation):
            found.update(dict.fromkeys((record, *_records_in(record))))
    return list(found)


def _records_of(annotation: Any) -> Iterator[type[Record]]:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        yield annotation
    for inner in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from _records_of(inner)


def _type_text(annotation: Any, metadata: Iterable[object] = ()) -> str:
    """A type with its constraints: `int 1..4096`, `UUID or none`, `list of FeedbackRecord, 1..4096 entries`."""
    constraints = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(inner[0], (*inner[1:], *constraints))
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return _union_text(inner, constraints)
    if origin is tuple:
        return _tuple_text(inner) + _length_text(constraints, "entries")
    return _plain_text(annotation, constraints)


def _union_text(inner: tuple[Any, ...], constraints: list[object]) -> str:
    texts = ["none" if part is type(None) else _type_text(part, constraints) for part in inner]
    return " or ".join(dict.fromkeys(texts))


def _tuple_text(inner: tuple[Any, ...]) -> str:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return f"list of {_type_text(inner[0])}"
    texts = [_type_text(part) for part in inner]
    return f"{len(texts)} x {texts[0]}" if len(set(texts)) == 1 else f"({', '.join(texts)})"


def _plain_text(annotation: Any, constraints: list[object]) -> str:
    pattern = next((str(part) for part in (getattr(each, "pattern", None) for each in constraints) if part), "")
    if pattern:
        return PATTERNS.get(pattern, f"text like {pattern}") + _length_text(constraints, "characters")
    name = PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation)))
    unit = "bytes" if annotation is bytes else "characters"
    return name + _range_text(constraints) + _length_text(constraints, unit)


def _range_text(constraints: list[object]) -> str:
    low: list[str] = []
    high: list[str] = []
    for part in constraints:
        match part:
            case Ge(ge=bound):
                low = [">=", _bound_text(bound)]
            case Gt(gt=bound):
                low = [">", _bound_text(bound)]
            case Le(le=bound):
                high = ["<=", _bound_text(bound)]
            case Lt(lt=bound):
                high = ["<", _bound_text(bound)]
    if low[:1] == [">="] and high[:1] == ["<="]:
        return f" {low[1]}..{high[1]}"
    sides = [" ".join(side) for side in (low, high) if side]
    return f" {' and '.join(sides)}" if sides else ""


def _length_text(constraints: list[object], unit: str) -> str:
    least = next((part.min_length for part in constraints if isinstance(part, MinLen)), 0)
    most = next((part.max_length for part in constraints if isinstance(part, MaxLen)), None)
    if least and least == most:
        return f", {most} {unit}"
    if most is not None:
        return f", {least}..{most} {unit}" if least else f", at most {most} {unit}"
    return f", at least {least} {unit}" if least else ""


def _bound_text(bound: object) -> str:
    if isinstance(bound, float) and bound.is_integer():
        return str(int(bound))
    return HUGE.get(bound, str(bound)) if isinstance(bound, int) else str(bound)
