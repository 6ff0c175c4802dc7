"""What a night leaves behind: a dream in a file of its own, and the `dream` block of `nightly.json` (seed 004, 5).

In: closed words, numbers, anchors, a scene and its rendering. Out: immutable records with one canonical form in bytes;
a dream is padded, so that its size says little of its scene. Refused: any other key, a block over `MAX_BLOCK_BYTES`, a
count that is not the number of references, an anchor that is none. Neither has a field that judges a dream.
"""

import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from schemas.base import Count, Record
from schemas.night import DATE_PATTERN
from schemas.night_settings import IdPrivacy
from schemas.scene import Scene, SceneAnchor, SceneSeed, Strength

MAX_BLOCK_BYTES: Final = 8192
PADDING_BYTES: Final = 1024
MAX_PROMPT_CHARS: Final = 16_384
MAX_GLYPH_CHARS: Final = 65_536
MAX_LINE_ANCHORS: Final = 3
REF_PATTERN: Final = rf"^dream://(?P<date>{DATE_PATTERN})/(?P<number>[0-9]{{4}})#sha256:(?P<sha256>[0-9a-f]{{64}})$"

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Ref = Annotated[str, Field(pattern=REF_PATTERN)]
"""`dream://DATE/NNNN#sha256:..`, the digest being that of the stored bytes."""
Status = Literal["generated", "skipped"]
Content = Literal["encrypted", "plain"]
SkipReason = Literal[
    "disabled",
    "input_error",
    "no_recipient",
    "no_vault",
    "all_zero",
    "no_seeds",
    "below_min_seeds",
    "max_zero",
    "seeds_only",
]
Reason = Literal[
    "duplicate_seed",
    "conflict_seed",
    "bridge_seed",
    "budget_pressure_seed",
    "guard_overuse_seed",
    "guard_stable",
    "guard_missing",
    "zero_night",
]
Sandbox = Annotated[str, Field(pattern=r"^(landlock_abi[1-9]|bwrap|none)$")]
"""What kept the night from everything but its own folder, as it found it itself."""


def _tuples(given: Any) -> Any:
    return tuple(map(_tuples, given)) if isinstance(given, list) else given


_LISTED: Final = BeforeValidator(_tuples)


class SeedsSummary(Record):
    """How many seeds of each type were found."""

    duplicate: Count
    conflict: Count
    bridge: Count
    budget_pressure: Count
    guard_overuse: Count

    @property
    def total(self) -> int:
        """All of them."""
        return self.duplicate + self.conflict + self.bridge + self.budget_pressure + self.guard_overuse


class SeedLine(Record):
    """One seed in numbers."""

    type: SceneSeed
    tone: Strength
    value: float
    threshold: float
    op: str
    n: Count
    formula: str
    anchors: Annotated[tuple[SceneAnchor, ...], _LISTED, Field(max_length=MAX_LINE_ANCHORS)]
    """The first ones."""


class BlockPrivacy(Record):
    """What the dreams of a night say of ids, and whether they are sealed."""

    id_privacy: IdPrivacy
    content: Content


class DreamBlock(Record):
    """The value of `dream` in `nightly.json`."""

    status: Status
    mode: Literal["observe"]
    privacy: BlockPrivacy
    count: Count
    seeds_summary: SeedsSummary
    artifact_refs: Annotated[tuple[Ref, ...], _LISTED]
    skip_reason: SkipReason | None
    content_commits: Annotated[tuple[Hex, ...], _LISTED]
    """HMAC-SHA256 of each dream's plaintext under the key of the home: equal for equal dreams, and telling nothing."""
    sandbox: Sandbox
    prev_nightly_sha256: Hex | None
    """Of the `nightly.json` of the night before; None for the first."""
    inputs_sha256: Hex | None
    """Of the names, sizes and digests of all inputs; None where they could not be read."""
    kernel_version: str
    config_sha256: Hex
    method_sha256: Hex
    """Of the settings that decide what is a seed: nights with another one are not compared number by number."""
    seeds: Annotated[tuple[SeedLine, ...], _LISTED]
    """The first ones in rank; as many as there is room for."""
    renderer_version: str | None = None
    """Of the wording of its dreams; None where a night did not note it."""
    is_partial: bool = False
    """Whether the day was not over when it was looked at: a later run may find more."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.count == len(self.artifact_refs) == len(self.content_commits):
            raise ValueError(f"count is {self.count}, and there are {len(self.artifact_refs)} references")
        if (self.status == "skipped") != (self.skip_reason is not None):
            raise ValueError("a night is either generated or skipped for a reason")
        if len(self.canonical()) > MAX_BLOCK_BYTES:
            raise ValueError(f"a block has at most {MAX_BLOCK_BYTES} bytes, this one has {len(self.canonical())}")
        return self

    def canonical(self) -> bytes:
        """The one JSON form: sorted keys, no spaces, ASCII."""
        return canonical(self.model_dump(mode="json"))


class ArtifactPrivacy(Record):
    """What was done to what could name anybody."""

    id_privacy: IdPrivacy
    pii_redaction: Literal["on"]


class DreamArtifact(Record):
    """One dream, as it is sealed."""

    dream_id: Annotated[str, Field(pattern=rf"^{DATE_PATTERN}_[0-9]{{4}}$")]
    created_at: Annotated[str, Field(pattern=rf"^{DATE_PATTERN}T00:00:00Z$")]
    """The logical end of the night, not a clock's."""
    diagnostic_only: Literal[True]
    """Another rendering of the day's logs; it means nothing, and nothing learns from it."""
    privacy: ArtifactPrivacy
    scene: Scene
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]
    glyph: Annotated[str, Field(max_length=MAX_GLYPH_CHARS)]
    """The scene as SVG."""
    refs: Annotated[tuple[Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")], ...], _LISTED]
    """The inputs of the night."""
    reasons: Annotated[tuple[Reason, ...], _LISTED, Field(min_length=1)]

    def canonical(self) -> bytes:
        """The one JSON form, padded with spaces to a multiple of `PADDING_BYTES`."""
        text = canonical(self.model_dump(mode="json"))
        return text + b" " * (-len(text) % PADDING_BYTES)


def canonical(value: object) -> bytes:
    """`value` as JSON with sorted keys, no spaces, ASCII; raises ValueError for what is no finite number."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
