"""Which of a night's findings are seeds, how strong each is, and in which order they stand (seed 004, 4.1).

In: what was observed, and how forgetting went. Out: seeds, strongest first. The tone says how far a value is beyond its
threshold: below 1.25 thresholds neutral, below 2 slight, from there on strong, inverted where lower is worse. A night
in which influence drifts more than the nights before allow lifts every tone by one. Order: tone, thresholds, type,
first anchor. Nothing that comes in is changed.
"""

from typing import Final

from schemas.dream_seeds import (
    SEED_TYPES,
    TONES,
    DefragObserved,
    DreamSeed,
    Finding,
    ForgetfulnessHealth,
    Tone,
)

KERNEL_VERSION: Final = "1"
"""Raised whenever a formula changes: two nights with different ones cannot be compared."""

SLIGHT_FROM: Final = 1.25
STRONG_FROM: Final = 2.0


def find_seeds(observed: DefragObserved, health: ForgetfulnessHealth) -> tuple[DreamSeed, ...]:
    """The seeds of a night."""
    seeds = [
        seed_of(finding, is_lifted=health.is_drifting)
        for finding in (*observed.findings, *health.findings)
        if finding.fires
    ]
    return tuple(sorted(seeds, key=rank))


def seed_of(finding: Finding, *, is_lifted: bool = False) -> DreamSeed:
    """The seed that `finding` is."""
    return DreamSeed(
        seed_type=finding.seed_type,
        evidence=finding.evidence,
        anchors=finding.anchors,
        tone=tone_of(finding.evidence.strength, is_lifted=is_lifted),
        bins=finding.bins,
    )


def tone_of(strength: float | None, *, is_lifted: bool = False) -> Tone:
    """The tone of a value that is so many thresholds; against a threshold of 0 it is strong."""
    step = 2 if strength is None or strength >= STRONG_FROM else int(strength >= SLIGHT_FROM)
    return TONES[min(step + is_lifted, len(TONES) - 1)]


def rank(seed: DreamSeed) -> tuple[int, float, int, tuple[str, ...]]:
    """Where a seed stands: lower is first."""
    strength = seed.evidence.strength
    times = float("inf") if strength is None else strength
    return -TONES.index(seed.tone), -round(times, 6), SEED_TYPES.index(seed.seed_type), seed.anchors
