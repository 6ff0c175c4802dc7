"""From seeds to scenes: which seeds are dreamt together, and which things stand for them (seed 004, 4.2).

In: seeds in order of rank. Out: groups of seeds that mix types, and for each group a scene: things with the anchors of
their seed, how they stand, what happens to them. What a thing looks like is taken from its anchor alone, so that a
finding that stays looks the same every night for as long as its anchor does. No sentence is made here.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from schemas.dream_seeds import DreamSeed
from schemas.scene import CONSTRAINTS, MAX_THINGS, Bearing, Change, Form, Place, Relation, Scene, Thing, Transform

Option = TypeVar("Option")

MOST_ALIKE: Final = 4
"""Things that stand for one duplicate, at most."""
TWINS: Final[tuple[Form, ...]] = ("bowl", "chair", "lamp", "bell", "shell", "coat", "drum", "wheel", "kite", "book")
OPPOSITES: Final[tuple[Form, ...]] = ("candle", "mirror", "door", "chair", "bell", "tree", "coat", "drum")
SPANS: Final[tuple[Form, ...]] = ("rope", "ladder", "boat")
"""They are of no bin: what they are made of is seen."""
SHORES: Final[tuple[Form, ...]] = ("tree", "stone", "lamp", "book", "door", "bell", "shell", "chair")
LOADS: Final[tuple[Form, ...]] = ("book", "letter", "bowl", "stone", "coat", "drum", "key", "shell")
GUARDS: Final[tuple[Form, ...]] = ("door", "tree", "stone", "mirror")
KEPT: Final[tuple[Form, ...]] = ("kite", "shell", "wheel", "letter", "bell", "drum", "candle")


@dataclass
class _Stage:
    """A scene in the making."""

    things: list[Thing] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    transforms: list[Transform] = field(default_factory=list)

    def put(self, seed: DreamSeed, at: int, form: Form, place: Place) -> int:
        """A thing for anchor `at` of `seed`, in the colour of bin `at`; the last ones stand for those beyond."""
        bin_index = seed.bins[min(at, len(seed.bins) - 1)] if seed.bins and form not in SPANS else None
        anchor = seed.anchors[min(at, len(seed.anchors) - 1)]
        self.things.append(Thing(anchor=anchor, seed_type=seed.seed_type, form=form, bin=bin_index, place=place))
        return len(self.things) - 1

    def relate(self, bearing: Bearing, indices: Sequence[int]) -> None:
        """Each of `indices` to the one before it."""
        pairs = itertools.pairwise(indices)
        self.relations += [Relation(bearing=bearing, first=first, second=second) for first, second in pairs]

    def change(self, seed: DreamSeed, change: Change, indices: Sequence[int]) -> None:
        """What happens to the things of `seed`."""
        on = tuple(indices)
        self.transforms.append(Transform(change=change, seed_type=seed.seed_type, strength=seed.tone, on=on))


def compose(seeds: Sequence[DreamSeed], per_dream: int = 3) -> tuple[tuple[DreamSeed, ...], ...]:
    """`seeds` in groups of `per_dream`, the last one smaller.

    Each group takes the highest ranked of a type that it lacks, and of any type when there is none.
    """
    left = list(seeds)
    groups = []
    while left:
        group: list[DreamSeed] = []
        while left and len(group) < per_dream:
            taken = {seed.seed_type for seed in group}
            at = next((index for index, seed in enumerate(left) if seed.seed_type not in taken), 0)
            group.append(left.pop(at))
        groups.append(tuple(group))
    return tuple(groups)


def scene_of(seeds: Sequence[DreamSeed]) -> Scene:
    """The scene of `seeds`; without any, or for seeds without an anchor, there is nothing in it but its constraints."""
    stage = _Stage()
    for seed in seeds:
        if seed.anchors and len(stage.things) + MOST_ALIKE <= MAX_THINGS:
            _ARRANGEMENTS[seed.seed_type](stage, seed)
    return Scene(
        elements=tuple(stage.things),
        relations=tuple(stage.relations),
        transforms=tuple(stage.transforms),
        constraints=CONSTRAINTS,
    )


def _arrange_duplicate(stage: _Stage, seed: DreamSeed) -> None:
    """The same thing several times, in a row: bytes that are equal echo, near ones blend."""
    form = _pick(TWINS, seed, "twin")
    count = max(2, min(MOST_ALIKE, len(seed.anchors)))
    places: tuple[Place, ...] = ("left", "centre", "right", "edge")
    row = [stage.put(seed, at, form, places[at]) for at in range(count)]
    stage.relate("alike", row)
    is_exact = any(name == "exact_pairs" and value > 0 for name, value in seed.evidence.numbers)
    stage.change(seed, "echo" if is_exact else "blend", row)


def _arrange_conflict(stage: _Stage, seed: DreamSeed) -> None:
    """A thing and the same thing turned over."""
    form = _pick(OPPOSITES, seed, "opposite")
    pair = [stage.put(seed, 0, form, "below"), stage.put(seed, 1, form, "above")]
    stage.relate("opposite", pair)
    stage.change(seed, "invert", pair)


def _arrange_bridge(stage: _Stage, seed: DreamSeed) -> None:
    """Two things apart, and one between them."""
    here = stage.put(seed, 0, _pick(SHORES, seed, "here"), "near")
    there = stage.put(seed, 1, _pick(SHORES, seed, "there"), "far")
    span = stage.put(seed, 0, _pick(SPANS, seed, "span"), "centre")
    stage.relate("apart", (here, there))
    stage.change(seed, "connect", (here, there, span))


def _arrange_pressure(stage: _Stage, seed: DreamSeed) -> None:
    """Three different things on top of each other."""
    start = LOADS.index(_pick(LOADS, seed, "load"))
    forms = [LOADS[(start + 3 * step) % len(LOADS)] for step in range(3)]
    places: tuple[Place, ...] = ("below", "centre", "above")
    pile = [stage.put(seed, at, form, place) for at, (form, place) in enumerate(zip(forms, places, strict=True))]
    stage.relate("stacked", pile)
    stage.change(seed, "compress", pile)


def _arrange_guard(stage: _Stage, seed: DreamSeed) -> None:
    """A thing that something keeps where it is."""
    kept = stage.put(seed, 0, _pick(KEPT, seed, "kept"), "centre")
    guard = stage.put(seed, 1, _pick(GUARDS, seed, "guard"), "edge")
    stage.relate("held", (guard, kept))
    stage.change(seed, "hold", (guard, kept))


def _pick(options: Sequence[Option], seed: DreamSeed, role: str) -> Option:
    """One of `options`, by the first anchor of `seed` alone."""
    digest = hashlib.sha256(f"{role}|{seed.seed_type}|{seed.anchors[0]}".encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


_ARRANGEMENTS: Final[dict[str, Callable[[_Stage, DreamSeed], None]]] = {
    "duplicate": _arrange_duplicate,
    "conflict": _arrange_conflict,
    "bridge": _arrange_bridge,
    "budget_pressure": _arrange_pressure,
    "guard_overuse": _arrange_guard,
}
