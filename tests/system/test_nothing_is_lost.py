"""kill -9 at any moment: every dream is stored exactly once and the loop goes on."""

import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bus.codec import decode_body
from schemas.dreams import DreamEntry
from tests.system.conftest import ACTORS

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")
KILLS = 20

pytestmark = pytest.mark.system


def dreamt_ids(house) -> list[str]:
    found = [decode_body(DreamEntry, item.body, item.payloads) for item in house.said("dreamer", "pool-keeper")]
    return [dream.id for dream in found if isinstance(dream, DreamEntry)]


def stored_ids(pool: sqlite3.Connection) -> list[str]:
    return [row[0] for row in pool.execute("SELECT id FROM dreams ORDER BY id")]


def assert_exactly_once(house) -> None:
    dreamt = dreamt_ids(house)
    with closing(house.pool()) as pool:
        assert pool.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert stored_ids(pool) == sorted(dreamt)
    assert len(set(dreamt)) == len(dreamt)


def test_kills_of_every_actor_in_turn_lose_and_double_nothing(house, record_property) -> None:
    house.up(*FAST, "--set=supervisor.max_restarts=1000")
    seed = int.from_bytes(os.urandom(4), "little")
    record_property("seed", seed)
    moments = random.Random(seed)

    for kill in range(KILLS):
        dreams = house.figure("pool.dreams_total")
        os.kill(house.pid(ACTORS[kill % len(ACTORS)]), signal.SIGKILL)
        enough = moments.randrange(1, 12)
        house.until(lambda dreams=dreams, enough=enough: house.figure("pool.dreams_total") >= dreams + enough)
    epochs = house.figure("learner.epochs")
    house.until(lambda: house.figure("learner.epochs") > epochs)
    rows = {row["name"]: row for row in house.actors()}
    assert sum(rows[name]["restarts"] for name in ACTORS) == KILLS
    house.stop()

    assert_exactly_once(house)


def test_random_kills_of_everything_lose_and_double_nothing(house, request: pytest.FixtureRequest) -> None:
    """Run with `-s --kills 200` for the figures: pytest prints the seed and the seconds of each recovery."""
    seed = request.config.getoption("--kill-seed") or int.from_bytes(os.urandom(4), "little")
    kills, moments, recoveries = request.config.getoption("--kills"), random.Random(seed), []
    supervisor = house.up(*FAST, "--set=supervisor.max_restarts=1000")

    for _ in range(kills):
        victim = moments.choice((*ACTORS, "supervisor"))
        dreams = house.figure("pool.dreams_total")
        began = time.monotonic()
        if victim == "supervisor":
            supervisor.kill()
            supervisor.wait()
            supervisor = house.up(*FAST, "--set=supervisor.max_restarts=1000")
        else:
            os.kill(house.pid(victim), signal.SIGKILL)
        house.until(
            lambda: len(house.actors()) == len(ACTORS) + 1 and all(row["state"] == "ready" for row in house.actors())
        )
        recoveries.append((time.monotonic() - began, victim))
        enough = dreams + moments.randrange(1, 8)
        house.until(lambda enough=enough: house.figure("pool.dreams_total") >= enough)
    house.stop()

    recoveries.sort()
    sys.stdout.write(f"\nseed {seed}, {kills} kills, median {recoveries[kills // 2]}, longest {recoveries[-1]}\n")
    assert_exactly_once(house)


def test_a_killed_supervisor_leaves_no_process_and_the_next_up_recovers(
    house, living: Callable[[Path], list[int]]
) -> None:
    supervisor = house.up(*FAST)
    house.until(lambda: house.figure("pool.dreams_total") >= 20)
    before = house.runs()

    supervisor.kill()
    supervisor.wait()
    house.until(lambda: living(house.home) == [], 2)
    house.up(*FAST)
    house.until(lambda: house.figure("dreamer.episodes") >= 20)
    house.stop()

    assert len(house.runs()) == 2
    assert (house.home / "runs" / before[0] / "closed.json").exists()
    assert_exactly_once(house)


def test_dreams_said_while_the_keeper_was_away_are_stored_when_it_comes_back(house) -> None:
    supervisor = house.up(*FAST)
    keeper = house.pid("pool-keeper")
    os.kill(keeper, signal.SIGSTOP)
    house.until(lambda: house.figure("dreamer.episodes") >= 300, 20)
    supervisor.kill()
    supervisor.wait()
    house.up(*FAST)
    house.stop()

    assert_exactly_once(house)
