"""Seeds for tests of what becomes of seeds."""

import hashlib

from schemas.dream_seeds import SEED_TYPES, DreamSeed, Number, SeedType, Tone, evidence


def anchor(name: str, prefix: str = "h:") -> str:
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:24]


def seed(
    seed_type: SeedType,
    tone: Tone = "slight",
    *,
    key: str = "a",
    anchors: int = 2,
    bins: tuple[int, ...] = (),
    **numbers: Number,
) -> DreamSeed:
    return DreamSeed(
        seed_type=seed_type,
        evidence=evidence(f"{seed_type}.example", 1.0, ">=", 0.5, 20, **numbers),
        anchors=tuple(anchor(f"{seed_type}/{key}/{number}") for number in range(anchors)),
        tone=tone,
        bins=bins,
    )


def one_of_each(tone: Tone = "slight") -> tuple[DreamSeed, ...]:
    return tuple(seed(seed_type, tone, bins=(at * 4, at * 4 + 9)) for at, seed_type in enumerate(SEED_TYPES))
