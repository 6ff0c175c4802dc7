"""The typed form of `config/runtime.yaml`: what a night looks for, and what becomes of its dreams (seed 004, 6).

In: plain values, as `schemas.night_files` reads them. Out: immutable settings. Refused: unknown keys, wrong types,
`mode` other than `observe`, `raw` ids, a recipient that is none. Defaults are in the packaged file alone. Every
threshold is that of the same name in the formulas of `actors.nightly_observer`.
"""

import hashlib
import json
import re
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.base import Record, Unit

IdPrivacy = Literal["mask", "hash"]
Style = Literal["minimal", "cinematic", "poetic", "clinical"]
OutputFormat = Literal["text_prompt", "story", "bullet_scenes", "image_prompt"]
Language = Literal["en", "ja"]
STYLES: Final[tuple[Style, ...]] = get_args(Style)
OUTPUT_FORMATS: Final[tuple[OutputFormat, ...]] = get_args(OutputFormat)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

MAX_PER_NIGHT: Final = 16
MAX_RECIPIENTS: Final = 16
NotNegative = Annotated[float, Field(ge=0.0, le=1e9)]
Number = Annotated[int, Field(ge=0, le=1_000_000_000)]
_LISTED: Final = BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
_RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")


def _recipient(text: str) -> str:
    if _RECIPIENT.fullmatch(text) is None:
        raise ValueError("no age recipient; it begins with age1 and has 62 characters: `supervisor nightly keygen`")
    return text


Recipient = Annotated[str, AfterValidator(_recipient)]
"""Public half of an age identity (X25519, Bech32)."""


class PrivacySettings(Record):
    """[dream.privacy]"""

    id_privacy: IdPrivacy
    """mask: anchors of one night say nothing about another; hash: the same thing has the same anchor every night."""


class StorageSettings(Record):
    """[dream.storage]"""

    encrypt: bool
    """Whether dreams are sealed; without a recipient none is made then."""
    recipients: Annotated[tuple[Recipient, ...], _LISTED, Field(max_length=MAX_RECIPIENTS)]
    """Who may open them; each of them can."""


class GenerateWhen(Record):
    """[dream.generate_when]"""

    min_seeds: Annotated[int, Field(ge=1, le=1000)]
    """Fewer seeds, beside none, make no dream."""
    allow_if_all_zero: bool
    """Whether a night without any seed has one dream."""


class RendererSettings(Record):
    """[dream.renderer]"""

    style: Style
    output_format: OutputFormat
    language: Language


class DreamSettings(Record):
    """[dream]"""

    enable: bool
    mode: Literal["observe"]
    privacy: PrivacySettings
    storage: StorageSettings
    generate_when: GenerateWhen
    renderer: RendererSettings
    max_per_night: Annotated[int, Field(ge=0, le=MAX_PER_NIGHT)]
    """Dreams of one night, over all of its runs."""
    ttl_days: Annotated[int, Field(ge=1, le=36_500)]
    """Nights after which a dream is deleted, counted from its date."""


class DuplicateSettings(Record):
    """[defrag.duplicate]"""

    max_distance: NotNegative
    """Between two signatures, Euclidean."""
    max_coherence_gap: Unit
    max_entropy_gap: Unit
    min_cosine: Unit
    """Of two tensors, where both are there."""
    min_exact: Annotated[int, Field(ge=1, le=1_000_000)]
    """Pairs with the same bytes."""
    min_ratio: Unit
    """Superfluous dreams of the night, of all of it."""


class ConflictSettings(Record):
    """[defrag.conflict]"""

    bins: Annotated[int, Field(ge=2, le=360)]
    """Chroma bins."""
    tau_scale: NotNegative
    """A utility counts beyond this times the scaled median absolute deviation of the night's utilities."""
    min_counted: Number
    """Of both signs together, in a bin."""
    min_each: Number
    """Of either sign."""
    min_mix: Unit
    mads: NotNegative
    """How far above the median of the bins, in scaled median absolute deviations."""
    wide_bins: Annotated[int, Field(ge=2, le=360)]
    """With at least so many bins whose median is a conflict, one seed stands for all."""
    min_both_signs: Annotated[int, Field(ge=1, le=1_000_000)]
    """Dreams that were judged with both signs."""


class BridgeSettings(Record):
    """[defrag.bridge]"""

    min_weight: NotNegative
    min_neighbours: Number
    min_share: Unit
    top: Annotated[int, Field(ge=1, le=100)]
    """The heaviest that are kept."""


class BudgetPressureSettings(Record):
    """[defrag.budget_pressure]"""

    max_fill: Unit
    min_nights_to_full: NotNegative
    max_churn: NotNegative
    """Evicted for each inserted."""
    min_inserted: Number
    """Below it churn is not judged."""
    max_compaction_age: NotNegative
    """Time since the last compaction, in intervals between compactions."""


class GuardOveruseSettings(Record):
    """[defrag.guard_overuse]"""

    min_opportunities: Number
    min_rate: Unit
    """Of the lower end of the 95 % Wilson interval."""
    mads: NotNegative
    """How far above the median of the nights before."""
    max_clamped: Unit
    """Share of the components of the bias that were held by its cap,"""
    clamped_nights: Annotated[int, Field(ge=1, le=8)]
    """on so many nights running."""


class DefragSettings(Record):
    """[defrag]"""

    enable: bool
    mode: Literal["observe"]
    duplicate: DuplicateSettings
    conflict: ConflictSettings
    bridge: BridgeSettings
    budget_pressure: BudgetPressureSettings
    guard_overuse: GuardOveruseSettings
    rollup_budget: Number
    """Dreams in the pool beyond which the rest are candidates for a roll-up."""
    min_reference_weight: NotNegative
    """Co-retrievals above which a pair is a reference candidate,"""
    max_references: Number
    """of which no more are counted."""
    top_pairs: Annotated[int, Field(ge=0, le=100)]
    bands: Annotated[tuple[Unit, ...], _LISTED, Field(min_length=1, max_length=16)]
    """Lower ends of the bands of similarity, ascending."""
    history_nights: Annotated[int, Field(ge=1, le=7)]
    """Nights before that are a baseline."""


class ForgettingSettings(Record):
    """[forgetting]"""

    enable: bool
    mode: Literal["observe"]
    decay_per_day: NotNegative
    prior_records: NotNegative
    """Feedback records of utility 0 that every dream begins with."""
    epsilon: NotNegative
    """A weight that changed by no more did not change."""
    mads: NotNegative
    """How far above the median of the nights before a drift lifts the tone."""


class RuntimeSettings(Record):
    """`config/runtime.yaml`."""

    dream: DreamSettings
    defrag: DefragSettings
    forgetting: ForgettingSettings

    def sha256(self) -> str:
        """Of the settings, whatever file they are from."""
        return _sha256(self.model_dump(mode="json"))

    def method_sha256(self) -> str:
        """Of those that decide what is a seed."""
        return _sha256(self.model_dump(mode="json", include={"defrag", "forgetting"}))


def _sha256(tree: object) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
