"""A whole look at a day: what was observed, how forgetting went, and the seeds that follow (seed 004, section 3).

In: a `Day`, the settings, the anchors of the night. Out: a `Night`. It reads nothing else and changes nothing.
"""

from typing import NamedTuple

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import Day
from actors.nightly_observer.forgetting import Guarding, look
from actors.nightly_observer.kernel import find_seeds
from actors.nightly_observer.observing import observe
from schemas.dream_seeds import DefragObserved, DreamSeed, ForgetfulnessHealth
from schemas.night_settings import RuntimeSettings


class Night(NamedTuple):
    """What a night saw."""

    observed: DefragObserved
    health: ForgetfulnessHealth
    seeds: tuple[DreamSeed, ...]
    """Strongest first."""


def look_at(day: Day, settings: RuntimeSettings, anchors: Anchors) -> Night:
    """Observe `day`, in the order of the seed's pipeline."""
    observed = observe(day, settings.defrag, anchors)
    guarding = Guarding(settings.defrag.guard_overuse, settings.defrag.history_nights, anchors)
    health = look(day, settings.forgetting, guarding, observed.clustered_dreams)
    return Night(observed, health, find_seeds(observed, health))
