"""Every row of the regimes under a real guard: what a quick trial takes, and that two of them are two measurements.

In: domains on the command line, none for all nine. Out: one JSON object: for each row seconds of a trial, perf, p95 and
whether two trials differ in their raw samples, or why the row is unavailable; processor time of one and of all threads;
the seconds that ten trials of every row take. Target: those stay under ten minutes. Run: `make bench BENCH=trialling`.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from actors.regime_runner.host import look
from actors.regime_runner.parsing import parse
from actors.regime_runner.rows import Unavailable, render
from schemas.regime_settings import DOMAINS, REGIMES, Host
from schemas.regimes import Domain, Measured, Regime, TrialResult
from tests.regime_rows import CAPS, CONFIG, genome_of
from tests.trial_house import TrialHouse

TRIALS = 10
TARGET_S = 600.0


class AbsentError(Exception):
    """The row cannot run here."""


Trial = tuple[float, TrialResult, Measured]


def trial(house: TrialHouse, host: Host, place: tuple[Domain, Regime], **genes: int) -> Trial:
    """Seconds, result and figures of one guarded trial."""
    domain, regime = place
    row = render(CONFIG, CAPS, host, (domain, regime, "quick"), genome_of(domain, **genes))
    if isinstance(row, Unavailable):
        raise AbsentError(row.reason)
    order = {"domain": domain, "regime": regime, **row.order_fields()}
    begun = time.perf_counter()
    result = house.run(*order.pop("argv"), **order)
    return time.perf_counter() - begun, result, parse(row, result)


def row_of(house: TrialHouse, host: Host, place: tuple[Domain, Regime]) -> dict[str, object]:
    """Two trials of one row."""
    try:
        runs = [trial(house, host, place) for _ in range(2)]
    except AbsentError as absent:
        return {"unavailable": str(absent)}
    readings = runs[0][2].readings
    failed = [measured.readings["perf"].reason for _, _, measured in runs if measured.readings["perf"].reason]
    if failed:
        return {"failed": failed[0]}
    return {
        "trial_s": [round(seconds, 2) for seconds, _, _ in runs],
        "perf": round(readings["perf"].value or 0.0, 3),
        "unit": readings["perf"].unit,
        "p95_ms": round(readings["p95_ms"].value or 0.0, 4),
        "samples": len(runs[0][2].samples),
        "differ": runs[0][2].samples != runs[1][2].samples,
        "quality": {name: round(figure, 4) for name, figure in runs[0][2].quality.items()},
    }


def main() -> int:
    """Print one JSON object."""
    home = Path(tempfile.mkdtemp(prefix="oneiros-trialling-"))
    house, host = TrialHouse(home).watched(), look(home)
    try:
        domains = [domain for domain in DOMAINS if domain in sys.argv[1:] or not sys.argv[1:]]
        rows = {f"{domain} {regime}": row_of(house, host, (domain, regime)) for domain in domains for regime in REGIMES}
        threads = {
            count: trial(house, host, ("cpu", "stress"), threads=count)[1].cpu_s for count in {1, len(host.cpus)}
        }
    finally:
        house.close()
        shutil.rmtree(home)
    seconds = TRIALS * sum(min(row["trial_s"]) for row in rows.values() if isinstance(row.get("trial_s"), list))
    table = {
        "rows": rows,
        "cpu_s_by_threads": {count: round(cpu_s, 2) for count, cpu_s in sorted(threads.items())},
        "seconds_of_ten_trials": round(seconds, 1),
        "target_s": TARGET_S,
    }
    print(json.dumps(table, indent=1))
    is_met = seconds < TARGET_S and all(row.get("differ", True) and "failed" not in row for row in rows.values())
    return 0 if is_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
