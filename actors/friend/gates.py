"""When a dialogue may begin (seed 001, section 5): a gate is open, and the dice fall.

In: what a host measured, the limits, and the actor's own randomness. Out: the gates that are open, and a number thrown
for this moment alone. Edges: trauma and novelty have to be above theirs, quality may stand on either end of the
borderline. What is not known opens nothing.
"""

from bus.randomness import RandomSource
from schemas.friend import FriendOffer, Gate
from schemas.friend_settings import FriendSettings


def open_gates(offer: FriendOffer, settings: FriendSettings) -> tuple[Gate, ...]:
    """The gates that `offer` opens, in a fixed order."""
    quality = offer.quality
    is_borderline = quality is not None and settings.quality_low <= quality <= settings.quality_high
    states: tuple[tuple[Gate, bool], ...] = (
        ("trauma", offer.trauma > settings.trauma_above),
        ("novelty", offer.pulse.novelty > settings.novelty_above),
        ("quality", is_borderline),
    )
    return tuple(gate for gate, is_open in states if is_open)


def throw_dice(randomness: RandomSource, host_id: str, ctx_id: str) -> float:
    """A number in [0, 1) for this moment of this host; the same moment gives the same number."""
    return float(randomness.at(f"dice/{host_id}/{ctx_id}", 0).random())
