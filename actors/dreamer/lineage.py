"""What the dreamer remembers of its own dreams: recipes instead of tensors (seed 000, section 7; design, 5.7 and 5.8).

In: the recipe of each dream that passed the gate. Out: the recipe of a dream that a profile names, and all that it
takes to make it again. A recipe is some eighty bytes, a tensor up to hundreds of thousands; an episode is a function
of its plan, so the recipe is enough, and the dream's id, which commits to its SHA-256, proves the result.

A recipe is kept while its dream is among the last `capacity`, or the profile in force names it, or a kept dream
descends from it. Refuses to answer for a dream that it does not keep: None.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from schemas.colour import Rgb
from schemas.dreams import Source

Origin = Literal["factoid", "image", "random"]
MAX_ANCESTORS = 64


class Ancestry(NamedTuple):
    """One thing of the outside world in a dream: its kind, its number in the input set (-1 for noise), its share."""

    origin: Origin
    number: int
    share: float


class Plan(NamedTuple):
    """All that is decided before an episode grows; with the run's inputs and seed it fixes the tensor."""

    episode: int
    source: Source
    parents: tuple[int, ...] = ()
    """Episodes of the dreams that seed this one, the larger share first."""
    shares: tuple[float, ...] = ()
    """Share of each parent in the seed tensor; the rest is noise."""
    target: Rgb | None = None
    """Colour that the dream is pulled to; None for no pull."""
    window: tuple[float, float] | None = None
    """Entropy that the dream is steered to; None for no steering."""


class Recipe(NamedTuple):
    """A dream that can be made again."""

    plan: Plan
    dream_id: str
    root: str
    """Id of the lineage root, which may be the dream itself."""
    generation: int
    image: int
    """Number of the picture that the dream shows first of all; -1 for none."""
    ancestry: tuple[Ancestry, ...]


def merged(parts: Iterable[Ancestry]) -> tuple[Ancestry, ...]:
    """`parts` with equal ancestors added up, at most `MAX_ANCESTORS` (the largest stay), shares summing to 1."""
    shares: dict[tuple[Origin, int], float] = {}
    for origin, index, share in parts:
        shares[origin, index] = shares.get((origin, index), 0.0) + share
    kept = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:MAX_ANCESTORS]
    total = math.fsum(share for _, share in kept)
    return tuple(Ancestry(origin, index, min(1.0, share / total)) for (origin, index), share in kept)


@dataclass(slots=True)
class _Held:
    recipe: Recipe
    holders: int
    """Reasons to keep the recipe: being recent, being named, and each kept child."""


class Memory:
    """The recipes at hand."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._recent: deque[int] = deque()
        self._named: tuple[int, ...] = ()
        self._held: dict[int, _Held] = {}
        self._episode_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def remember(self, recipe: Recipe) -> None:
        """Keep `recipe` as the most recent one."""
        if self._capacity == 0:
            return
        self._hold(recipe, 1)
        self._recent.append(recipe.plan.episode)
        if len(self._recent) > self._capacity:
            self._release(self._recent.popleft())

    def name(self, dream_ids: Sequence[str]) -> None:
        """Keep the dreams that a new profile names, as far as they are known, and no longer those of the last one."""
        named = tuple(episode for episode in map(self._episode_of.get, dream_ids) if episode is not None)
        for episode in named:
            self._held[episode].holders += 1
        former, self._named = self._named, named
        for episode in former:
            self._release(episode)

    def find(self, dream_id: str) -> Recipe | None:
        """The recipe of the dream with this id."""
        episode = self._episode_of.get(dream_id)
        return None if episode is None else self._held[episode].recipe

    def recipe(self, episode: int) -> Recipe:
        """The recipe of a kept episode; raises KeyError for any other."""
        return self._held[episode].recipe

    def forget(self, dream_id: str) -> None:
        """Answer for this dream no more: it could not be made again."""
        self._episode_of.pop(dream_id, None)

    def pack(self) -> list[Any]:
        """Plain lists for a snapshot."""
        held = [[*map(_packed, (h.recipe.plan, h.recipe[1:])), h.holders] for h in self._held.values()]
        return [list(self._recent), list(self._named), held, sorted(self._episode_of.values())]

    def unpack(self, data: Sequence[Any]) -> None:
        """Take over what `pack` gave."""
        recent, named, held, known = data
        self._recent, self._named = deque(recent), tuple(named)
        recipes = [(_unpacked_recipe(plan, rest), holders) for plan, rest, holders in held]
        self._held = {recipe.plan.episode: _Held(recipe, holders) for recipe, holders in recipes}
        self._episode_of = {self._held[episode].recipe.dream_id: episode for episode in known}

    def _hold(self, recipe: Recipe, holders: int) -> None:
        self._held[recipe.plan.episode] = _Held(recipe, holders)
        self._episode_of[recipe.dream_id] = recipe.plan.episode
        for parent in recipe.plan.parents:
            self._held[parent].holders += 1

    def _release(self, episode: int) -> None:
        pending = [episode]
        while pending:
            held = self._held[pending.pop()]
            held.holders -= 1
            if held.holders == 0:
                del self._held[held.recipe.plan.episode]
                self._episode_of.pop(held.recipe.dream_id, None)
                pending.extend(held.recipe.plan.parents)


def _packed(part: tuple[Any, ...]) -> list[Any]:
    return [bytes.fromhex(v.replace("-", "")) if isinstance(v, str) and len(v) == 36 else v for v in part]


def _text(raw: bytes) -> str:
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _unpacked_recipe(plan: Sequence[Any], rest: Sequence[Any]) -> Recipe:
    episode, source, parents, shares, target, window = plan
    dream_id, root, generation, image, ancestry = rest
    made = Plan(
        episode,
        source,
        tuple(parents),
        tuple(shares),
        None if target is None else (target[0], target[1], target[2]),
        None if window is None else (window[0], window[1]),
    )
    return Recipe(made, _text(dream_id), _text(root), generation, image, tuple(Ancestry(*part) for part in ancestry))
