"""What it costs that a dream leaves for each that comes, in a pool of a million dreams at its budget.

In: nothing. Out: one JSON object: for each fsync policy and groups of 32 tensors of 393,216 bytes, medians and 99th
percentiles of a whole group, of the evictions in it and of its commit, on the clock and on a processor alone. Run:
`make bench BENCH=evicting`. Exit code 1 when a target is missed. Beside it, for comparison, the same groups into the
same pool without a budget.
"""

import argparse
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np

from actors.pool_keeper.budgeting import make_room
from actors.pool_keeper.connection import StoreSettings
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.persisting import Step
from actors.pool_keeper.store import PoolStore
from bus.core import MessageRef, StepPosition
from tests.benchmarks.persisting import entries, settings_of
from tests.large_pool import make

DREAMS = 1_000_000
GROUP = 32
GROUPS = 300
MOST_P99_MS = 50.0


def fill(home: Path, settings: StoreSettings, budget: Budget) -> dict[str, float]:
    """Groups of tensors into a pool: medians and the slowest, in milliseconds."""
    store = PoolStore(home, settings)
    if budget.is_limited:
        store.niches(budget.bins)
    source = entries()
    found: dict[str, list[float]] = defaultdict(list)
    for step in range(GROUPS):
        dreams = list(islice(source, GROUP))
        spent = [(0.0, 0.0)] * 3
        for dream in dreams:
            start = _now()
            store.add_dream(dream, MessageRef("dreamer", 1, step))
            middle = _now()
            make_room(store, budget, Step(MessageRef("dreamer", 1, step), step))
            end = _now()
            spent[0] = _plus(spent[0], start, middle)
            spent[1] = _plus(spent[1], middle, end)
        start = _now()
        store.commit(StepPosition(1, step), {})
        spent[2] = _plus(spent[2], start, _now())
        for name, pair in zip(("storing", "evicting", "commit"), spent, strict=True):
            found[name].append(pair[0])
            found[f"{name}_cpu"].append(pair[1])
        found["group"].append(sum(pair[0] for pair in spent))
    told = {"evicted": store.tally("evicted"), "holes": store.columns.holes}
    store.close()
    medians = {f"{name}_ms": round(statistics.median(values) * 1000, 2) for name, values in found.items()}
    slowest = {f"{name}_p99_ms": round(float(np.percentile(values, 99)) * 1000, 1) for name, values in found.items()}
    return {**medians, **slowest, **told}


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


def _plus(sum_s: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return sum_s[0] + end[0] - start[0], sum_s[1] + end[1] - start[1]


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to write (default: here)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that nothing is left behind
    figures = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix=".bench-") as scratch:
        made = Path(scratch) / "made"
        make(made, DREAMS)
        for policy in ("process", "power"):
            for name, budget in (("without_budget", Budget()), ("evicting", Budget(max_dreams=DREAMS))):
                home = shutil.copytree(made, Path(scratch) / "filled")
                figures[f"{policy}_{name}"] = fill(home, settings_of(policy, "segments"), budget)
                shutil.rmtree(home)
    targets = {}
    for policy in ("process", "power"):
        p99 = figures[f"{policy}_evicting"]["commit_p99_ms"]
        targets[f"{policy}_commit_p99_ms"] = {"figure": p99, "at_most": MOST_P99_MS, "ok": p99 <= MOST_P99_MS}
    print(json.dumps({**figures, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
