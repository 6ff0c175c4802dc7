"""The hint: the only thing that a dreamer ever hears (seed 000, section 3.7; design, 5.8 and 5.10)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import Colour, Count, Message, Record, Unit, WallNs
from schemas.ids import UuidText

WEIGHT_TOLERANCE = 1e-6
MAX_EXEMPLARS = 8


class SeedWeights(Record):
    """How often each source is to be dreamt from; the four sum to 1."""

    factoid_weight: Unit
    image_weight: Unit
    pool_seed_weight: Unit
    random_weight: Unit

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.factoid_weight + self.image_weight + self.pool_seed_weight + self.random_weight
        if abs(total - 1.0) > WEIGHT_TOLERANCE:
            raise ValueError(f"seed weights sum to {total}, 1 is required")
        return self


class BinWeight(Record):
    """How much one colour bin helped, and how many dreams say so."""

    bin: Count
    """Hue bin from 0 degrees upwards; the last index is the bin of greys."""
    weight: Unit
    count: Count


class Exemplar(Record):
    """A dream that helped; the dreamer finds it among its own."""

    dream_id: UuidText
    weight: Annotated[float, Field(gt=0.0, le=1.0)]


class BiasProfile(Message):
    """Guidance for the dreamer. bias-synthesizer -> dreamer, pool-keeper."""

    profile_id: UuidText
    updated_at_ns: WallNs
    chroma_prior: Colour
    """Preferred colour, RGB; hue averaged on the circle."""
    hue_concentration: Unit
    """Length of the mean hue vector: 0 says nothing of hue, 1 is one hue."""
    entropy_window: tuple[Unit, Unit]
    """Lower and upper quartile of the spectral entropy of helpful dreams."""
    seed_weights: SeedWeights
    bins: Annotated[tuple[BinWeight, ...], Field(max_length=361)]
    """Weights of the bins that were seen; they sum to 1, or are empty when nothing helped."""
    chroma_bins: Annotated[int, Field(ge=1, le=360)]
    exemplars: Annotated[tuple[Exemplar, ...], Field(max_length=MAX_EXEMPLARS)]
    feedback_total: Count
    """Feedback records that the profile rests on."""

    @model_validator(mode="after")
    def _window_is_ordered(self) -> Self:
        if self.entropy_window[0] > self.entropy_window[1]:
            raise ValueError(f"entropy window {self.entropy_window} has its lower end above its upper end")
        return self
