"""How often a night sees what is not there, how much it finds of what is, and how long it looks.

Run: `make bench BENCH=dreaming_at_night`. Exit code 1 when a target is missed. In: nothing; worlds are drawn from their
number as seed. Out: one JSON object.

- duplicates: 500 new dreams in a pool of 5000, colours uniform or in 12 clusters. `innocent_share`: dreams that are
  near an older one by signature alone; `recall`: of 50 planted copies with a jitter of 0.001, those found.
- dreamt: dreams of the real dreamer in one night: pairs that are near by signature, and those whose tensors agree.
- conflicts: 12, 20 or 50 records in each of 24 bins. `noise`: utilities without any sense (normal, on every
  second night uniform), dreams judged several times,
  a week of the same before; all findings that fire are false. `planted`: bins that help or harm, and two that do both.
- bridges: 60 answers of 8 among 500 dreams, drawn uniformly, a few of them often (`popular`: by 1 / rank), or near one
  colour; and with one dream between two bins.
- kernel: a whole night of noise of every kind; `seeds` a night, by type.
- scale: a million dreams in the pool and 100,000 new ones, and a graph of a day.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from actors.dreamer.core import DreamerCore
from actors.dreamer.finalize import RunFacts
from actors.nightly_observer.bridges import find_bridges
from actors.nightly_observer.conflicts import find_conflicts
from actors.nightly_observer.duplicates import find_duplicates
from actors.nightly_observer.looking import look_at
from actors.nightly_observer.neighbours import Limits, Signatures, find_near
from bus.core import Fired, Started
from bus.randomness import RandomSource
from schemas.colour import to_rgb
from schemas.dreams import DreamEntry
from schemas.tensor import decode
from tests.actors.nightly_observer.days import MadeDay, anchors, runtime_settings
from tests.benchmarks.dreaming import SHAPES, inputs
from tests.benchmarks.dreaming import settings as settings_of

SETTINGS = runtime_settings()
BINS = 24
HISTORY_DAYS = 7
MOST_FALSE = 0.05
"""False seeds a night, of each kind of noise."""
MOST_SECONDS = 10.0
BRIDGE_NOISE = ("bridge_noise_uniform", "bridge_noise_popular")
Rng = np.random.Generator


def colours(rng: Rng, count: int, world: str) -> list[tuple[float, float, float]]:
    """Colours of a world: uniform, or around 12 centres."""
    if world == "uniform":
        drawn = rng.random((count, 3))
    else:
        centres = np.random.default_rng(12).random((12, 3)) * 0.6 + 0.2
        drawn = np.clip(centres[rng.integers(0, 12, count)] + rng.normal(0.0, 0.03, (count, 3)), 0.0, 1.0)
    return [(r, g, b) for r, g, b in drawn.tolist()]


def dreams(rng: Rng, world: str, pool: int, new: int) -> MadeDay:
    """A pool, and dreams of the day."""
    made = MadeDay()
    coherence = np.clip(rng.normal(0.6, 0.05, pool + new), 0.0, 1.0).tolist()
    for number, colour in enumerate(colours(rng, pool + new, world)):
        made.dream(colour, coherence[number], days_ago=3.0 if number < pool else -0.25)
    return made


def duplicates(seed: int, world: str) -> dict[str, float]:
    """One night: what innocent dreams and planted copies look like."""
    rng = np.random.default_rng(seed)
    made = dreams(rng, world, 5000, 500)
    made.tensors.default = 1.0
    innocent = find_duplicates(made.made(), SETTINGS.defrag.duplicate)
    copied = rng.choice(5000, 50, replace=False).tolist()
    for row in copied:
        old = made.dreams[row]
        jitter = rng.normal(0.0, 0.001, 4).tolist()
        red, green, blue = (min(1.0, max(0.0, each + jitter[at])) for at, each in enumerate(old.colour))
        made.dream((red, green, blue), min(1.0, max(0.0, old.coherence + jitter[3])))
    found = find_duplicates(made.made(), SETTINGS.defrag.duplicate)
    recall = statistics.mean(float(found.first[5500 + at] == found.first[row]) for at, row in enumerate(copied))
    return {"innocent_share": (innocent.is_clustered[5000:]).mean().item(), "recall": recall}


class Dreamt:
    """The tensors of real dreams, by row."""

    def __init__(self) -> None:
        self.tensors: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []

    def cosine(self, first: int, second: int) -> float:
        """Of two of them."""
        one, other = self.tensors[first], self.tensors[second]
        return float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def dreamt(episodes: int) -> dict[str, float]:
    """What a night sees of dreams that the dreamer really makes."""
    run = RunFacts(settings_of(SHAPES[0]), inputs(), seed=42, ordinal=1)
    core = DreamerCore(run, RandomSource(42, 1, "dreamer"), RandomSource(42, 1, "dreamer"))
    core.handle(Started(1), 1)
    made, tensors = MadeDay(), Dreamt()
    for number in range(episodes):
        for send in core.handle(Fired("episode"), number + 2).sends:
            if isinstance(send.message, DreamEntry):
                entry = send.message
                made.dream(entry.chroma_signature, entry.coherence)
                tensors.tensors.append(decode(bytes(entry.tensor_blob), entry.shape, entry.tensor_sha256).ravel())
    found = find_duplicates(replace(made.made(), tensors=tensors), SETTINGS.defrag.duplicate)
    blind = find_duplicates(made.made(), SETTINGS.defrag.duplicate)
    count = len(made.dreams)
    return {
        "dreams": count,
        "near_by_signature": blind.unconfirmed_pairs,
        "near_by_tensor": found.near_pairs,
        "clustered_share": round(found.is_clustered.mean().item(), 4),
    }


def judged(rng: Rng, per_bin: int, utility: Callable[[int], float], days_ago: float, made: MadeDay) -> None:
    """Feedback in every bin, half as many dreams as records."""
    for number in range(BINS):
        rows = [made.hue(15.0 * number + 1.0 + 13.0 * rng.random(), days_ago=days_ago) for _ in range(per_bin // 2)]
        for _ in range(per_bin):
            made.say(rows[int(rng.integers(len(rows)))], utility(number), days_ago=days_ago)


def conflict_noise(seed: int, per_bin: int, nights: int = HISTORY_DAYS) -> Counter[str]:
    """The findings that fire on a night without any sense, by formula."""
    rng = np.random.default_rng(seed)
    made = MadeDay()
    for night in range(nights, -1, -1):
        judged(rng, per_bin, lambda _: float(rng.uniform(-1, 1) if seed % 2 else rng.normal()), night - 0.5, made)
    return fired(made)


def conflict_planted(seed: int, per_bin: int) -> dict[str, float]:
    """A night with two bins that help and harm at once."""
    rng = np.random.default_rng(seed)
    planted = set(rng.choice(BINS, 2, replace=False).tolist())
    mean = {number: float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0)) for number in range(BINS)}
    made = MadeDay()

    def utility(number: int) -> float:
        centre = float(rng.choice([-1.0, 1.0])) * 0.75 if number in planted else mean[number]
        return centre + float(rng.normal(0.0, 0.35))

    judged(rng, per_bin, utility, -0.5, made)
    day = made.made()
    settings = SETTINGS.defrag
    findings = find_conflicts(day, np.arange(len(day.pool)), settings.conflict, 7, anchors()).findings
    bins = {each.bins[0] for each in findings if each.fires and each.evidence.formula == "conflict.bin_mix"}
    other = sum(each.fires for each in findings if each.evidence.formula != "conflict.bin_mix")
    return {"found_of_2": len(bins & planted), "false": len(bins - planted) + other}


def fired(made: MadeDay) -> Counter[str]:
    """Conflicts of a day that fire, by formula."""
    day = made.made()
    findings = find_conflicts(day, np.arange(len(day.pool)), SETTINGS.defrag.conflict, 7, anchors()).findings
    return Counter(each.evidence.formula for each in findings if each.fires)


def bridges(seed: int, world: str, *, is_planted: bool) -> dict[str, float]:
    """Answers among dreams of a day; how many bridges are seen, and whether the planted one is."""
    rng = np.random.default_rng(seed)
    made = dreams(rng, "uniform", 0, 500)
    points = np.array([dream.colour for dream in made.dreams])
    shares = 1.0 / np.arange(1, 501) / (1.0 / np.arange(1, 501)).sum()
    for _ in range(60):
        if world != "colour":
            rows = rng.choice(500, 8, replace=False, p=shares if world == "popular" else None)
        else:
            rows = np.argsort(((points - rng.random(3)) ** 2).sum(axis=1))[:8]
        made.answer(*rows.tolist())
    if is_planted:
        bridge = made.dream(to_rgb((52.0, 0.9, 0.9)))
        there = [made.dream(to_rgb((232.0 + number, 0.9, 0.9))) for number in range(4)]
        for _ in range(8):
            made.answer(bridge, *rng.choice(there, 3, replace=False).tolist())
    day = made.made()
    found = find_bridges(day, SETTINGS.defrag.bridge, BINS, 2.0, anchors()).findings
    held = [each for each in found if each.fires]
    wanted = anchors().of("dream", day.pool.ids[500]) if is_planted else ""
    return {"seen": len(held), "found": float(any(each.anchors[0] == wanted for each in held))}


def whole_night(seed: int) -> Counter[str]:
    """The seeds of a night of noise alone: dreams, feedback, answers and guards that are as they were."""
    rng = np.random.default_rng(seed)
    made = dreams(rng, "uniform", 2000, 400)
    for days_ago in range(7, -1, -1):
        for row in rng.integers(0, 2400, 300).tolist():
            made.say(row, float(rng.normal()), days_ago=days_ago - 0.5)
        for _ in range(60):
            made.answer(*rng.choice(2400, 8, replace=False).tolist(), days_ago=days_ago - 0.5)
    made.guard("coherence_reject", *[(int(rng.binomial(400, 0.15)), 400) for _ in range(8)])
    made.guard("bias_clamp", *[(int(rng.binomial(40, 0.1)), 40) for _ in range(8)])
    made.max_dreams = 10_000
    return Counter(seed.seed_type for seed in look_at(made.made(), SETTINGS, anchors()).seeds)


def scale(seed: int) -> dict[str, float]:
    """Seconds for the search of a million dreams, uniform and in clusters."""
    found = {}
    for world in ("uniform", "clusters"):
        rng = np.random.default_rng(seed)
        points = np.array(colours(rng, 1_100_000, world))
        coherence = np.clip(rng.normal(0.6, 0.05, len(points)), 0.0, 1.0)
        rows = np.arange(len(points), dtype=np.int64)
        begun = time.perf_counter()
        near = find_near(
            Signatures(points, coherence, 1.0 - coherence), rows[1_000_000:], rows, Limits(0.01, 0.01, 0.01)
        )
        found[f"{world}_s"] = round(time.perf_counter() - begun, 2)
        found[f"{world}_pairs"] = len(near.new)
        found[f"{world}_is_saturated"] = near.is_saturated
    return found


def mean_of(results: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure."""
    return {name: round(statistics.mean(each[name] for each in results), 4) for name in results[0]}


def rate_of(results: list[Counter[str]]) -> dict[str, float]:
    """Findings a night, by name, and all of them."""
    total = sum(results, Counter())
    return {
        "all": round(total.total() / len(results), 4),
        **{k: round(v / len(results), 4) for k, v in sorted(total.items())},
    }


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nights", type=int, default=200, help="nights of each kind (default: 200)")
    parser.add_argument("--without-scale", action="store_true", help="leave out the million dreams")
    arguments = parser.parse_args()
    nights = range(arguments.nights)
    few = range(max(1, arguments.nights // 10))
    figures: dict[str, dict[str, float]] = {}
    for world in ("uniform", "clusters"):
        figures[f"duplicates_{world}"] = mean_of([duplicates(seed, world) for seed in few])
    figures["dreamt"] = dreamt(1000)
    for per_bin in (12, 20, 50):
        figures[f"conflict_noise_{per_bin}"] = rate_of([conflict_noise(seed, per_bin) for seed in few])
        figures[f"conflict_noise_{per_bin}_second_night"] = rate_of(
            [conflict_noise(seed, per_bin, 1) for seed in nights]
        )
        figures[f"conflict_planted_{per_bin}"] = mean_of([conflict_planted(seed, per_bin) for seed in nights])
    for world in ("uniform", "popular", "colour"):
        figures[f"bridge_noise_{world}"] = mean_of([bridges(seed, world, is_planted=False) for seed in nights])
        figures[f"bridge_planted_{world}"] = mean_of([bridges(seed, world, is_planted=True) for seed in nights])
    figures["kernel_noise"] = rate_of([whole_night(seed) for seed in few])
    targets = {
        "kernel_noise": (figures["kernel_noise"]["all"], MOST_FALSE),
        **{name: (told["all"], MOST_FALSE) for name, told in figures.items() if name.startswith("conflict_noise")},
        **{name: (told["false"], MOST_FALSE) for name, told in figures.items() if name.startswith("conflict_planted")},
        "dreamt": (figures["dreamt"]["clustered_share"], MOST_FALSE),
        **{name: (told["seen"], MOST_FALSE) for name, told in figures.items() if name in BRIDGE_NOISE},
    }
    if not arguments.without_scale:
        figures["scale"] = scale(0)
        targets["scale_s"] = (max(figures["scale"]["uniform_s"], figures["scale"]["clusters_s"]), MOST_SECONDS)
    told = {name: {"figure": figure, "at_most": most, "ok": figure <= most} for name, (figure, most) in targets.items()}
    print(json.dumps({**figures, "nights": len(nights), "targets": told}, indent=1))
    return int(not all(target["ok"] for target in told.values()))


if __name__ == "__main__":
    raise SystemExit(main())
