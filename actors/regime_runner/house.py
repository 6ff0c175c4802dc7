"""The run, as far as evaluations know it: settings, seed, names.

In: the frozen manifest. Out: `House`. It loads nothing that only an evaluation needs.
"""

from dataclasses import dataclass

from bus.randomness import RandomSource
from schemas.settings import RegimesSettings


@dataclass(frozen=True)
class House:
    """The run, as far as evaluations know it."""

    settings: RegimesSettings
    seed: int
    run_id: str
    ordinal: int
    randomness: RandomSource
