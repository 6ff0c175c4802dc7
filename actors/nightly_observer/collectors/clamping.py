"""Which groups of a bias profile were held by the cap on one step (`actors.bias_synthesizer`).

In: the profiles of a run in turn, and the settings they were made with. Out: for each how many groups of components
could be held, and how many were: those whose furthest component moved by the cap, which nothing but the cap makes it
do. A profile that was carried over from an earlier run is only what the next is compared with.
"""

from collections.abc import Sequence
from typing import Final

from schemas.bias import BiasProfile
from schemas.settings import BiasSettings

TOLERANCE: Final = 1e-9


class Clamps:
    """Follows the profiles of one run."""

    def __init__(self, settings: BiasSettings) -> None:
        self.floors_applied: int | None = None
        """Source weights of the last profile counted that stand at their floor."""
        self._settings = settings
        self._last: BiasProfile | None = None

    def take(self, profile: BiasProfile, *, is_of_feedback: bool) -> tuple[int, int]:
        """How many groups were held, and how many could have been; a profile that comes twice counts once."""
        last = self._last
        if last is not None and last.profile_id == profile.profile_id:
            return 0, 0
        self._last = profile
        cap = self._settings.max_step
        if last is None or not is_of_feedback or cap == 0.0:
            return 0, 0
        before, after = _groups(last, profile)
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old and new]
        moved = [max(abs(b - a) for a, b in zip(old, new, strict=True)) for old, new in pairs]
        return sum(abs(each - cap) <= TOLERANCE for each in moved), len(moved)

    def count_floors(self, profile: BiasProfile) -> None:
        """Count the source weights at their floor."""
        floor = self._settings.exploration_floor
        self.floors_applied = sum(weight <= floor + TOLERANCE for weight in _weights(profile)) if floor > 0.0 else 0


Group = Sequence[float]


def _groups(last: BiasProfile, profile: BiasProfile) -> tuple[list[Group], list[Group]]:
    """The groups of both, bins side by side; a side without bins is empty."""
    bins = [{each.bin: each.weight for each in one.bins} for one in (last, profile)]
    numbers = sorted(bins[0] | bins[1])
    both = [[one.get(number, 0.0) for number in numbers] if one else [] for one in bins]
    sides = [
        [one.chroma_prior, (one.hue_concentration,), one.entropy_window, _weights(one), weights]
        for one, weights in zip((last, profile), both, strict=True)
    ]
    return sides[0], sides[1]


def _weights(profile: BiasProfile) -> Group:
    seeds = profile.seed_weights
    return seeds.factoid_weight, seeds.image_weight, seeds.pool_seed_weight, seeds.random_weight
