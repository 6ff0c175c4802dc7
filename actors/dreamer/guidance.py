"""How a BiasProfile guides an episode: source, parents, colour and entropy window (seed 000, section 6.4; design, 5.8).

In: the profile in force or None, what can serve, and the keyed stream of the episode. Out: a `Plan`. Guidance only: no
parameter of the dreamer changes, and nothing is learnt.

- Source: drawn by the profile's seed weights, or `DEFAULT_WEIGHTS` before the first profile. A source that cannot serve
  (no picture, no fact, no known exemplar) passes its weight to the others in proportion; weight 0 is never drawn; with
  no weight left, the draw is uniform over what can serve.
- Exemplars: own dreams that the profile names and the memory knows, no deeper than `max_generation`. A pool dream
  takes one or two of them, drawn by weight, under `POOL_NOISE` of noise.
- Colour: `FREE_SHARE` of the episodes feel no pull, so that colours which no feedback has praised are still dreamt.
  Of the others a share of max(`BIN_SHARE`, 1 - hue concentration) is pulled to the centre of a hue bin drawn by
  weight, the rest to the chroma prior: a centroid of two good hues lies between them and is neither.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from actors.dreamer.lineage import Memory, Plan, Recipe
from schemas.bias import BiasProfile, SeedWeights
from schemas.colour import Rgb, bin_hue, to_hsv, to_rgb
from schemas.dreams import Source

SOURCES: Final[tuple[Source, ...]] = ("factoid", "image", "pool", "random")
DEFAULT_WEIGHTS: Final = SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25)
FREE_SHARE: Final = 0.15
BIN_SHARE: Final = 0.25
BIN_SATURATION: Final = 0.5
"""Least saturation and value of a bin's colour; the prior's where that is more."""
TWO_PARENTS: Final = 0.5
"""Probability of a second parent, where there is one."""
POOL_NOISE: Final = (0.02, 0.10)
"""Range of the share of noise in a pool dream."""


def usable_exemplars(profile: BiasProfile | None, memory: Memory, max_generation: int) -> list[tuple[Recipe, float]]:
    """The exemplars of `profile` that may seed a dream, with their weights, in the profile's order."""
    if profile is None:
        return []
    named = [(memory.find(exemplar.dream_id), exemplar.weight) for exemplar in profile.exemplars]
    return [(recipe, weight) for recipe, weight in named if recipe is not None and recipe.generation <= max_generation]


def plan_episode(
    episode: int,
    profile: BiasProfile | None,
    exemplars: Sequence[tuple[Recipe, float]],
    servable: Sequence[Source],
    rng: np.random.Generator,
) -> Plan:
    """Decide on an episode. `servable` holds the sources besides pool that can serve; random always can."""
    draws = rng.random(10).tolist()
    sources = (*servable, "pool") if exemplars else tuple(servable)
    weights = DEFAULT_WEIGHTS if profile is None else profile.seed_weights
    source = choose_source(weights, sources, draws[0])
    parents, shares = _parents(exemplars, draws[1:5]) if source == "pool" else ((), ())
    return Plan(
        episode=episode,
        source=source,
        parents=parents,
        shares=shares,
        target=None if profile is None else _target(profile, draws[5:8]),
        window=None if profile is None else profile.entropy_window,
    )


def choose_source(weights: SeedWeights, sources: Sequence[Source], draw: float) -> Source:
    """The one of `sources` that `draw` in [0, 1) falls to under `weights`; raises ValueError when there is none."""
    by_source: dict[Source, float] = {
        "factoid": weights.factoid_weight,
        "image": weights.image_weight,
        "pool": weights.pool_seed_weight,
        "random": weights.random_weight,
    }
    candidates = [source for source in SOURCES if source in sources]
    if not candidates:
        raise ValueError("no source can serve")
    return candidates[_pick([by_source[source] for source in candidates], draw)]


def _pick(weights: Sequence[float], draw: float) -> int:
    """The index that `draw` in [0, 1) falls to; an index of weight 0 only when all are 0, and then uniformly."""
    reached = list(accumulate(weights))
    total = reached[-1]
    if total <= 0.0:
        return int(draw * len(weights))
    return min(bisect_right(reached, draw * total), bisect_left(reached, total))


def _parents(
    exemplars: Sequence[tuple[Recipe, float]], draws: Sequence[float]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """One or two exemplars, the larger share first, and their shares of the seed tensor."""
    low, high = POOL_NOISE
    signal = 1.0 - (low + (high - low) * draws[0])
    rest = list(exemplars)
    first = rest.pop(_pick([weight for _, weight in rest], draws[1]))[0].plan.episode
    rest = [(recipe, weight) for recipe, weight in rest if recipe.plan.episode != first]
    if not rest or draws[2] >= TWO_PARENTS:
        return (first,), (signal,)
    second = rest[_pick([weight for _, weight in rest], draws[3])][0].plan.episode
    share = signal * (0.5 + 0.25 * draws[2] / TWO_PARENTS)
    return (first, second), (share, signal - share)


def _target(profile: BiasProfile, draws: Sequence[float]) -> Rgb | None:
    """The colour that the profile wants of this episode."""
    if draws[0] < FREE_SHARE:
        return None
    bin_share = max(BIN_SHARE, 1.0 - profile.hue_concentration)
    if not profile.bins or draws[1] >= bin_share:
        return profile.chroma_prior
    chosen = profile.bins[_pick([entry.weight for entry in profile.bins], draws[2])]
    _, saturation, value = to_hsv(profile.chroma_prior)
    saturation, value = max(BIN_SATURATION, saturation), max(BIN_SATURATION, value)
    if chosen.bin == profile.chroma_bins:
        return value, value, value
    return to_rgb((bin_hue(chosen.bin, profile.chroma_bins), saturation, value))
