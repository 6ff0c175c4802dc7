"""The scene of a dream: things in a space, how they stand to each other, and what happens to them (seed 004, 4.2).

In: nothing but closed words, numbers and anchors. Out: an immutable scene with one canonical form in bytes. Refused:
any free text, a thing without the anchor of its seed, a relation or transform of things that are not there, and a scene
that lacks one of the three constraints.
"""

import json
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Record

SceneSeed = Literal["duplicate", "conflict", "bridge", "budget_pressure", "guard_overuse"]
"""The seed type that a part of the scene is from."""

Strength = Literal["neutral", "slight", "strong"]
"""How strongly a transform acts: the tone of its seed."""

Form = Literal[
    "bell",
    "boat",
    "book",
    "bowl",
    "candle",
    "chair",
    "coat",
    "door",
    "drum",
    "key",
    "kite",
    "ladder",
    "lamp",
    "letter",
    "mirror",
    "rope",
    "shell",
    "stone",
    "tree",
    "wheel",
]
"""What a thing looks like."""

Place = Literal["left", "right", "near", "far", "above", "below", "centre", "edge"]
"""Where a thing is."""

Bearing = Literal["alike", "opposite", "apart", "stacked", "held"]
"""How the second of two things stands to the first."""

Change = Literal["blend", "echo", "invert", "connect", "compress", "hold"]
"""What happens to things."""

Constraint = Literal["no_interpretation", "no_conclusion", "no_evaluation"]
"""What no rendering of the scene may contain."""

CONSTRAINTS: Final[tuple[Constraint, Constraint, Constraint]] = ("no_interpretation", "no_conclusion", "no_evaluation")
CHANGES_OF: Final[dict[SceneSeed, tuple[Change, ...]]] = {
    "duplicate": ("blend", "echo"),
    "conflict": ("invert",),
    "bridge": ("connect",),
    "budget_pressure": ("compress",),
    "guard_overuse": ("hold",),
}
"""The transforms that a seed may bring."""
MAX_THINGS: Final = 32
ANCHOR_PATTERN: Final = r"^[hm]:[0-9a-f]{24}$"

SceneAnchor = Annotated[str, Field(pattern=ANCHOR_PATTERN)]
Index = Annotated[int, Field(ge=0, lt=MAX_THINGS)]
"""Of a thing in `Scene.elements`."""


class Thing(Record):
    """One thing in the space, standing for an anchor of its seed."""

    anchor: SceneAnchor
    seed_type: SceneSeed
    form: Form
    bin: Annotated[int, Field(ge=0, le=360)] | None
    """The chroma bin that its colour is of: of 24, 0 to 23 around the wheel, 24 for the greys; None: of no bin."""
    place: Place


class Relation(Record):
    """How the thing `second` stands to the thing `first`."""

    bearing: Bearing
    first: Index
    second: Index


class Transform(Record):
    """What happens to the things of one seed."""

    change: Change
    seed_type: SceneSeed
    strength: Strength
    on: Annotated[tuple[Index, ...], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _belongs_to_its_seed(self) -> Self:
        if self.change not in CHANGES_OF[self.seed_type]:
            raise ValueError(f"a {self.seed_type} seed brings {CHANGES_OF[self.seed_type]}, not {self.change}")
        return self


class Scene(Record):
    """An arrangement of things and the rules of its change; a night without any seed has a scene without things."""

    elements: Annotated[tuple[Thing, ...], Field(max_length=MAX_THINGS)]
    relations: Annotated[tuple[Relation, ...], Field(max_length=MAX_THINGS)]
    transforms: Annotated[tuple[Transform, ...], Field(max_length=MAX_THINGS)]
    constraints: tuple[Constraint, Constraint, Constraint]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.constraints != CONSTRAINTS:
            raise ValueError(f"a scene has all of {CONSTRAINTS} in this order, not {self.constraints}")
        named = [index for each in self.relations for index in (each.first, each.second)]
        named += [index for each in self.transforms for index in each.on]
        if max(named, default=-1) >= len(self.elements):
            raise ValueError(f"thing {max(named)} is named, and the scene has {len(self.elements)} things")
        if any(each.first == each.second for each in self.relations):
            raise ValueError("a relation is between two things")
        if any(self.elements[index].seed_type != each.seed_type for each in self.transforms for index in each.on):
            raise ValueError("a transform acts on the things of its own seed type")
        return self

    def canonical(self) -> bytes:
        """The one JSON form of the scene: sorted keys, no spaces, ASCII."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode("ascii")
