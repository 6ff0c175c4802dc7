"""A day as a night sees it: the frozen inputs from which everything else is computed.

In: a snapshot of the pool, the interface logs, the recorded messages and the refusals of a home. Out: a `Day`: arrays
with one row for each dream, oldest first, what was asked and said of these dreams, how often guards acted, and an
`InputManifest` of the bytes that were read. Damaged and absent input is counted and named in `problems`; nothing here
raises for it. Raw ids stay in here: what leaves a night are anchors.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DAY_NS: Final = 86_400 * 10**9
HISTORY_NIGHTS: Final = 7
"""Nights before that are read as well: what a baseline may rest on."""

GuardName = Literal[
    "watchdog_halt", "cap_trip", "setting_clamp", "bias_clamp", "coherence_reject", "sha_reject", "acl_reject"
]


class Problem(NamedTuple):
    """Input that could not be used."""

    source: str
    """Relative to the home; or `snapshot`."""
    what: str
    """What is wrong, without any value of the input."""
    times: int


class InputFile(NamedTuple):
    """What was read of one file."""

    path: str
    """Relative to the home."""
    size_bytes: int
    """When it was read; a log grows on."""
    sha256: str
    """Of the bytes that counted."""
    counted_bytes: int
    """Bytes of complete records inside the day and the nights before."""


@dataclass(frozen=True)
class InputManifest:
    """The files of a night, by path."""

    files: tuple[InputFile, ...] = ()

    def digest(self) -> str:
        """SHA-256 over what counted; the growth of a log after the day does not change it."""
        rows = [[file.path, file.sha256, file.counted_bytes] for file in self.files]
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


class Tensors(Protocol):
    """The tensors of a snapshot, as far as it holds them."""

    def cosine(self, first: int, second: int) -> float | None:
        """The cosine of the tensors of two dreams, by row; None when one of them is not there."""


class NoTensors:
    """A snapshot without tensors."""

    def cosine(self, first: int, second: int) -> None:  # noqa: ARG002 - what is asked for is never there
        """None."""
        return


def _none() -> Integers:
    return np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Pool:
    """Dreams that were in the pool at the end of the day or came in it, one row each, oldest first."""

    ids: tuple[str, ...]
    ts_ns: Integers
    """When each was dreamt."""
    colours: Floats
    """[n, 3], red, green, blue."""
    coherence: Floats
    entropy: Floats
    tensor: Integers
    """Equal numbers are equal tensors."""
    lineage: Integers
    """Equal numbers are equal parents and seed; -1 for a dream without either."""
    in_window: Flags
    """Whether it was persisted in the day."""
    is_live: Flags
    """Whether it was in the pool at the end of the day."""
    is_pinned: Flags
    parents: Integers = field(default_factory=_none)
    """[m, 2]: child of the day, parent, by row."""
    factoids: Integers = field(default_factory=_none)
    """[m, 2]: dream of the day by row, number of a factoid of its."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Feedback:
    """Feedback records on known dreams, oldest first; all that came before the end of the day."""

    row: Integers
    ts_ns: Integers
    utility: Floats
    contribution: Floats
    query: Integers
    """Equal numbers are equal queries of the same learner."""
    learner: Integers

    def __len__(self) -> int:
        return len(self.row)

    def between(self, from_ns: int, to_ns: int) -> "Feedback":
        """The records of a stretch of time, its end excluded."""
        keep = (self.ts_ns >= from_ns) & (self.ts_ns < to_ns)
        return self.kept(keep)

    def kept(self, keep: Flags) -> "Feedback":
        """Some of the records."""
        return Feedback(
            self.row[keep],
            self.ts_ns[keep],
            self.utility[keep],
            self.contribution[keep],
            self.query[keep],
            self.learner[keep],
        )


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to queries, oldest first; the dreams of answer i are `rows[start[i] : start[i + 1]]`, best first."""

    ts_ns: Integers
    start: Integers
    rows: Integers

    def __len__(self) -> int:
        return len(self.ts_ns)

    def of(self, answer: int) -> Integers:
        """The dreams of one answer."""
        return self.rows[self.start[answer] : self.start[answer + 1]]


class Tally(NamedTuple):
    """A guard acted k times of n opportunities."""

    k: int
    n: int


@dataclass(frozen=True)
class Guard:
    """What one guard did in each night, the last being that of the day; None for a night of which nothing is kept."""

    name: GuardName
    nights: tuple[Tally | None, ...]


class Bounds(NamedTuple):
    """How full the pool was at the end of the day; None where there is no limit, or nothing is recorded."""

    dreams: int
    size_bytes: int
    """Of its tensors as stored."""
    max_dreams: int | None
    max_bytes: int | None
    inserted: int
    evicted: int
    compactions_ns: tuple[int, ...] = ()
    """When space was reclaimed, oldest first."""


@dataclass(frozen=True, eq=False)
class Day:
    """Everything that a night looks at."""

    from_ns: int
    to_ns: int
    pool: Pool
    feedback: Feedback
    answers: Answers
    """Of the day and of the nights before."""
    guards: tuple[Guard, ...]
    bounds: Bounds
    floors_applied: int | None
    """Source weights of the day's last bias profile that stand at their floor; None without a profile."""
    lines: tuple[tuple[str, int], ...] = ()
    """Records of the day that were read from each log."""
    unknown_dreams: int = 0
    """Records that name a dream which the snapshot does not know."""
    problems: tuple[Problem, ...] = ()
    inputs: InputManifest = InputManifest()
    tensors: Tensors = field(default_factory=NoTensors)

    @property
    def is_readable(self) -> bool:
        """Whether there is a pool to look at: without one a night says that its input cannot be read."""
        return not any(problem.source == SNAPSHOT and problem.what in FATAL for problem in self.problems)

    def night(self, back: int) -> tuple[int, int]:
        """Beginning and end of the night `back` nights before; 0 is that of the day."""
        length = self.to_ns - self.from_ns
        return self.from_ns - back * length, self.to_ns - back * length


SNAPSHOT: Final = "snapshot"
ABSENT: Final = "absent"
UNREADABLE: Final = "unreadable"
FATAL: Final = (ABSENT, UNREADABLE)
