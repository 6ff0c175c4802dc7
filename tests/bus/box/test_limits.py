"""Limits hold, and say what they are."""

import subprocess
import sys
from pathlib import Path

PRELUDE = "import errno, os, resource, sys\nfrom bus.box.limits import Limits, apply\n"


def run(body: str, *arguments: str) -> str:
    command = [sys.executable, "-c", PRELUDE + body, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def test_more_memory_than_allowed_is_not_given() -> None:
    body = """
apply(Limits(memory_bytes=256 * 1024 * 1024))
try:
    bytearray(512 * 1024 * 1024)
except MemoryError:
    print("refused", len(bytearray(64 * 1024 * 1024)))
"""
    assert run(body) == f"refused {64 * 1024 * 1024}\n"


def test_a_file_that_would_grow_too_large_is_an_error(tmp_path: Path) -> None:
    body = """
apply(Limits(file_bytes=1000))
with open(sys.argv[1], "wb", buffering=0) as file:
    file.write(bytes(1000))
    try:
        file.write(b"x")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    assert run(body, str(tmp_path / "file")) == "EFBIG\n"
    assert (tmp_path / "file").stat().st_size == 1000


def test_what_is_not_limited_is_raised_to_what_is_allowed() -> None:
    body = """
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
held = apply(Limits())
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard), held.open_files == hard)
"""
    assert run(body) == "True True\n"


def test_a_limit_above_what_is_allowed_is_lowered_to_it_and_said() -> None:
    body = """
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 100))
print(apply(Limits(open_files=5000)).open_files, resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert run(body) == "100 (100, 100)\n"


def test_no_core_is_dumped() -> None:
    assert run("apply(Limits())\nprint(resource.getrlimit(resource.RLIMIT_CORE))") == "(0, 0)\n"
