"""A trial leaves nothing behind: no process, no file, no setting; and its result says exactly what was run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from actors.regime_runner import scratch
from bus.descendants import Process, is_alive, marked_with
from tests.trial_house import PARENT, ROOT, Hand, TrialHouse, until

PYTHON = sys.executable
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        open("left", "w").write("x" * 1000)
        open(os.path.join(os.environ["TMPDIR"], "in-temp"), "w").close()
        os.mkdir("locked")
        open("locked/inside", "w").close()
        os.chmod("locked", 0)
    time.sleep(60)
os.wait()
time.sleep(60)
"""
"""Ignores TERM, and so does a grandchild in a session of its own, whose parent is gone."""


def members(house: TrialHouse) -> list[Process]:
    """The processes of the house's trials, whoever their parent is."""
    return [process for folder in house.scratch.glob("trial-*[0-9]") for process in marked_with(folder.name)]


def files_in(*folders: Path) -> set[str]:
    return {str(path) for folder in folders for path in folder.rglob("*")}


def test_a_trial_says_what_was_run_with_what_environment_and_settings(house) -> None:
    script = "import os, sys; print(os.getcwd(), sys.argv[1:], os.nice(0), sorted(os.environ))"

    result = house.run(
        PYTHON, "-c", script, "{scratch}/x", nice=7, policy="batch", ionice="idle", cpus=[0], timer_slack_ns=70_000
    )

    folder = result.env["TMPDIR"]
    assert result.status == "done" and result.exit_code == 0
    assert result.argv == (PYTHON, "-c", script, f"{folder}/x")
    assert set(result.env) == {"PATH", "HOME", "TMPDIR", "ONEIROS_TRIAL"}
    assert result.applied == dict.fromkeys(("nice", "policy", "ionice", "cpus", "timer_slack_ns"), "applied")
    assert result.stdout.startswith(f"{folder} ['{folder}/x'] 7 ") and "TMPDIR" in result.stdout


def test_the_folder_of_a_trial_is_its_own_and_gone_afterwards(house) -> None:
    result = house.run("/bin/sh", "-c", "stat -c %a . ; echo x > file; mkdir deep; echo y > deep/file")

    assert result.stdout == "700\n"
    assert list(house.scratch.iterdir()) == []
    assert not Path(result.env["TMPDIR"]).exists()


def test_shell_signs_in_an_argument_are_letters(house) -> None:
    result = house.run("/bin/echo", "; touch X", "$(touch X)", "`touch X`", "|", "> X")

    assert result.stdout == "; touch X $(touch X) `touch X` | > X\n"
    assert result.written_bytes < 4096


def test_nothing_is_alive_two_seconds_after_the_time_limit(house, tmp_path: Path) -> None:
    before = files_in(tmp_path)
    guarded = house.start(PYTHON, "-c", STUBBORN, timeout_s=0.6)
    began = time.monotonic()
    met = until(lambda: members(house)[2:] and members(house), "the grandchild")

    result = guarded.result()

    assert result.status == "timeout"
    assert time.monotonic() - began < 0.6 + 2.0
    assert len(met) >= 3
    assert [process for process in met if is_alive(process)] == []
    assert files_in(tmp_path) == before


def test_a_runner_that_is_killed_takes_its_trial_with_it(house, tmp_path: Path) -> None:
    before = files_in(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [PYTHON, "-c", PARENT, str(house.scratch)]
    runner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    runner.stdin.write(json.dumps(house.order(PYTHON, "-c", STUBBORN)) + "\n")
    runner.stdin.flush()
    _, pid, ticks = runner.stdout.readline().split()
    guard = Process(int(pid), int(ticks))
    runner.stdin.write("go\n")
    runner.stdin.flush()
    met = until(lambda: members(house)[2:] and members(house), "the grandchild")

    runner.kill()
    runner.communicate()

    killed_at = time.monotonic()
    until(lambda: not any(map(is_alive, [*met, guard])), "the end of the trial")
    assert time.monotonic() - killed_at < 2.0
    assert files_in(tmp_path) == before


def test_what_a_killed_guard_leaves_is_gone_after_the_next_start(house, tmp_path: Path) -> None:
    before = files_in(tmp_path)
    guarded = house.start(PYTHON, "-c", STUBBORN)
    met = until(lambda: members(house)[2:] and members(house), "the grandchild")
    guarded.process.kill()
    guarded.process.wait()

    lines = scratch.sweep(house.scratch)

    assert len(lines) == 1 and "of a guard that was killed" in lines[0]
    assert [process for process in met if is_alive(process)] == []
    assert files_in(tmp_path) == before


def test_a_sweep_leaves_the_trial_of_a_living_guard_alone(house) -> None:
    guarded = house.prepare("/bin/sleep", "60")
    before = files_in(house.scratch)

    lines = scratch.sweep(house.scratch)

    assert lines == ()
    assert files_in(house.scratch) == before
    guarded.say("drop")
    assert guarded.result().status == "killed"


def test_a_sweep_follows_no_link_out_of_the_root(house, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "kept").mkdir(parents=True)
    (house.scratch / "trial-9").symlink_to(outside)

    scratch.sweep(house.scratch)

    assert (outside / "kept").is_dir()
    assert list(house.scratch.iterdir()) == []


def test_a_trial_is_dropped_before_it_begins_when_its_runner_lets_go(house) -> None:
    guarded = house.prepare("/bin/sh", "-c", "echo ran")
    guarded.process.stdin.close()

    result = guarded.result()

    assert result.status == "killed" and result.stdout == "" and result.exit_code is None
    assert list(house.scratch.iterdir()) == []


def test_a_guard_that_is_told_to_end_ends_its_trial(house) -> None:
    guarded = house.start(PYTHON, "-c", STUBBORN)
    met = until(lambda: members(house)[2:] and members(house), "the grandchild")

    guarded.process.send_signal(signal.SIGTERM)

    assert guarded.result().status == "killed"
    assert [process for process in met if is_alive(process)] == []


def test_without_a_watchdog_nothing_is_run(unwatched_house) -> None:
    result = unwatched_house.run("/bin/sh", "-c", "echo ran")

    assert result.status == "watchdog-gone" and result.stdout == ""
    assert result.oom.value is None


def test_a_fresh_file_that_nobody_has_locked_is_no_watchdog(house) -> None:
    guarded = house.start("/bin/sleep", "60")
    until(lambda: members(house), "the trial")
    began = time.monotonic()

    house.hand.unlock()

    assert guarded.result().status == "watchdog-gone"
    assert time.monotonic() - began < 2.0


def test_a_clock_that_jumps_is_no_dead_watchdog(unwatched_house) -> None:
    class Jumping(Hand):
        def _touch(self) -> None:
            while not self._rests.wait(0.05):
                os.utime(self.path, ns=(0, time.monotonic_ns()))

    unwatched_house.hand = Jumping(unwatched_house.deadman)

    result = unwatched_house.run("/bin/sleep", "0.5")

    assert result.status == "done"


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="shown by giving root's rights up")
def test_a_setting_that_the_kernel_refuses_is_named_and_nothing_is_run(house) -> None:
    house.prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")

    result = house.run("/bin/sh", "-c", "echo ran", nice=-5, policy="batch")

    assert result.status == "refused" and result.stdout == ""
    assert result.applied["nice"].startswith("refused: ") and "ermi" in result.applied["nice"]
    assert result.applied["policy"] == "applied"


def test_a_setting_that_the_kernel_makes_something_else_of_is_refused(house) -> None:
    result = house.run("/bin/sh", "-c", "echo ran", cpus=[0, 1000])

    assert result.status == "refused" and result.stdout == ""
    assert result.applied["cpus"].startswith("refused: ")


@pytest.mark.parametrize("program", ["/nowhere/program", "sh"])
def test_a_program_without_an_absolute_path_is_refused(house, program: str) -> None:
    result = house.run(program)

    assert result.status == "refused" and program in result.stderr_tail
    assert list(house.scratch.iterdir()) == []


def test_a_trial_that_needs_more_room_than_there_is_is_refused(house) -> None:
    result = house.run("/bin/true", max_bytes=1 << 60)

    assert result.status == "refused" and "the disk has" in result.stderr_tail


@pytest.mark.parametrize("where", ["name", "nameless"])
def test_a_trial_beyond_its_quota_is_ended(house, where: str) -> None:
    script = """
import os, sys, time
for number in range(4):
    file = open(str(number), "wb", buffering=0)
    file.write(bytes(500_000))
    if sys.argv[1] == "nameless":
        os.unlink(str(number))
        globals()[f"kept{number}"] = file
time.sleep(60)
"""

    result = house.run(PYTHON, "-c", script, where)

    assert result.status == "failed" and "its quota is 1000000" in result.stderr_tail
    assert result.written_bytes >= 1_500_000


def test_a_file_cannot_grow_beyond_the_quota(house) -> None:
    result = house.run("/bin/dd", "if=/dev/zero", "of={scratch}/file", "bs=100000", "count=100")

    assert result.status == "failed"
    assert result.written_bytes <= 1_100_000


def test_a_trial_beyond_its_memory_fails_and_is_counted_where_it_has_a_cgroup(house) -> None:
    result = house.run(PYTHON, "-c", "x = bytearray(400 << 20); print('took it')", max_memory_bytes=120 << 20)

    assert result.status == "failed" and result.stdout == ""
    assert result.applied["max_memory_bytes"] == "applied"
    if "own cgroup" in result.oom.source:
        assert result.oom.value == 1
    else:
        assert "shared" in result.oom.source and "MemoryError" in result.stderr_tail


def test_a_command_beside_the_measured_one_ends_with_it(house) -> None:
    result = house.run("/bin/sleep", "0.3", background=[["/bin/sleep", "61"]])

    assert result.status == "done" and result.background == (("/bin/sleep", "61"),)
    assert 0.3 <= result.wall_s < 2.0


def test_a_command_beside_that_ends_too_soon_fails_the_trial_even_in_good_order(house) -> None:
    result = house.run("/bin/sleep", "5", background=[["/bin/true"]])

    assert result.status == "failed" and "/bin/true, which had to run beside it" in result.stderr_tail


def test_output_without_end_is_cut_and_the_end_of_the_errors_is_kept(house) -> None:
    script = "import sys; sys.stdout.write('a' * 3_000_000); sys.stderr.write('b' * 100_000 + 'last words')"

    result = house.run(PYTHON, "-c", script)

    assert result.status == "done" and result.stdout == "a" * (1 << 20)
    assert "last words" in result.stderr_tail and "bytes of standard output were dropped" in result.stderr_tail


def test_threads_change_the_cpu_time_that_is_told(house) -> None:
    burn = "import os\nfor n in range({n}):\n    if os.fork() == 0:\n        sum(range(10_000_000)); os._exit(0)\n"
    burn += "for n in range({n}): os.wait()"

    one, four = (house.run(PYTHON, "-c", burn.replace("{n}", str(n))) for n in (1, 4))

    assert one.status == four.status == "done"
    assert four.cpu_s > 2.0 * one.cpu_s


@pytest.mark.parametrize("line", ["not json", "[1, 2]"])
def test_an_order_that_is_none_is_refused_in_words(house, line: str) -> None:
    command = [PYTHON, "-P", "-m", "actors.regime_runner.trial_guard", "--scratch-root", str(house.scratch)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    ended = subprocess.run(
        command, input=line + "\n", capture_output=True, text=True, env=environment, timeout=20, check=False
    )

    assert ended.returncode == 2 and ended.stdout == ""
    assert "trial guard: the order is no JSON object" in ended.stderr and "Traceback" not in ended.stderr
