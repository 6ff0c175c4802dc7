"""What a process inherits from the supervisor beside its arguments: open descriptors, each with a name.

In: `--handed NAME=NUMBER` arguments. Out: the key ring, the socket that the inbox listens on, and those on which peers
fetch what is said to them. Keys come this way so that they are in no environment, no argument and no file.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bus.keys import KeyRing, take_over

KEYS: Final = "keys"
INBOX: Final = "inbox"
OUTLET_PREFIX: Final = "outlet:"
"""Followed by the instance that fetches there."""


@dataclass(frozen=True)
class Inheritance:
    """The open ends that a process begins with."""

    ring: KeyRing | None = None
    """None for a bus without locks."""
    inbox: int | None = None
    """None for a process that makes its own inbox."""
    outlets: Mapping[str, int] = field(default_factory=dict)


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Let `parser` understand what `arguments_for` writes."""
    parser.add_argument("--handed", action="append", default=[], help="NAME=NUMBER of an inherited descriptor")


def arguments_for(handed: Mapping[str, int]) -> list[str]:
    """The arguments that tell a process what it was handed."""
    return [word for name, number in handed.items() for word in ("--handed", f"{name}={number}")]


def inherit(words: Sequence[str]) -> Inheritance:
    """Take over what `--handed` words name; raises ValueError for a word that is none, OSError for a bad number."""
    named = {name: int(number) for name, number in (word.rsplit("=", 1) for word in words)}
    outlets = {name.removeprefix(OUTLET_PREFIX): fd for name, fd in named.items() if name.startswith(OUTLET_PREFIX)}
    ring = take_over(named[KEYS]) if KEYS in named else None
    return Inheritance(ring, named.get(INBOX), outlets)
