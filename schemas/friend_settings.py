"""The typed form of `[friend]` in `config/engine.toml` (seed 001). Defaults live in that file alone."""

from typing import Annotated, Final

from pydantic import Field

from schemas.base import Record, Unit
from schemas.friend import MAX_LINE_CHARS
from schemas.persona import MAX_FRAGMENTS, Weight

DAY_S: Final = 86_400.0


class FriendSettings(Record):
    """[friend]"""

    min_interval_s: Annotated[float, Field(ge=0.0, le=86_400.0)]
    """Cool-down between two dialogues of one host."""
    quiet_hours: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")]
    """`22:00-07:00`, UTC, of the host's clock: no dialogue begins in them; empty: there are none."""
    probability: Unit
    """Of a dialogue when a gate is open."""
    trauma_above: Unit
    novelty_above: Unit
    quality_low: Unit
    """Both ends of the borderline belong to it."""
    quality_high: Unit
    wounded_above: Unit
    """Trauma above which the friend speaks as wounded."""
    max_tokens: Annotated[int, Field(ge=4, le=60)]
    """Of a line; a host may grant less."""
    max_chars: Annotated[int, Field(ge=16, le=MAX_LINE_CHARS)]
    max_fragments: Annotated[int, Field(ge=4, le=MAX_FRAGMENTS)]
    origin_quota: Annotated[int, Field(ge=3, le=MAX_FRAGMENTS)]
    """Origin fragments that no eviction touches, and the most that are taken at first."""
    readme_quota: Annotated[int, Field(ge=0, le=16)]
    """Origin fragments that come from the README, if the host names any."""
    adopted_weight: Weight
    decay: Annotated[float, Field(gt=0.0, le=1.0)]
    """Of every fragment, per dialogue."""
    floor: Weight
    """A fragment never weighs less."""
    adopt_arousal: Unit
    """A friend's line above any of these three is worth adopting."""
    adopt_overlap: Unit
    """Share of a line's content words that the origin has."""
    adopt_trauma: Unit
    keep_dialogs: Annotated[int, Field(ge=1, le=1_000_000)]
    keep_days: Annotated[float, Field(gt=0.0, le=36_500.0)]
    field_tokens: Annotated[int, Field(ge=500, le=200_000)]
    """Tokens that the embedded field remembers beside its origin; the oldest texts go first."""
    half_life_texts: Annotated[int, Field(ge=8, le=100_000)]
    """Texts after which every count of the field has halved."""
    dream_weight: Annotated[float, Field(ge=0.0, le=1.0, multiple_of=0.0625)]
    """What a dream line counts in the field, against 1 for the user's."""
    max_self_talk: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Most that dream lines make of the field's mass."""
    trauma_half_life_s: Annotated[float, Field(gt=0.0, le=1e9)]
    least_origin_share: Unit
    """The friend is paused when the origin's share of the weights falls below this,"""
    max_prompt_echo: Unit
    """or the share of a dialogue's content words that are the user's rises above this,"""
    least_distinct: Unit
    """or fewer of the trigrams of recent lines than this are distinct,"""
    max_bits_excess: Annotated[float, Field(ge=0.0, le=1.0)]
    """or the user's lines cost the field more bits with the dreams than without, by this share."""

    def quiet_left_s(self, now_s: float) -> float:
        """Seconds until the quiet hours are over; 0 when it is not quiet."""
        if not self.quiet_hours:
            return 0.0
        begins_s, ends_s = (_second_of_day(text) for text in self.quiet_hours.split("-"))
        at_s = now_s % DAY_S
        is_quiet = (at_s - begins_s) % DAY_S < (ends_s - begins_s) % DAY_S
        return (ends_s - at_s) % DAY_S if is_quiet else 0.0


def _second_of_day(text: str) -> float:
    hours, minutes = text.split(":")
    return 3600.0 * int(hours) + 60.0 * int(minutes)
