"""The whole evaluation, core and all, over trials whose truth is known (issue 6, "Must be shown", 4)."""

import numpy as np
import pytest

from actors.regime_runner.statistics import pairs_needed
from schemas.regimes import TrialOrder
from tests.scripted_trials import OTHER, ScriptedRunner, Showing, order_of, place

MEMORY = 0.75
"""Lag-1 correlation of the noise, as the dossier measured it."""
REGIMES = 4


class Noise:
    """Trials one after another on a machine whose speed drifts; the candidate is faster by a factor."""

    def __init__(self, seed: int, gain: float, deviation: float, memory: float = MEMORY) -> None:
        self._rng = np.random.default_rng(seed)
        self._gain, self._deviation, self._memory = gain, deviation, memory
        self._level = float(self._rng.normal(0.0, deviation))

    def __call__(self, order: TrialOrder, number: int) -> Showing:
        fresh = self._deviation * float(np.sqrt(1.0 - self._memory**2))
        self._level = self._memory * self._level + float(self._rng.normal(0.0, fresh))
        speed = float(np.exp(self._level)) * (self._gain if place(order)[0] == "c" else 1.0)
        return Showing(perf=1000.0 * speed, p95_ms=5.0 / speed)


def evaluated(seed: int, gain: float, deviation: float, pairs: int, memory: float = MEMORY):
    """The pack of one candidate."""
    runner = ScriptedRunner(Noise(seed, gain, deviation, memory))
    return runner.give(order_of(genome=OTHER, trials=pairs)).run().pack()


def verdict(pack) -> str:
    found: str = pack["artifacts"]["judgement"]["verdict"]
    return found


def test_of_forty_evaluations_of_equals_at_most_four_claim_an_improvement() -> None:
    packs = [evaluated(seed, 1.0, 0.35, 6) for seed in range(40)]

    assert sum(verdict(pack) == "improved" for pack in packs) <= 4
    assert sum(pack["aggregate"]["improves_over_baseline"] is True for pack in packs) <= 4


def test_a_genome_that_is_ten_percent_better_is_found_in_most_repeats_at_the_planned_number() -> None:
    difference = 0.1 * np.sqrt(2.0 * (1.0 - MEMORY))
    pairs = -(-pairs_needed(float(difference), float(np.log(1.1 / 1.005))) // REGIMES)

    packs = [evaluated(seed, 1.1, 0.1, max(3, pairs)) for seed in range(20)]

    assert sum(verdict(pack) == "improved" for pack in packs) > 10


def test_a_candidate_under_noise_of_thirty_percent_is_inconclusive() -> None:
    pack = evaluated(3, 1.02, 0.3, 10, memory=0.0)
    overall = pack["artifacts"]["judgement"]["overall"]

    assert verdict(pack) == "inconclusive"
    assert pack["aggregate"]["improves_over_baseline"] is None
    assert overall["minimum_detectable"] == pytest.approx(0.2, abs=0.12)
