"""The verdicts of `supervisor doctor`, each a pure function of what was found.

In: facts about the machine and a home. Out: PASS, WARN or FAIL, with what is wrong and what to do. Nothing is looked
at here.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from schemas.base import Record
from supervisor.home import ADVICE

Verdict = Literal["PASS", "WARN", "FAIL"]

LEAST_PYTHON: Final = (3, 11)
LEAST_OPEN_FILES: Final = 64
"""A pool-keeper at full speed holds 46 descriptors; the rest is room for guests and for what is read in passing."""
GOOD_OPEN_FILES: Final = 256
EARLIEST_CLOCK_S: Final = 1_735_689_600.0
"""2025-01-01: a clock before that was never set."""
POOL_HEAD_BYTES: Final = 100
"""The header of a SQLite file."""
SQLITE_MAGIC: Final = b"SQLite format 3\x00"
APPLICATION_ID_AT: Final = 68
POOL_APPLICATION_ID: Final = 0x4F4E4952
"""`ONIR`: what the pool-keeper writes into the header of a pool."""
CLAUSE: Final = re.compile(r"(>=|<=|==|<|>|!=)\s*([0-9][0-9.]*)")


class Finding(Record):
    """One check."""

    name: str
    verdict: Verdict
    text: str


def judge_python(version: tuple[int, ...]) -> Finding:
    """Python 3.11 or newer."""
    shown = ".".join(str(part) for part in version[:3])
    if version[:2] < LEAST_PYTHON:
        return Finding(name="python", verdict="FAIL", text=f"python {shown}; 3.11 or newer is needed")
    return Finding(name="python", verdict="PASS", text=f"python {shown}")


def judge_packages(folders: Mapping[str, str], expected: str) -> Finding:
    """The packages come from one place: other distributions install packages of the same names."""
    strange = [f"{name} is {folder}" for name, folder in folders.items() if folder != str(Path(expected) / name)]
    if strange:
        text = f"not ours: {', '.join(strange)}; use an environment of its own for oneiros"
        return Finding(name="packages", verdict="FAIL", text=text)
    return Finding(name="packages", verdict="PASS", text=f"{', '.join(folders)} from {expected}")


def judge_dependencies(requirements: Mapping[str, str], found: Mapping[str, str | None]) -> Finding:
    """Every dependency is there, in a version that fits; `requirements` maps names to clauses such as `>=2.2,<3`."""
    wrong = []
    for name, clauses in requirements.items():
        version = found.get(name)
        if version is None:
            wrong.append(f"{name} is missing")
        elif not fits(version, clauses):
            wrong.append(f"{name} is {version}, {clauses} is needed")
    if wrong:
        return Finding(name="dependencies", verdict="FAIL", text="; ".join(wrong))
    shown = ", ".join(f"{name} {found[name]}" for name in requirements)
    return Finding(name="dependencies", verdict="PASS", text=shown)


def fits(version: str, clauses: str) -> bool:
    """Whether `version` meets all `clauses`; only the numbers at its beginning are compared."""
    ours = _numbers(version)
    for operator, wanted in CLAUSE.findall(clauses):
        theirs = _numbers(wanted)
        width = max(len(ours), len(theirs))
        left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (ours, theirs))
        holds = {
            ">=": left >= right,
            "<=": left <= right,
            "==": left == right,
            "!=": left != right,
            "<": left < right,
            ">": left > right,
        }
        if not holds[operator]:
            return False
    return True


def judge_home(home: str, problem: str | None) -> Finding:
    """The home can be written to."""
    if problem is not None:
        return Finding(name="home", verdict="FAIL", text=f"{home}: {problem}; {ADVICE}")
    return Finding(name="home", verdict="PASS", text=f"{home} can be written to")


def judge_home_path(problem: str) -> Finding:
    """The path of the home cannot hold one."""
    return Finding(name="home", verdict="FAIL", text=problem)


def judge_disk_space(free_mib: float, warn_mib: int, stop_mib: int) -> Finding:
    """There is room to dream."""
    text = f"{free_mib:.0f} MiB free"
    if free_mib < stop_mib:
        return Finding(name="disk", verdict="FAIL", text=f"{text}; below {stop_mib} MiB the dreamer is held")
    if free_mib < warn_mib:
        return Finding(name="disk", verdict="WARN", text=f"{text}; at {stop_mib} MiB the dreamer is held")
    return Finding(name="disk", verdict="PASS", text=text)


def judge_runtime(folder: str, longest_socket_bytes: int, limit_bytes: int, problem: str | None) -> Finding:
    """The sockets' folder is ours, private and short."""
    if problem is not None:
        return Finding(name="runtime folder", verdict="FAIL", text=problem)
    if longest_socket_bytes > limit_bytes:
        text = f"{folder}: socket paths of {longest_socket_bytes} bytes, {limit_bytes} are allowed; set XDG_RUNTIME_DIR"
        return Finding(name="runtime folder", verdict="FAIL", text=text)
    return Finding(name="runtime folder", verdict="PASS", text=f"{folder} is private")


def judge_open_files(limit: int) -> Finding:
    """Enough files can be open at once."""
    if limit < LEAST_OPEN_FILES:
        text = f"at most {limit} open files, {LEAST_OPEN_FILES} are needed; raise the hard limit (ulimit -Hn)"
        return Finding(name="open files", verdict="FAIL", text=text)
    if limit < GOOD_OPEN_FILES:
        text = f"at most {limit} open files; raise the hard limit (ulimit -Hn) to {GOOD_OPEN_FILES}"
        return Finding(name="open files", verdict="WARN", text=text)
    return Finding(name="open files", verdict="PASS", text=f"up to {limit}")


def judge_hidden_lock(problem: str) -> Finding:
    """Whether somebody holds the home may not be seen."""
    return Finding(name="lock", verdict="FAIL", text=problem)


def judge_lock(running_pid: int | None, dead_pid: int | None, is_dead_alive: bool) -> Finding:
    """Nobody was killed while holding the home."""
    if running_pid is not None:
        return Finding(name="lock", verdict="PASS", text=f"held by the running supervisor, pid {running_pid}")
    if dead_pid is not None:
        left = "its process is still there" if is_dead_alive else "its process is gone"
        text = f"the supervisor with pid {dead_pid} was killed, {left}; the next `supervisor up` here recovers its run"
        return Finding(name="lock", verdict="WARN", text=text)
    return Finding(name="lock", verdict="PASS", text="free")


def judge_pool(path: str, head: bytes | None, has_log: bool, problem: str | None) -> Finding:
    """The pool, when there is one, is a dream pool; `head` is its beginning.

    With a write-ahead log (`has_log`), what a new pool says of itself may still be there alone.
    """
    if problem is not None:
        return Finding(name="pool", verdict="FAIL", text=f"{path}: {problem}")
    if not head:
        return Finding(name="pool", verdict="PASS", text="empty" if head is not None else "none yet")
    if len(head) < POOL_HEAD_BYTES or not head.startswith(SQLITE_MAGIC):
        text = f"{path} is no SQLite file, or its beginning is damaged; move it away, or put a backup in its place"
        return Finding(name="pool", verdict="FAIL", text=text)
    application = int.from_bytes(head[APPLICATION_ID_AT : APPLICATION_ID_AT + 4], "big")
    if application != POOL_APPLICATION_ID and not (application == 0 and has_log):
        return Finding(name="pool", verdict="FAIL", text=f"{path} is a SQLite file of another program; move it away")
    return Finding(name="pool", verdict="PASS", text=f"{path} is a dream pool")


def judge_sockets(served: Sequence[str], in_the_way: Sequence[str], running_pid: int | None) -> Finding:
    """No other process listens where the sockets of the run are going to be, and nothing lies there."""
    if in_the_way:
        text = f"no socket, but in the place of one: {', '.join(in_the_way)}; remove it"
        return Finding(name="sockets", verdict="FAIL", text=text)
    if running_pid is not None:
        return Finding(name="sockets", verdict="PASS", text=f"served by the running supervisor, pid {running_pid}")
    if served:
        text = f"served by another process: {', '.join(served)}; find it with `fuser` and stop it, or use another home"
        return Finding(name="sockets", verdict="FAIL", text=text)
    return Finding(name="sockets", verdict="PASS", text="free")


def judge_death_signal(is_available: bool) -> Finding:
    """The kernel kills actors when the supervisor is killed."""
    if not is_available:
        text = "the kernel offers no parent death signal; actors would outlive a killed supervisor"
        return Finding(name="death signal", verdict="FAIL", text=text)
    return Finding(name="death signal", verdict="PASS", text="actors die with their supervisor")


def judge_landlock(version: int) -> Finding:
    """What the kernel offers to box the dreamer; for information."""
    text = f"Landlock ABI {version}" if version > 0 else "the kernel has no Landlock"
    return Finding(name="landlock", verdict="PASS", text=text)


def judge_clock(now_s: float, newest_run_s: float | None) -> Finding:
    """The clock was set, and did not fall behind what this home has seen."""
    if now_s < EARLIEST_CLOCK_S:
        return Finding(name="clock", verdict="WARN", text="the clock is before 2025; ages of dreams will be wrong")
    if newest_run_s is not None and now_s < newest_run_s:
        text = f"the clock is {newest_run_s - now_s:.0f} s behind the start of the newest run; ages are clamped at 0"
        return Finding(name="clock", verdict="WARN", text=text)
    return Finding(name="clock", verdict="PASS", text="set")


def judge_configuration(problems: tuple[str, ...]) -> Finding:
    """The home's own configuration can be used."""
    if problems:
        return Finding(name="configuration", verdict="FAIL", text="; ".join(problems))
    return Finding(name="configuration", verdict="PASS", text="valid")


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
