"""The dream stage: whether a night dreams, how often, and what is in its dreams (seed 004, sections 3 to 6).

In: seeds in their rank, the settings, what the guards say. Out: a decision with its reason, the dreams as artifacts
that are not sealed yet, the lines and counts of the seeds. It reads and writes nothing. Refused: a rendering in which
the lint finds a forbidden word; that is a fault of the renderer, and no such dream is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actors.nightly_observer.composer import compose, scene_of
from actors.nightly_observer.glyphs import svg
from actors.nightly_observer.lint import findings
from actors.nightly_observer.renderer import render
from schemas.dream_artifact import (
    MAX_LINE_ANCHORS,
    ArtifactPrivacy,
    DreamArtifact,
    Reason,
    SeedLine,
    SeedsSummary,
    SkipReason,
    Status,
)
from schemas.dream_seeds import SEED_TYPES, DreamSeed
from schemas.errors import OneirosError
from schemas.night import DAY_NS, begin_of, night_at
from schemas.night_settings import DreamSettings

SEEDS_PER_DREAM: Final = 3
NUMBERS: Final = 9999
"""Dreams of a night are numbered with four digits."""


class RenderingRefusedError(OneirosError):
    """A rendering says what no rendering may say."""


@dataclass(frozen=True)
class Found:
    """What a night has found, as far as its dreams depend on it."""

    seeds: tuple[DreamSeed, ...]
    is_readable: bool
    """Whether there was anything to look at."""
    is_all_zero: bool
    """Whether every counter is 0."""
    is_guard_stable: bool | None
    """None where no guard could be counted."""


@dataclass(frozen=True)
class Decision:
    """Whether a night dreams, and how often."""

    status: Status
    skip_reason: SkipReason | None
    count: int


def decide(settings: DreamSettings, found: Found, seal_fault: SkipReason | None, *, is_seeds_only: bool) -> Decision:
    """The first reason not to dream, in the order of the table; else how many dreams there are.

    `seal_fault`: why nothing can be sealed, where it has to be.
    """
    seeds = len(found.seeds)
    reasons: tuple[tuple[bool, SkipReason], ...] = (
        (not settings.enable, "disabled"),
        (not found.is_readable, "input_error"),
        (seal_fault is not None and not is_seeds_only, seal_fault or "no_recipient"),
        (not seeds and not settings.generate_when.allow_if_all_zero and found.is_all_zero, "all_zero"),
        (not seeds and not settings.generate_when.allow_if_all_zero, "no_seeds"),
        (0 < seeds < settings.generate_when.min_seeds, "below_min_seeds"),
        (settings.max_per_night == 0, "max_zero"),
        (is_seeds_only, "seeds_only"),
    )
    for is_so, reason in reasons:
        if is_so:
            return Decision("skipped", reason, 0)
    wanted = -(-seeds // SEEDS_PER_DREAM) or 1
    return Decision("generated", None, min(settings.max_per_night, wanted, NUMBERS))


def dream(
    date: str, found: Found, settings: DreamSettings, count: int, refs: Sequence[str]
) -> tuple[DreamArtifact, ...]:
    """The dreams of a night, not sealed; `refs` are the digests of its inputs. Raises RenderingRefusedError."""
    groups = compose(found.seeds, SEEDS_PER_DREAM)[:count] if found.seeds else ((),)
    return tuple(_artifact(date, number, group, found, settings, refs) for number, group in enumerate(groups, start=1))


def summary_of(seeds: Sequence[DreamSeed]) -> SeedsSummary:
    """How many there are of each type."""
    return SeedsSummary(**{each: sum(seed.seed_type == each for seed in seeds) for each in SEED_TYPES})


def line_of(seed: DreamSeed) -> SeedLine:
    """A seed in numbers."""
    evidence = seed.evidence
    return SeedLine(
        type=seed.seed_type,
        tone=seed.tone,
        value=evidence.value,
        threshold=evidence.threshold,
        op=evidence.op,
        n=evidence.n,
        formula=evidence.formula,
        anchors=seed.anchors[:MAX_LINE_ANCHORS],
    )


def _artifact(
    date: str,
    number: int,
    seeds: tuple[DreamSeed, ...],
    found: Found,
    settings: DreamSettings,
    refs: Sequence[str],
) -> DreamArtifact:
    scene = scene_of(seeds)
    prompt = render(scene, settings.renderer)
    forbidden = findings(prompt, settings.renderer.language)
    if forbidden:
        raise RenderingRefusedError(f"dream {number} has {len(forbidden)} forbidden words; nothing was kept of it")
    return DreamArtifact(
        dream_id=f"{date}_{number:04d}",
        created_at=f"{night_at(begin_of(date) + DAY_NS)}T00:00:00Z",
        diagnostic_only=True,
        privacy=ArtifactPrivacy(id_privacy=settings.privacy.id_privacy, pii_redaction="on"),
        scene=scene,
        prompt=prompt,
        glyph=svg(scene),
        refs=tuple(refs),
        reasons=_reasons(seeds, found),
    )


def _reasons(seeds: Sequence[DreamSeed], found: Found) -> tuple[Reason, ...]:
    types = {seed.seed_type for seed in seeds}
    of_type: dict[str, Reason] = {
        "duplicate": "duplicate_seed",
        "conflict": "conflict_seed",
        "bridge": "bridge_seed",
        "budget_pressure": "budget_pressure_seed",
        "guard_overuse": "guard_overuse_seed",
    }
    reasons: list[Reason] = [of_type[each] for each in SEED_TYPES if each in types] or ["zero_night"]
    if found.is_guard_stable is None:
        reasons.append("guard_missing")
    elif found.is_guard_stable:
        reasons.append("guard_stable")
    return tuple(reasons)
