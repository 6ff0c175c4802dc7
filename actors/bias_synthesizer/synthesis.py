"""From the worth of dreams to the numbers of a profile: pure, bounded, and the same for any order of the feedback.

In: the dreams of the window, the numbers of the profile before, the settings. Out: `ProfileNumbers`. With u the
mean utility of a dream over its records (seed 000, section 6, steps 1 and 2; design, 5.10):

- bins: as in `bins`; high bins have a mean above 0.
- chroma_prior: centroid of the dreams in high bins, weighted by max(u, 0). The hue is the direction of the sum of the
  unit hue vectors, so 350 and 10 degrees meet at 0; saturation and value are weighted means. A grey counts for
  saturation and value and has no hue. Where no direction is left (greys alone, or hues that cancel to below 10^-9),
  the prior is the grey of the mean value.
- hue_concentration: length of the weighted mean of those hue vectors.
- entropy_window: quartiles (linear, type 7) of the entropy of the helpful dreams (u > 0), widened about their middle to
  0.05 and kept inside [0, 1].
- seed_weights: mean of u over the dreams of each source, negatives as 0, normalised, then each w becomes
  floor + (1 - 4 * floor) * w; a source without dreams counts as 0 and so keeps the floor.
- exemplars: the dreams with the highest u > 0, ties by id, at most 8, weights relative to the first.

Where nothing helped, a prior keeps its last value (mid-grey at first) with concentration 0, the window is (0, 1),
the seed weights are uniform, the bins stay those of the profile before. At last the step is capped: each group of
components (colour, concentration, window, seed weights, bins) moves from the profile before straight towards its
new value, no component further than max_step; a straight line keeps sums, order and bounds. The first profile has
none before it and is not capped.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from actors.bias_synthesizer.aggregation import SOURCES, DreamWorth
from actors.bias_synthesizer.bins import BinWorth, mean_worth, normalised, weigh_bins
from schemas.base import Colour
from schemas.bias import MAX_EXEMPLARS
from schemas.colour import GREY_SATURATION, hue_bin, to_hsv, to_rgb
from schemas.settings import BiasSettings

MID_GREY: Final[Colour] = (0.5, 0.5, 0.5)
OPEN_WINDOW: Final = (0.0, 1.0)
LEAST_WINDOW_WIDTH: Final = 0.05
LEAST_CONCENTRATION: Final = 1e-9
QUARTILES: Final = (0.25, 0.75)


class BinNumbers(NamedTuple):
    """Weight of a bin, and how many dreams of the window lie in it."""

    bin: int
    weight: float
    dreams: int


class ProfileNumbers(NamedTuple):
    """The numbers of a BiasProfile."""

    chroma_prior: Colour
    hue_concentration: float
    entropy_window: tuple[float, float]
    seed_weights: tuple[float, ...]
    """In the order of `SOURCES`: factoid, image, pool, random."""
    bins: tuple[BinNumbers, ...]
    exemplars: tuple[tuple[str, float], ...]
    """Dream ids and weights in (0, 1]."""
    feedback_total: int


def synthesize(
    dreams: Sequence[DreamWorth], previous: ProfileNumbers | None, settings: BiasSettings
) -> tuple[ProfileNumbers, ProfileNumbers]:
    """The numbers that the feedback asks for, and what `max_step` allows of the way there from `previous`."""
    bins = weigh_bins(dreams, settings.chroma_bins)
    weights = prior_weights(dreams, bins, settings.chroma_bins)
    is_any_high = any(worth.is_high for worth in bins)
    if is_any_high:
        prior, concentration = _centroid(dreams, weights)
    else:
        prior, concentration = previous.chroma_prior if previous else MID_GREY, 0.0
    wanted = ProfileNumbers(
        chroma_prior=prior,
        hue_concentration=concentration,
        entropy_window=_entropy_window(dreams),
        seed_weights=_seed_weights(dreams, settings.exploration_floor),
        bins=tuple(BinNumbers(worth.bin, worth.weight, worth.dreams) for worth in bins) if is_any_high else (),
        exemplars=_exemplars(dreams),
        feedback_total=sum(dream.records for dream in dreams),
    )
    if previous is None or settings.max_step == 0.0:
        return wanted, wanted
    return wanted, _capped(previous, wanted, settings.max_step)


def prior_weights(dreams: Sequence[DreamWorth], bins: Sequence[BinWorth], chroma_bins: int) -> tuple[float, ...]:
    """The share of each dream in the colour prior: max(u, 0) in high bins, 0 elsewhere, normalised to a sum of 1."""
    is_high = {worth.bin: worth.is_high for worth in bins}
    return normalised(
        [
            d.weight * max(0.0, d.mean_utility) if is_high[hue_bin(d.chroma_signature, chroma_bins)] else 0.0
            for d in dreams
        ]
    )


def _centroid(dreams: Sequence[DreamWorth], weights: Sequence[float]) -> tuple[Colour, float]:
    """The weighted centre of the dreams' colours on the hue circle, and how concentrated their hues are."""
    along, across, hued, saturations, values = [], [], [], [], []
    for dream, weight in zip(dreams, weights, strict=True):
        hue, saturation, value = to_hsv(dream.chroma_signature)
        saturations.append(weight * saturation)
        values.append(weight * value)
        if saturation >= GREY_SATURATION:
            along.append(weight * math.cos(math.radians(hue)))
            across.append(weight * math.sin(math.radians(hue)))
            hued.append(weight)
    east, north, total = math.fsum(along), math.fsum(across), math.fsum(hued)
    concentration = min(1.0, math.hypot(east, north) / total) if total > 0.0 else 0.0
    value = min(1.0, math.fsum(values))
    if concentration < LEAST_CONCENTRATION:
        return (value, value, value), 0.0
    hue = math.degrees(math.atan2(north, east)) % 360.0
    return to_rgb((hue, min(1.0, math.fsum(saturations)), value)), concentration


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of type 7 (Hyndman and Fan 1996) of values in ascending order."""
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def weighted_quantile(ordered: Sequence[tuple[float, float]], share: float) -> float:
    """The quantile of type 7 of (value, weight) pairs in ascending order; that of the values when weights are equal."""
    values = [value for value, _ in ordered]
    weights = [weight for _, weight in ordered]
    if min(weights) == max(weights):
        return quantile(values, share)
    last = len(values) - 1
    before = list(accumulate(weights, initial=0.0))
    places = [at * weights[at] + last * before[at] for at in range(len(values))]
    wanted = share * places[last]
    above = max(1, bisect_left(places, wanted))
    low, high = places[above - 1], places[above]
    part = (wanted - low) / (high - low)
    return values[above - 1] + min(1.0, max(0.0, part)) * (values[above] - values[above - 1])


def _entropy_window(dreams: Sequence[DreamWorth]) -> tuple[float, float]:
    helpful = sorted((dream.spectral_entropy, dream.weight) for dream in dreams if dream.mean_utility > 0.0)
    if not helpful:
        return OPEN_WINDOW
    low, high = (weighted_quantile(helpful, share) for share in QUARTILES)
    if high - low >= LEAST_WINDOW_WIDTH:
        return low, high
    middle = (low + high) / 2.0
    low = min(max(0.0, middle - LEAST_WINDOW_WIDTH / 2.0), 1.0 - LEAST_WINDOW_WIDTH)
    high = low + LEAST_WINDOW_WIDTH
    while high - low < LEAST_WINDOW_WIDTH:
        high = math.nextafter(high, 2.0)
    return low, min(1.0, high)


def source_means(dreams: Sequence[DreamWorth]) -> tuple[float | None, ...]:
    """Mean utility over the dreams of each source, in the order of `SOURCES`; None for a source without dreams."""
    of_source = ([dream for dream in dreams if dream.source == source] for source in SOURCES)
    return tuple(mean_worth(members) if members else None for members in of_source)


def _seed_weights(dreams: Sequence[DreamWorth], floor: float) -> tuple[float, ...]:
    plain = normalised([max(0.0, value or 0.0) for value in source_means(dreams)])
    if not any(plain):
        return tuple(1.0 / len(SOURCES) for _ in SOURCES)
    return tuple(floor + (1.0 - len(SOURCES) * floor) * weight for weight in plain)


def _exemplars(dreams: Sequence[DreamWorth]) -> tuple[tuple[str, float], ...]:
    worths = {dream.dream_id: dream.weight * dream.mean_utility for dream in dreams if dream.mean_utility > 0.0}
    helpful = sorted(worths, key=lambda dream_id: (-worths[dream_id], dream_id))
    best = [(dream_id, worths[dream_id] / worths[helpful[0]]) for dream_id in helpful[:MAX_EXEMPLARS]]
    return tuple((dream_id, weight) for dream_id, weight in best if weight > 0.0)


def _capped(previous: ProfileNumbers, wanted: ProfileNumbers, max_step: float) -> ProfileNumbers:
    red, green, blue = _towards(previous.chroma_prior, wanted.chroma_prior, max_step)
    low, high = _towards(previous.entropy_window, wanted.entropy_window, max_step)
    (concentration,) = _towards((previous.hue_concentration,), (wanted.hue_concentration,), max_step)
    return wanted._replace(
        chroma_prior=(red, green, blue),
        hue_concentration=concentration,
        entropy_window=(low, high),
        seed_weights=_towards(previous.seed_weights, wanted.seed_weights, max_step),
        bins=_capped_bins(previous.bins, wanted.bins, max_step),
    )


def _capped_bins(
    previous: tuple[BinNumbers, ...], wanted: tuple[BinNumbers, ...], max_step: float
) -> tuple[BinNumbers, ...]:
    """Bins that lost their dreams fade out with a count of 0; while no bin helps, the previous ones stay."""
    if not previous or not wanted:
        return wanted or previous
    before = {numbers.bin: numbers.weight for numbers in previous}
    after = {numbers.bin: numbers for numbers in wanted}
    indices = sorted(before | after)
    gone = BinNumbers(0, 0.0, 0)
    weights = _towards(
        [before.get(index, 0.0) for index in indices], [after.get(index, gone).weight for index in indices], max_step
    )
    return tuple(
        BinNumbers(index, weight, after.get(index, gone).dreams)
        for index, weight in zip(indices, weights, strict=True)
        if weight > 0.0 or index in after
    )


def _towards(previous: Sequence[float], wanted: Sequence[float], max_step: float) -> tuple[float, ...]:
    """Straight from `previous` towards `wanted`, until the component that moves most has moved by `max_step`."""
    furthest = max(abs(new - old) for old, new in zip(previous, wanted, strict=True))
    if furthest <= max_step:
        return tuple(wanted)
    share = max_step / furthest
    return tuple(min(1.0, max(0.0, old + (new - old) * share)) for old, new in zip(previous, wanted, strict=True))
