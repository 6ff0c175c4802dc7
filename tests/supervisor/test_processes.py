"""Real processes: how they start, what they may inherit, and that none survives.

Each test runs a small supervisor as a process of its own, because a subreaper and its orphans are no matter for pytest.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_S = 20.0

PREAMBLE = """
import json, os, signal, sys, time
from pathlib import Path
from supervisor import kernel
from supervisor.processes import ChildProcess, start_process
from supervisor.nursery import Nursery
folder = Path(sys.argv[1])
def child(code):
    return start_process([sys.executable, "-c", code], folder, folder / "child.log")
def await_end(process):
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
"""

NESTLING = """
import json, os, signal, sys
Path = os.environ["PYTHONPATH"]
print(json.dumps({
    "parent": os.getppid(), "session": os.getsid(0) == os.getpid(), "arguments": sys.argv[1:], "cwd": os.getcwd(),
    "threads": os.environ["OPENBLAS_NUM_THREADS"], "hash": os.environ["PYTHONHASHSEED"],
    "shared": "bus.host" in sys.modules, "pool": "sqlite3" in sys.modules,
}), flush=True)
if "--stay" in sys.argv:
    os.mkfifo(Path + "/gate") if not os.path.exists(Path + "/gate") else None
    signal.pause()
raise SystemExit(7)
"""


def begin(code: str, folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


def finish(script: "subprocess.Popen[str]") -> str:
    output, _ = script.communicate(timeout=PATIENCE_S)
    assert script.returncode == 0, output
    return output


def ends(descriptor: int) -> bool:
    """Whether the process of a pidfd ends in time."""
    readable, _, _ = select.select([descriptor], [], [], PATIENCE_S)
    os.close(descriptor)
    return bool(readable)


def test_started_process_is_pinned_and_its_output_is_appended_to_its_log(tmp_path: Path) -> None:
    (tmp_path / "child.log").write_text("before\n")
    code = """
process = child("import os; print(os.environ['OMP_NUM_THREADS'], os.getsid(0) == os.getpid(), os.getcwd())")
await_end(process)
assert process.has_ended() and process.reap() == 0
"""
    finish(begin(code, tmp_path))

    assert (tmp_path / "child.log").read_text() == f"before\n1 True {tmp_path}\n"


def test_no_core_is_dumped(tmp_path: Path) -> None:
    code = """
process = child("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")
await_end(process)
process.reap()
"""
    finish(begin(code, tmp_path))

    assert (tmp_path / "child.log").read_text() == "(0, 0)\n"


@pytest.mark.parametrize("way", ["exec", "fork"])
def test_process_dies_with_a_supervisor_that_is_killed(tmp_path: Path, way: str) -> None:
    (tmp_path / "nestling.py").write_text(NESTLING)
    code = """
kernel.become_subreaper()
if "WAY" == "exec":
    pid = child("import signal; signal.pause()").pid
else:
    nursery = Nursery()
    pid = nursery.fork("nestling", ["--stay"], folder, folder / "child.log")
print(pid, flush=True)
signal.pause()
""".replace("WAY", way)
    script = begin(code, tmp_path)
    assert script.stdout is not None
    watched = os.pidfd_open(int(script.stdout.readline()))

    script.kill()

    assert ends(watched)
    script.communicate()


def test_grandchild_of_a_dead_actor_is_cleared_away(tmp_path: Path) -> None:
    code = """
kernel.become_subreaper()
process = child("import os, signal\\nif os.fork() == 0:\\n    os.setsid()\\n    signal.pause()")
await_end(process)
process.kill_group()
process.reap()
orphans = kernel.children_of(os.getpid())
print(len(orphans), flush=True)
watched = os.pidfd_open(orphans[0])
kernel.clear_orphans(())
os.waitid(os.P_PIDFD, watched, os.WEXITED | os.WNOWAIT) if kernel.children_of(os.getpid()) else None
kernel.clear_orphans(())
print(len(kernel.children_of(os.getpid())))
"""
    assert finish(begin(code, tmp_path)).split() == ["1", "0"]


def test_child_of_an_actor_dies_with_its_group(tmp_path: Path) -> None:
    code = """
kernel.become_subreaper()
process = child("import os, signal\\nif os.fork() != 0:\\n    os._exit(3)\\nsignal.pause()")
await_end(process)
orphans = kernel.children_of(os.getpid())
process.kill_group()
assert process.reap() == 3
for pid in orphans:
    if pid != process.pid:
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert finish(begin(code, tmp_path)).split() == [str(-signal.SIGKILL)]


def test_forked_process_is_our_child_pinned_and_shares_what_every_actor_imports(tmp_path: Path) -> None:
    (tmp_path / "nestling.py").write_text(NESTLING)
    code = """
kernel.become_subreaper()
nursery = Nursery()
process = ChildProcess(nursery.fork("nestling", ["--epoch", "3"], folder, folder / "child.log"))
await_end(process)
print(os.getpid(), process.reap())
nursery.close()
"""
    own, status = finish(begin(code, tmp_path)).split()

    said = json.loads((tmp_path / "child.log").read_text())
    assert status == "7"
    assert said == {
        "parent": int(own),
        "session": True,
        "arguments": ["--epoch", "3"],
        "cwd": str(tmp_path),
        "threads": "1",
        "hash": "0",
        "shared": True,
        "pool": False,
    }


def test_zygote_that_was_killed_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "nestling.py").write_text(NESTLING)
    code = """
kernel.become_subreaper()
nursery = Nursery()
before = nursery.pid
os.kill(before, signal.SIGKILL)
os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
process = ChildProcess(nursery.fork("nestling", [], folder, folder / "child.log"))
await_end(process)
print(nursery.pid != before, process.reap())
nursery.close()
"""
    assert finish(begin(code, tmp_path)).split() == ["True", "7"]


def test_process_that_raises_leaves_its_traceback_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "falling.py").write_text("raise ValueError('out of the nest')")
    code = """
kernel.become_subreaper()
nursery = Nursery()
process = ChildProcess(nursery.fork("falling", [], folder, folder / "child.log"))
await_end(process)
print(process.reap())
nursery.close()
"""
    assert finish(begin(code, tmp_path)).strip() == "70"
    assert "ValueError: out of the nest" in (tmp_path / "child.log").read_text()
