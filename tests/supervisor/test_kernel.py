"""What the kernel does for a supervisor: its memory is its own, and who holds a lock is known all the same."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOLDER = """
import fcntl, os, sys
from supervisor import kernel
kernel.keep_memory_private()
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print(kernel.has_open(os.getpid(), __import__("pathlib").Path(sys.argv[1])), kernel.own_memory_bytes(os.getpid()) > 0)
sys.stdout.flush()
sys.stdin.read()
"""
LOOKER = """
import sys
from pathlib import Path
from supervisor import kernel
pid, path = int(sys.argv[1]), Path(sys.argv[2])
try:
    Path(f"/proc/{pid}/environ").read_bytes()
    print("seen", end=" ")
except PermissionError:
    print("hidden", end=" ")
print(kernel.has_open(pid, path), kernel.has_open(pid, path.with_name("other")))
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process whose memory is private, with a lock on `lock`."""
    (tmp_path / "other").touch()
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    process.communicate(timeout=20)


def without_privileges() -> list[str]:
    """What a command is started by, so that it may look only into what any user may."""
    if os.getuid() != 0:
        return []
    program = shutil.which("setpriv")
    if program is None:
        pytest.skip("root sees everything, and there is no setpriv")
    return [program, "--bounding-set=-all", "--inh-caps=-all"]


def test_nobody_looks_into_a_private_process_but_the_lock_that_it_holds_is_seen(holder, tmp_path: Path) -> None:
    said = holder.stdout.readline()
    command = [*without_privileges(), sys.executable, "-c", LOOKER, str(holder.pid), str(tmp_path / "lock")]

    looked = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)

    assert said == "True True\n"
    assert looked.stdout == "hidden True False\n"


def test_a_private_process_leaves_no_core(holder) -> None:
    holder.stdout.readline()

    (line,) = [row for row in Path(f"/proc/{holder.pid}/limits").read_text().splitlines() if "core file" in row]

    assert line.split()[4:6] == ["0", "0"]
