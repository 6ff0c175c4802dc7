"""Evidence written by hand or drawn from a noise model: what trials would have shown, without trials."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from actors.regime_runner.packing import PackContext
from schemas.cap_settings import GlobalLimits, Tolerance
from schemas.evidence import METRICS, REGIMES, Arm, RegimeEvidence, TrialFacts
from schemas.regimes import Metric, Reading, Regime

UNITS: dict[Metric, str] = {
    "perf": "ops/s",
    "p95_ms": "ms",
    "watts": "W",
    "temp_peak_c": "C",
    "errors": "errors",
    "oom": "kills",
}
LIMITS = GlobalLimits.model_validate(
    {"max_trial_failures": 3, "min_successful_trials": 7, "of_trials": 10, "max_trial_duration_s": 300.0}
)
TOLERANCE = Tolerance(perf_percent=0.5, p95_ms_percent=5.0, watts_percent=3.0)
Values = dict[Metric, float | None]


def reading(metric: Metric, value: float | None) -> Reading:
    source, reason = ("sensor", None) if value is not None else (None, f"no {metric} sensor")
    return Reading(value=value, unit=UNITS[metric], source=source, reason=reason)


def trial(arm: Arm, pair: int, values: Values, regime: Regime = "idle", **changed: Any) -> TrialFacts:
    """A trial that is done and safe; errors and oom are 0 where `values` does not say otherwise."""
    whole: Values = {"watts": None, "temp_peak_c": None, "errors": 0.0, "oom": 0.0, **values}
    facts: dict[str, Any] = {
        "trial_id": f"{regime}-{arm}-{pair}",
        "arm": arm,
        "pair": pair,
        "status": "done",
        "retry_of": None,
        "is_noisy": False,
        "readings": {metric: reading(metric, whole.get(metric)) for metric in METRICS},
        "safe": True,
        "breaches": (),
        "unchecked": (),
        "injected": False,
        "argv": ("/usr/bin/true",),
        "background": (),
        "env": {},
        "applied": {"nice": "applied"},
        "noise": None,
        "exit_code": 0,
        "wall_s": 1.0,
        "cpu_s": 0.5,
        "max_rss_kib": 1024,
        "written_bytes": 0,
        "stderr_tail": "",
        "quality": {},
        "samples_count": 3,
        "samples": (1.0, 2.0, 3.0 + pair),
    }
    return TrialFacts.model_validate({**facts, **changed})


def evidence(
    trials: Sequence[TrialFacts], regime: Regime = "idle", planned: int = 10, **changed: Any
) -> RegimeEvidence:
    facts: dict[str, Any] = {
        "domain": "cpu",
        "regime": regime,
        "status": "measured",
        "reason": None,
        "packages": (),
        "trials_planned": planned,
        "gain_metric": "perf",
        "workload_id": f"sha256:{regime}",
        "trials": tuple(trials),
    }
    return RegimeEvidence.model_validate({**facts, **changed})


def steady(candidate: Values, baseline: Values, planned: int = 10, **changed: Any) -> tuple[RegimeEvidence, ...]:
    """Four regimes in which every trial of an arm shows the same."""
    return tuple(
        evidence(
            [
                row
                for at in range(planned)
                for row in (trial("candidate", at, candidate, name), trial("baseline", at, baseline, name))
            ],
            name,
            planned,
            **changed,
        )
        for name in REGIMES
    )


def unavailable(regime: Regime, reason: str = "stress-ng is not installed") -> RegimeEvidence:
    return evidence([], regime, status="unavailable", reason=reason, packages=("stress-ng",))


def drawn(
    rng: np.random.Generator, gain: float, deviation: float, memory: float, pairs: int, regime: Regime
) -> RegimeEvidence:
    """Trials one after another under noise that lasts (lag-1 correlation `memory`), the arms of a pair in random order.

    `gain` is the true factor of perf; `deviation` that of log perf over all trials. p95 is the inverse of perf.
    """
    level, rows = rng.normal(0.0, deviation), []
    for at in range(pairs):
        arms: list[Arm] = ["candidate", "baseline"] if rng.integers(2) else ["baseline", "candidate"]
        for arm in arms:
            level = memory * level + rng.normal(0.0, deviation * np.sqrt(1.0 - memory**2))
            perf = 1000.0 * float(np.exp(level)) * (gain if arm == "candidate" else 1.0)
            rows.append(
                trial(arm, at, {"perf": perf, "p95_ms": 5000.0 / perf * float(np.exp(rng.normal(0.0, 0.02)))}, regime)
            )
    return evidence(rows, regime, pairs)


def drawn_regimes(seed: int, gain: float, deviation: float, memory: float, pairs: int) -> tuple[RegimeEvidence, ...]:
    rng = np.random.default_rng(seed)
    return tuple(drawn(rng, gain, deviation, memory, pairs, regime) for regime in REGIMES)


def context(**changed: Any) -> PackContext:
    facts: dict[str, Any] = {
        "run_id": "2026-01-02T03-04-05_r007",
        "evaluation_id": "20260102T030405Z-0001/order-1",
        "domain": "cpu",
        "profile": "quick",
        "host": "sha256:host",
        "host_facts": {"cpu": "a processor"},
        "code_hash": "sha256:code",
        "tools": {"stress-ng": "0.15"},
        "virtualised": True,
        "seed": 1337,
        "created_at_utc": "2026-01-02T03:04:05Z",
        "trials": 10,
        "limits": LIMITS,
        "tolerance": TOLERANCE,
    }
    return PackContext.model_validate({**facts, **changed})


def claims(verdict_of: Callable[[int], str], repeats: int) -> int:
    return sum(verdict_of(number) == "improved" for number in range(repeats))
