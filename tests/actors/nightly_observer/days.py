"""Days that tests make up: a few dreams, what was said of them, what guards did; and one day for each kind of seed."""

import hashlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import DAY_NS, Answers, Bounds, Day, Feedback, Guard, GuardName, Pool, Tally
from schemas.colour import Rgb, to_rgb
from schemas.dream_seeds import SeedType
from schemas.ids import derived_id
from schemas.night_files import RUNTIME_FILE, load_runtime
from schemas.night_settings import RuntimeSettings
from supervisor.configuration import default_file

FROM_NS = 1_900_000_000 // 86_400 * 86_400 * 10**9
TO_NS = FROM_NS + DAY_NS
KEY = bytes(range(32))
HOUR_NS = DAY_NS // 24


def runtime_settings() -> RuntimeSettings:
    """The packaged settings."""
    return load_runtime(default_file().with_name(RUNTIME_FILE).read_bytes())


def anchors(id_privacy: str = "hash", date: str = "2030-03-17") -> Anchors:
    """Anchors of a test key."""
    return Anchors(KEY, date, "mask" if id_privacy == "mask" else "hash")


@dataclass
class FakeTensors:
    """Tensors that agree as they are told to; None for pairs that nobody told of."""

    cosines: dict[tuple[int, int], float] = field(default_factory=dict)
    default: float | None = None

    def cosine(self, first: int, second: int) -> float | None:
        """What was told of two rows."""
        return self.cosines.get((min(first, second), max(first, second)), self.default)


@dataclass
class _Dream:
    dream_id: str
    ts_ns: int
    colour: Rgb
    coherence: float
    tensor: int
    lineage: int
    is_tonight: bool
    is_pinned: bool


@dataclass
class MadeDay:
    """A day in the making; dreams are told oldest first."""

    dreams: list[_Dream] = field(default_factory=list)
    told: list[tuple[int, int, float, float, int, int]] = field(default_factory=list)
    answers: list[tuple[int, list[int]]] = field(default_factory=list)
    parents: list[tuple[int, int]] = field(default_factory=list)
    factoids: list[tuple[int, int]] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    tensors: FakeTensors = field(default_factory=FakeTensors)
    max_dreams: int | None = None
    max_bytes: int | None = None
    evicted: int = 0
    compactions_ns: tuple[int, ...] = ()
    floors_applied: int | None = None

    def dream(
        self,
        colour: Rgb = (0.5, 0.5, 0.5),
        coherence: float = 0.6,
        *,
        tensor: int | None = None,
        lineage: int = -1,
        days_ago: float = -0.25,
        is_pinned: bool = False,
    ) -> int:
        """A dream, by row; `days_ago` before the day begins, and below 0 in it."""
        row = len(self.dreams)
        ts_ns = FROM_NS - round(days_ago * DAY_NS)
        own = -2 - row if tensor is None else tensor
        made = _Dream(derived_id("day", row), ts_ns, colour, coherence, own, lineage, ts_ns >= FROM_NS, is_pinned)
        self.dreams.append(made)
        return row

    def hue(self, degrees: float, days_ago: float = -0.25, *, value: float = 0.8, coherence: float = 0.6) -> int:
        """A dream of a strong colour."""
        return self.dream(to_rgb((degrees, 0.8, value)), coherence, days_ago=days_ago)

    def say(
        self, row: int, utility: float, *, days_ago: float = -0.5, query: int | None = None, learner: int = 1
    ) -> None:
        """Feedback; each record is of a query and an alignment of its own unless told otherwise."""
        number = len(self.told) + 1
        ts_ns = FROM_NS - round(days_ago * DAY_NS)
        self.told.append((row, ts_ns, utility, number / 1e6, number if query is None else query, learner))

    def answer(self, *rows: int, days_ago: float = -0.5) -> None:
        """An answer that names dreams."""
        self.answers.append((FROM_NS - round(days_ago * DAY_NS), list(rows)))

    def guard(self, name: GuardName, *nights: tuple[int, int] | None) -> None:
        """Tallies of the last nights, the day's own last."""
        tallies = [None if night is None else Tally(*night) for night in nights]
        self.guards.append(Guard(name, (None,) * (8 - len(tallies)) + tuple(tallies)))

    def made(self) -> Day:
        """The day."""
        held = self.dreams
        self.told.sort(key=lambda each: each[1])
        columns = list(zip(*self.told, strict=True)) or [()] * 6
        whole = [np.array(column, dtype=np.int64) for column in (columns[0], columns[1], columns[4], columns[5])]
        answers = sorted(self.answers)
        tonight = sum(dream.is_tonight for dream in held)
        return Day(
            from_ns=FROM_NS,
            to_ns=TO_NS,
            pool=Pool(
                ids=tuple(dream.dream_id for dream in held),
                ts_ns=np.array([dream.ts_ns for dream in held], dtype=np.int64),
                colours=np.array([dream.colour for dream in held], dtype=np.float64).reshape(-1, 3),
                coherence=np.array([dream.coherence for dream in held]),
                entropy=np.array([1.0 - dream.coherence for dream in held]),
                tensor=np.unique([dream.tensor for dream in held], return_inverse=True)[1].astype(np.int64),
                lineage=np.array([dream.lineage for dream in held], dtype=np.int64),
                in_window=np.array([dream.is_tonight for dream in held], dtype=np.bool_),
                is_live=np.ones(len(held), dtype=np.bool_),
                is_pinned=np.array([dream.is_pinned for dream in held], dtype=np.bool_),
                parents=_pairs(self.parents),
                factoids=_pairs(self.factoids),
            ),
            feedback=Feedback(
                whole[0], whole[1], np.array(columns[2], dtype=float), np.array(columns[3], dtype=float), *whole[2:]
            ),
            answers=Answers(
                np.array([ts_ns for ts_ns, _ in answers], dtype=np.int64),
                np.cumsum([0, *(len(rows) for _, rows in answers)]).astype(np.int64),
                np.array([row for _, rows in answers for row in rows], dtype=np.int64),
            ),
            guards=tuple(self.guards),
            bounds=Bounds(
                len(held), 1000 * len(held), self.max_dreams, self.max_bytes, tonight, self.evicted, self.compactions_ns
            ),
            floors_applied=self.floors_applied,
            tensors=self.tensors,
        )


def _pairs(pairs: Iterable[tuple[int, int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2)


def quiet() -> MadeDay:
    """A day on which nothing stands out: dreams apart, feedback that agrees, guards at rest."""
    made = MadeDay()
    for number in range(48):
        made.hue(7.5 * number + 1.0, 3.0, coherence=0.4 + 0.001 * number)
    tonight = [made.hue(7.5 * number + 2.0, coherence=0.7 + 0.001 * number) for number in range(48)]
    for number, row in enumerate(tonight):
        made.say(row, 0.2 + 0.001 * (number % 7))
    for number in range(0, 48, 2):
        made.answer(tonight[number], tonight[number + 1])
    made.guard("coherence_reject", *[(2, 100)] * 8)
    return made


def duplicate_day() -> MadeDay:
    """Three dreams whose bytes were there before."""
    made = quiet()
    first = made.dreams[5]
    for _ in range(3):
        made.dream(first.colour, first.coherence, tensor=first.tensor)
    return made


def conflict_day() -> MadeDay:
    """A bin in which dreams of one colour helped and harmed."""
    made = quiet()
    rows = [made.hue(126.0, coherence=0.85 + 0.01 * number) for number in range(12)]
    for number, row in enumerate(rows):
        made.say(row, 0.5 if number % 2 else -0.5)
    for degrees in (200.0, 245.0, 290.0):
        for number in range(10):
            row = made.hue(degrees + 0.5, coherence=0.31 + 0.011 * number, value=0.5)
            made.say(row, 0.3 + 0.01 * number)
    return made


def bridge_day() -> MadeDay:
    """A dream that is always retrieved with dreams of one other bin, and nothing else links these bins."""
    made = quiet()
    here = 48
    there = [made.hue(181.0, coherence=0.32 + 0.02 * number) for number in range(3)]
    for _ in range(4):
        made.answer(here, *there)
    return made


def pressure_day() -> MadeDay:
    """A pool that is almost full."""
    made = quiet()
    made.max_dreams = 100
    return made


def guard_day() -> MadeDay:
    """A guard that was at rest for a week, and not tonight."""
    made = quiet()
    made.guards.clear()
    made.guard("coherence_reject", *[(2, 100)] * 7, (60, 100))
    return made


def full_day() -> MadeDay:
    """Everything at once."""
    made = conflict_day()
    first = made.dreams[5]
    for _ in range(3):
        made.dream(first.colour, first.coherence, tensor=first.tensor)
    there = [made.hue(181.0, coherence=0.32 + 0.02 * number) for number in range(3)]
    for _ in range(4):
        made.answer(48, *there)
    made.max_dreams = len(made.dreams) + 1
    made.guards.clear()
    made.guard("coherence_reject", *[(2, 100)] * 7, (60, 100))
    return made


DAYS: dict[SeedType, Callable[[], MadeDay]] = {
    "duplicate": duplicate_day,
    "conflict": conflict_day,
    "bridge": bridge_day,
    "budget_pressure": pressure_day,
    "guard_overuse": guard_day,
}
"""One day for each type, on which it alone fires."""


def digest_of(day: Day) -> str:
    """Of all arrays of a day, to see whether they were changed."""
    parts = [day.pool.colours, day.pool.coherence, day.pool.tensor, day.feedback.utility, day.answers.rows]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + array("q", [day.from_ns]).tobytes()).hexdigest()
