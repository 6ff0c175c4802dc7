"""What a user meets when something stands in the way, and that the way out that is named works."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.inputs import SAMPLE

pytestmark = pytest.mark.system


def damage_pool(home: Path) -> None:
    shutil.rmtree(home / "pool", ignore_errors=True)
    (home / "pool").mkdir(parents=True)
    (home / "pool" / "dream_pool.sqlite").write_bytes(os.urandom(5000))


@pytest.mark.parametrize("options", [("--for", "20"), ("--detach",)])
def test_a_damaged_pool_ends_the_start_at_once_and_is_named(
    house, living: Callable[[Path], list[int]], options: tuple[str, ...]
) -> None:
    damage_pool(house.home)

    done = house.run("up", *options)

    assert done.returncode == 3
    assert "pool-keeper cannot start: pool/dream_pool.sqlite" in done.stderr
    assert living(house.home) == []
    (run,) = house.runs()
    assert not (house.home / "runs" / run / "closed.json").exists()


def test_an_interrupted_run_whose_pool_was_damaged_names_the_pool_first(house) -> None:
    supervisor = house.up()
    house.until(lambda: house.figure("pool.dreams_total") >= 1)
    supervisor.kill()
    supervisor.wait()
    damage_pool(house.home)

    done = house.run("up", "--for", "20")

    assert done.returncode == 3
    assert done.stderr.startswith("error: pool-keeper cannot start: pool/dream_pool.sqlite")
    assert "remove" not in done.stderr


def test_a_loop_whose_runtime_folder_vanished_is_named_and_stopped_by_down(
    house, living: Callable[[Path], list[int]]
) -> None:
    supervisor = house.up()
    shutil.rmtree(json.loads((house.home / "supervisor.lock").read_text())["runtime"])

    asked, restarted, stopped = house.run("status"), house.run("restart", "learner"), house.run("down")

    for refused in (asked, restarted):
        assert refused.returncode == 1
        assert f"pid {supervisor.pid}" in refused.stderr and "`supervisor down" in refused.stderr
    assert stopped.returncode == 0
    assert living(house.home) == []


def test_a_suspended_supervisor_is_named_and_stops_once_it_is_continued(house) -> None:
    supervisor = house.up()
    supervisor.send_signal(signal.SIGSTOP)

    stopping = house.begin("down")
    said = stopping.stderr.readline()
    supervisor.send_signal(signal.SIGCONT)

    assert f"kill -CONT {supervisor.pid}" in said
    assert stopping.wait(20) == 0
    stopping.stderr.close()
    assert supervisor.wait(5) == 0


def test_one_kill_makes_few_lines_and_none_twice(house) -> None:
    house.up()
    before = len(house.output().splitlines())

    os.kill(house.pid("learner"), signal.SIGKILL)
    house.until(lambda: [row["epoch"] for row in house.actors() if row["name"] == "learner"] == [2])
    house.pid("learner")

    lines = [line for line in house.output().splitlines()[before:] if "learner" in line and "supervisor " in line]
    assert len(lines) <= 4, lines
    logged = house.run("logs", "--actor", "learner").stdout.splitlines()
    assert len(logged) == len(set(logged))


def test_a_time_that_is_over_before_everything_was_ready_is_no_success(house) -> None:
    done = house.run("up", "--for", "0.01")

    assert done.returncode == 1
    assert "never ready within the time given: " in done.stderr


def test_what_is_left_out_is_said_by_up_and_status_and_an_unknown_actor_is_refused(house, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(SAMPLE / "pictures", folder)
    (folder / "broken\x1b[31m.png").write_bytes(b"")

    begun, status = house.run("up", "--detach", "--images", str(folder)), house.answer("status")
    refused, stopped = house.run("restart", "lerner"), house.run("down")

    assert r"left out: broken\x1b[31m.png: the file is empty" in begun.stderr
    assert (status["pictures_left_out"], status["facts_left_out"]) == (1, 0)
    assert refused.returncode == 2
    assert "did you mean learner?" in refused.stderr
    assert stopped.returncode == 0


def test_a_socket_that_another_process_serves_is_named_by_up_and_by_doctor(house) -> None:
    taken = house.socket_of("dreamer")
    taken.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(taken))
        listening.listen()

        checked, done = house.run("doctor"), house.run("up", "--for", "20")

    assert checked.returncode == 1
    assert f"FAIL  sockets: served by another process: {taken}" in checked.stdout
    assert done.returncode == 3
    assert "dreamer cannot start: " in done.stderr and str(taken) in done.stderr
