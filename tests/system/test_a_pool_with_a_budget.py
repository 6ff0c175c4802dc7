"""A pool that is full evicts, compacts and is killed, and every run of it can still be replayed."""

import os
import signal
from contextlib import closing

import pytest

FAST = (
    "--set=dreamer.rate_hz=60",
    "--set=learner.rounds_hz=30",
    "--set=learner.test_per_class=8",
    "--set=pool.max_dreams=24",
    "--set=pool.blob_segment_mib=1",
)

pytestmark = pytest.mark.system


def test_two_runs_over_the_budget_replay_identically(house) -> None:
    # issue 5: eviction is deterministic, a replay gives the same pool content
    for part in (1, 2):
        house.up(*FAST)
        house.until(lambda part=part: house.figure("pool.evicted") >= 40 * part)
        if part == 1:
            evicted = house.figure("pool.evicted")
            os.kill(house.pid("pool-keeper"), signal.SIGKILL)
            house.until(lambda evicted=evicted: house.figure("pool.evicted") >= evicted + 8)
        house.stop()

    for run in house.runs():
        done = house.run("replay", run, "--actor", "pool-keeper")
        assert done.returncode == 0, done.stdout + done.stderr
    with closing(house.pool()) as pool:
        dreams, tombstones, last = (
            pool.execute(f"SELECT {what}").fetchone()[0]
            for what in ("count(*) FROM dreams", "count(*) FROM tombstones", "max(sequence) FROM dreams")
        )
        assert dreams <= 24
        assert dreams + tombstones == last
        assert pool.execute("SELECT count(*) FROM compactions").fetchone()[0] > 0
