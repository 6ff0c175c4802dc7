"""A recorded run proves, actor by actor, that the same inputs give the same bytes, also after kills."""

import json
import os
import signal

import pytest

from bus.segment import list_segments

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")
ACTORS = ("dreamer", "pool-keeper", "learner", "bias-synthesizer")

pytestmark = pytest.mark.system


def replayed(house, *options: str) -> tuple[int, dict[str, object]]:
    done = house.run("replay", *options, "--json")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_run_with_three_kills_is_identical_twice(house) -> None:
    house.up(*FAST)
    for victim in ("dreamer", "pool-keeper", "learner"):
        dreams = house.figure("pool.dreams_total")
        os.kill(house.pid(victim), signal.SIGKILL)
        house.until(lambda dreams=dreams: house.figure("pool.dreams_total") >= dreams + 20)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 1)
    house.stop()

    first, second = replayed(house), replayed(house)

    for code, report in (first, second):
        assert code == 0, report
        assert {verdict["actor"] for verdict in report["actors"]} == set(ACTORS)
        assert all(verdict["is_identical"] for verdict in report["actors"])
    keeper = next(verdict for verdict in first[1]["actors"] if verdict["actor"] == "pool-keeper")
    assert keeper["content"]["recorded"] == keeper["content"]["replayed"]
    assert keeper["epochs"] == 2


def test_a_second_run_on_a_filled_pool_is_identical_too(house) -> None:
    for _ in range(2):
        house.up(*FAST)
        house.until(lambda: house.figure("learner.epochs") >= 1)
        house.stop()

    code, report = replayed(house, "--from-snapshot")

    assert code == 0, report


def test_a_flipped_bit_is_reported_with_its_place(house) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("pool.dreams_total") >= 30)
    house.stop()
    path = list_segments(house.home / "journal" / house.runs()[-1] / "learner")[0][1]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x20
    path.write_bytes(bytes(whole))

    code, report = replayed(house, "--actor", "learner")

    assert code == 3
    (verdict,) = report["actors"]
    assert verdict["damage"]["segment"] == path.name
    assert verdict["damage"]["offset"] <= len(whole) // 2


def test_an_unknown_actor_is_refused_with_the_names_there_are(house) -> None:
    house.up(*FAST)
    house.stop()

    done = house.run("replay", "--actor", "teacher")

    assert done.returncode == 2
    assert "teacher" in done.stderr and "bias-synthesizer" in done.stderr
