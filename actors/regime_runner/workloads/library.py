"""Passages that every machine has: the documentation strings of the standard library.

In: nothing but the modules named here. Out: passages with a title (their first line) that is not part of their text,
in a fixed order, so that the right answer to a question is known. They differ between versions of Python alone.
"""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Final, NamedTuple

MODULES: Final = (
    "argparse",
    "ast",
    "calendar",
    "collections",
    "configparser",
    "contextlib",
    "csv",
    "datetime",
    "decimal",
    "difflib",
    "email.message",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "inspect",
    "itertools",
    "logging",
    "os",
    "pathlib",
    "pickle",
    "random",
    "selectors",
    "shutil",
    "socket",
    "statistics",
    "string",
    "subprocess",
    "tarfile",
    "textwrap",
    "threading",
    "unittest.case",
    "urllib.parse",
    "zipfile",
)
SHORTEST: Final = 12
"""Fewest words of a passage."""


class Passage(NamedTuple):
    """One documentation string."""

    title: str
    text: str


def passages() -> list[Passage]:
    """All passages, each title once."""
    found: dict[str, Passage] = {}
    for name in MODULES:
        for text in _strings(importlib.import_module(name)):
            title, _, rest = inspect.cleandoc(text).partition("\n")
            if len(rest.split()) >= SHORTEST and len(title.split()) > 2:
                found.setdefault(title, Passage(title, rest.strip()))
    return [found[title] for title in sorted(found)]


def _strings(module: ModuleType) -> Iterator[str]:
    for _, thing in sorted(vars(module).items(), key=lambda item: item[0]):
        if not callable(thing) or not isinstance(thing.__doc__, str):
            continue
        yield thing.__doc__
        if inspect.isclass(thing):
            members = (member for _, member in sorted(vars(thing).items(), key=lambda item: item[0]))
            yield from (member.__doc__ for member in members if isinstance(getattr(member, "__doc__", None), str))
