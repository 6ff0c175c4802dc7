"""The acceptance tests of seed 003 as commands: `python -m tests.seeds.acceptance_003 HOME [DOMAIN]`.

In: the home of an evaluation. Out: each command with its answer; exit code 1 when one does not hold. Where jq is on
PATH the commands are run as they stand, in the home; the same is asked in Python everywhere, so that nothing depends
on jq. PACK stands for the pack of the last candidate of the last generation.
"""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

REGIMES: Final = ["idle", "normal", "stress", "mixed"]


class Evaluated(NamedTuple):
    """What an evaluation left."""

    home: Path
    domain: str
    pack: dict[str, Any]
    baselines: dict[str, Any]
    line: dict[str, Any]
    trials: int


class Acceptance(NamedTuple):
    """One acceptance test of the seed."""

    number: int
    title: str
    command: str
    holds: Callable[[Evaluated], bool]


def _schema(found: Evaluated) -> bool:
    return bool(found.pack["schema"] == "candidate_pack.v2")


def _baselines(found: Evaluated) -> bool:
    return sorted(found.baselines[found.domain]) == sorted(REGIMES)


def _intervals(found: Evaluated) -> bool:
    every = [row["ci95"] for row in found.pack["regimes"]]
    ends = [interval for row in every for interval in row.values() if interval is not None]
    return (
        all({"perf", "p95_ms"} <= set(row) for row in every) and all(low <= high for low, high in ends) and bool(ends)
    )


def _deltas(found: Evaluated) -> bool:
    rows = found.pack["regimes"]
    return all(row["trials"] == found.trials == len(row["delta"]["perf"]) for row in rows) and len(rows) == 4


def _score(found: Evaluated) -> bool:
    score = found.pack["aggregate"]["score_v2"]
    return isinstance(score, float) and math.isfinite(score)


def _links(found: Evaluated) -> bool:
    paths = [found.home / path for path in found.line["candidate_packs"]]
    runs = {json.loads(path.read_bytes())["run_id"] for path in paths}
    return bool(paths) and runs == {found.line["run_id"]}


def _telemetry(found: Evaluated) -> bool:
    return bool(found.line["regimes"] == REGIMES and found.line["trials_per_regime"] == found.trials)


ACCEPTANCE: Final = (
    Acceptance(1, "schema", """jq -e '.schema=="candidate_pack.v2"' PACK""", _schema),
    Acceptance(
        2,
        "baselines populated",
        """jq -e '.DOMAIN|keys==(["idle","normal","stress","mixed"]|sort)' artifacts/baselines.json""",
        _baselines,
    ),
    Acceptance(
        3,
        "intervals present",
        """jq -e 'all(.regimes[]; .ci95|has("perf") and has("p95_ms"))"""
        """ and all(.regimes[].ci95[]; .==null or (length==2 and .[0]<=.[1]))' PACK""",
        _intervals,
    ),
    Acceptance(
        4,
        "deltas present",
        """jq -e 'all(.regimes[]; .trials==TRIALS and (.delta.perf|length)==TRIALS)' PACK""",
        _deltas,
    ),
    Acceptance(
        5, "aggregate score", """jq -e '.aggregate.score_v2|type=="number" and (isinfinite|not)' PACK""", _score
    ),
    Acceptance(
        6,
        "telemetry links",
        """tail -1 artifacts/domain_evolution/DOMAIN_evolution.jsonl |"""
        """ jq -r '.candidate_packs[]' | xargs -n1 test -s""",
        _links,
    ),
    Acceptance(
        6,
        "telemetry line",
        """tail -1 artifacts/domain_evolution/DOMAIN_evolution.jsonl |"""
        """ jq -e '.regimes==["idle","normal","stress","mixed"] and .trials_per_regime==TRIALS'""",
        _telemetry,
    ),
)
SAFETY_FLIP: Final = {
    "too hot": """jq -e '.safe==false and .aggregate.score_v2==-infinite' PACK""",
    "warm": """jq -e '.safe==true and (.aggregate.score_v2|isinfinite|not)' PACK""",
    "no sensor": """jq -e '.safe==null and any(.artifacts.regimes[].unchecked[]; startswith("temp_peak_c"))' PACK""",
}
"""Test 7, by what the sensors say."""


def read_evaluated(home: Path, domain: str) -> Evaluated:
    """What the last evaluation of `domain` left in `home`."""
    lines = (home / "artifacts/domain_evolution" / f"{domain}_evolution.jsonl").read_text().splitlines()
    line = json.loads(lines[-1])
    return Evaluated(
        home,
        domain,
        json.loads((home / line["candidate_packs"][-1]).read_bytes()),
        json.loads((home / "artifacts/baselines.json").read_bytes()),
        line,
        line["trials_per_regime"],
    )


def filled(command: str, found: Evaluated) -> str:
    """The command for this evaluation; it is run in the home."""
    pack = found.line["candidate_packs"][-1]
    return command.replace("PACK", pack).replace("DOMAIN", found.domain).replace("TRIALS", str(found.trials))


def answers(command: str, found: Evaluated) -> bool | None:
    """Whether the command holds; None where there is no jq."""
    if shutil.which("jq") is None:
        return None
    shell = ["bash", "-o", "pipefail", "-c", filled(command, found)]
    return subprocess.run(shell, cwd=found.home, capture_output=True, check=False).returncode == 0


def main(home: str, domain: str = "cpu") -> int:
    """Ask everything of one home."""
    found = read_evaluated(Path(home), domain)
    is_fine = True
    for test in ACCEPTANCE:
        by_jq, here = answers(test.command, found), test.holds(found)
        is_fine = is_fine and here and by_jq is not False
        said = {True: "holds", False: "FAILS", None: "not asked"}
        sys.stdout.write(
            f"{test.number} {test.title}: {said[here]} (jq: {said[by_jq]})\n  {filled(test.command, found)}\n"
        )
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
