"""Candidate packs as files: their text, and the raw samples beside them.

In: packs, candidates, the bytes of a file. Out: JSON text, packs. Minus infinity, the score of an unsafe candidate, is
written `-1e999`: that is JSON, and Python, node and jq read it as minus infinity, where the bare word is refused by
strict readers; jq has `.aggregate.score_v2 == -infinite`. `safe: false` is the authority. Refused: NaN, plus infinity,
and everything that the schema does not know.
"""

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from actors.regime_runner.packs import Candidate
from schemas.candidate_pack import CandidatePack

UNSAFE: Final = "\0minus infinity"
"""Stands for the score of an unsafe candidate until the text is whole; no text of a pack holds a NUL."""
SAMPLES_KEPT: Final = 500
"""Raw samples kept of a trial: all, or every k-th for the smallest k that leaves no more."""


def pack_bytes(pack: CandidatePack) -> bytes:
    """The pack as JSON text."""
    without: Any = {
        "artifacts": {
            "regimes": {"__all__": {"trials": {"__all__": {"samples"}}}},
            "repeats": {"__all__": {"samples"}},
        }
    }
    tree = _marked(pack.model_dump(by_alias=True, exclude=without))
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return (text.replace(json.dumps(UNSAFE), "-1e999") + "\n").encode()


def read_pack(content: bytes) -> CandidatePack:
    """The pack in `content`; raises ValueError."""
    return CandidatePack.model_validate_json(content)


def samples_bytes(candidate: Candidate) -> bytes:
    """The raw samples of every trial, ms, each with the rule by which it was thinned."""
    confirmed = candidate.confirmation.evidences if candidate.confirmation else ()
    rows = (*candidate.evidences, *candidate.repeats, *confirmed)
    tree = {trial.trial_id: _thinned(trial.samples) for row in rows for trial in row.trials}
    return (json.dumps({"unit": "ms", "trials": tree}, allow_nan=False) + "\n").encode()


def _marked(value: Any) -> Any:
    """`value` with minus infinity marked; every other number that JSON lacks is refused when it is written."""
    if isinstance(value, dict):
        return {name: _marked(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(part) for part in value]
    return UNSAFE if isinstance(value, float) and value == -math.inf else value


def _thinned(samples: Sequence[float]) -> dict[str, Any]:
    every = max(1, math.ceil(len(samples) / SAMPLES_KEPT))
    kept = [float(f"{sample:.6g}") for sample in samples[::every]]
    return {"count": len(samples), "every": every, "samples": kept}
