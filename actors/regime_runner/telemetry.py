"""Telemetry lines and manifests of evaluations (seed 003: `domain_evolution/*.jsonl`, `manifests/`).

In: the context of an evaluation and the packs of a generation. Out: one JSON line a generation, which names every pack
of it by its path; one manifest an evaluation, with seeds, code and configuration by hash and the versions of the tools.
The best fitness is that of a pack that is safe and has a score; where there is none it is null, and never infinite.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from actors.regime_runner.packing import PackContext
from actors.regime_runner.scoring import front_of
from schemas.candidate_pack import CandidatePack
from schemas.regimes import Domain, Regime

MANIFESTS: Final = "artifacts/manifests"


def run_name(started_ns: int, ordinal: int) -> str:
    """`YYYY-MM-DDTHH-MM-SS_rNNN`, in UTC; the ordinal counts evaluations of a home."""
    moment = datetime.fromtimestamp(started_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H-%M-%S}_r{ordinal:03d}"


def manifest_path(run_id: str) -> str:
    """`artifacts/manifests/RUN_ID.json`, relative to home."""
    return f"{MANIFESTS}/{run_id}.json"


def evolution_line(  # noqa: PLR0913, PLR0917 - the columns of a line
    context: PackContext,
    generation: int,
    packs: Sequence[CandidatePack],
    regimes: Sequence[Regime],
    trials_per_regime: int,
    population_size: int,
    random_best: float | None,
    at_random: Collection[str] = (),
) -> bytes:
    """One generation as a JSON line; `random_best` is the best score of a random search at equal budget so far.

    The candidates `at_random` were drawn for that search alone: best, mean and least are those of the others.
    """
    valid = {pack.cand_id: score for pack in packs if (score := fitness_of(pack)) is not None}
    scores = [score for cand_id, score in valid.items() if cand_id not in at_random]
    tree = {
        "domain": context.domain,
        "timestamp": context.created_at_utc,
        "generation": generation,
        "best_fitness": max(scores, default=None),
        "avg_fitness": fmean(scores) if scores else None,
        "min_fitness": min(scores, default=None),
        "random_best_fitness": random_best,
        "valid_individuals": len(valid),
        "population_size": population_size,
        "genome_size": len(packs[0].genome) if packs else 0,
        "candidate_packs": [pack.artifacts.path for pack in packs],
        "pareto_front": list(front_of(packs)),
        "regimes": list(regimes),
        "trials_per_regime": trials_per_regime,
        "profile": context.profile,
        "run_id": context.run_id,
        "evaluation_id": context.evaluation_id,
    }
    return (json.dumps(tree, ensure_ascii=False, allow_nan=False) + "\n").encode()


def last_generation(lines: bytes) -> int | None:
    """The highest generation in a telemetry file; None for none. A line that cannot be read counts for nothing."""
    found = []
    for line in lines.splitlines():
        try:
            found.append(int(json.loads(line)["generation"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return max(found, default=None)


def fitness_of(pack: CandidatePack) -> float | None:
    """The score of a pack that has one and is not unsafe."""
    return pack.aggregate.score_v2 if pack.safe is not False else None


def manifest_bytes(
    context: PackContext, domains: Sequence[Domain], configs: Mapping[str, str], seeds: Mapping[str, int]
) -> bytes:
    """What the evaluation was started with; `configs` are names with SHA-256."""
    tree = {
        "run_id": context.run_id,
        "evaluation_id": context.evaluation_id,
        "timestamp": context.run_id.rpartition("_")[0],
        "timestamp_iso": context.created_at_utc,
        "domains": list(domains),
        "profile": context.profile,
        "trials_per_regime": context.trials,
        "seeds": dict(seeds),
        "code_hash": context.code_hash,
        "configs": dict(configs),
        "host": context.host,
        "host_facts": context.host_facts,
        "tools": context.tools,
        "virtualised": context.virtualised,
    }
    return (json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
