"""Where files of evaluations lie that are read before there is one, relative to home.

In: a domain. Out: paths. It loads nothing that only an evaluation needs.
"""

from typing import Final

from schemas.regimes import Domain

BASELINES: Final = "artifacts/baselines.json"
EVOLUTION: Final = "artifacts/domain_evolution"


def evolution_path(domain: Domain) -> str:
    """`artifacts/domain_evolution/cpu_evolution.jsonl`."""
    return f"{EVOLUTION}/{domain}_evolution.jsonl"
