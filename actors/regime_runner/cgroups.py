"""A trial's own cgroups, where this user may make some: to kill it at once, limit its memory, count its OOM kills.

In: procfs and the mounted cgroup trees, of version 2, version 1 or both side by side. Out: `TrialCgroups`, perhaps
without any: then a limit is one of each process and OOM kills are counted for the whole machine, which the reading
says. Refused: to change a cgroup that this module has not made.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from actors.regime_runner.noise import PlainReading, absent, present
from bus.descendants import Process, identity_of

REMOVAL_PATIENCE_S: Final = 1.0
PAUSE_S: Final = 0.01
UNIT: Final = "kills"


@dataclass(frozen=True)
class _Tree:
    """One mounted hierarchy and where this process is in it."""

    version: int
    mount: Path
    own: Path
    """The cgroup of this process, as a path below `mount`."""


@dataclass
class TrialCgroups:
    """The cgroups of one trial; none of them need exist."""

    name: str
    memory: Path | None = None
    """The one with the memory controller."""
    unified: Path | None = None
    """The one of version 2, which can be killed at once."""
    _kills_before: int | None = field(default=None, init=False)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those that exist, each once."""
        return tuple(dict.fromkeys(path for path in (self.memory, self.unified) if path is not None))

    def limit_memory(self, limit_bytes: int) -> str | None:
        """Limit the memory of the whole trial, swap included; why that does not hold, None when it does."""
        if self.memory is None:
            return "there is no memory cgroup for the trial"
        is_new = (self.memory / "memory.max").exists()
        names = ("memory.max",) if is_new else ("memory.limit_in_bytes",)
        for name in names:
            try:
                (self.memory / name).write_text(str(limit_bytes))
                held = int((self.memory / name).read_text())
            except (OSError, ValueError) as error:
                return f"{name}: {error}"
            if held > limit_bytes:
                return f"asked for {limit_bytes} bytes, the kernel holds {held}"
        with suppress(OSError):  # a kernel that does not count swap
            swap = "memory.swap.max" if is_new else "memory.memsw.limit_in_bytes"
            (self.memory / swap).write_text("0" if is_new else str(limit_bytes))
        return None

    def begin_counting(self) -> None:
        """OOM kills are counted from now on."""
        self._kills_before = _counter(Path("/proc/vmstat"))

    def oom_kills(self) -> PlainReading:
        """OOM kills since `begin_counting`: of the trial alone where it has a cgroup, else of the machine."""
        if self.memory is not None:
            file = _oom_file(self.memory)
            kills = _counter(file)
            if kills is not None:
                return present(kills, UNIT, f"{file.name} of the trial's own cgroup")
        now = _counter(Path("/proc/vmstat"))
        if now is None or self._kills_before is None:
            return absent(UNIT, "neither a cgroup of the trial nor /proc/vmstat counts OOM kills")
        return present(now - self._kills_before, UNIT, "/proc/vmstat oom_kill, shared with the whole machine")

    @property
    def is_own_count(self) -> bool:
        """Whether an OOM kill is known to be the trial's."""
        return self.memory is not None

    def kill(self) -> None:
        """SIGKILL to everything inside at once, where the kernel can do that."""
        if self.unified is not None:
            with suppress(OSError):  # older than cgroup.kill: processes are swept one by one
                (self.unified / "cgroup.kill").write_text("1")

    def remove(self) -> str | None:
        """Remove them once they are empty; why not, if that fails."""
        return remove(self.paths)


def plan(name: str, proc: Path = Path("/proc")) -> TrialCgroups:
    """Where the cgroups of a trial called `name` would be; nothing is made yet."""
    found = TrialCgroups(name)
    for tree in _trees(proc):
        parent = _parent(tree)
        if parent is None:
            continue
        if tree.version == 2:
            found.unified = parent / name
        if tree.version == 1 or _distributes_memory(parent):
            found.memory = parent / name
    return found


def make(planned: TrialCgroups) -> TrialCgroups:
    """Make what was planned; what cannot be made is left out."""
    made = TrialCgroups(planned.name)
    for path in planned.paths:
        try:
            path.mkdir()
            (path / "cgroup.procs").read_text()
        except OSError:
            with suppress(OSError):  # it may not have been made at all
                path.rmdir()
            continue
        if path == planned.memory and _oom_file(path).exists():
            made.memory = path
        if path == planned.unified:
            made.unified = path
    return made


def join(paths: tuple[Path, ...]) -> None:
    """Let this process be in all of them; raises OSError."""
    for path in paths:
        (path / "cgroup.procs").write_text("0")


def members(paths: Iterable[Path]) -> list[Process]:
    """Who is in them."""
    pids = [int(word) for path in paths for word in _words(path / "cgroup.procs")]
    return [process for pid in dict.fromkeys(pids) if (process := identity_of(pid)) is not None]


def remove(paths: Iterable[Path]) -> str | None:
    """Remove cgroups of trials once they are empty, which takes a moment after a kill; why not, if that fails."""
    end = time.monotonic() + REMOVAL_PATIENCE_S
    for path in paths:
        while (problem := _remove(path)) is not None:
            if time.monotonic() > end:
                return f"cgroup {path} could not be removed: {problem}"
            time.sleep(PAUSE_S)
    return None


def _parent(tree: _Tree) -> Path | None:
    """The nearest cgroup at or above our own in which one may be made.

    Of version 2 it is one that hands memory on to its children, unless processes would leave a limit by going there.
    """
    own = tree.mount / tree.own.relative_to("/")
    places = [path for path in (own, *own.parents) if path == tree.mount or tree.mount in path.parents]
    places = [path for path in places if (path / "cgroup.procs").exists()]
    if not places:
        return None
    if tree.version == 2:
        for depth, path in enumerate(places):
            if _distributes_memory(path) and not any(map(_limits, places[:depth])):
                return path
    return places[0]


def _distributes_memory(path: Path) -> bool:
    return "memory" in _words(path / "cgroup.subtree_control")


def _limits(path: Path) -> bool:
    """Whether an operator has limited what is in this cgroup."""
    return any(_words(path / name)[:1] not in ([], ["max"]) for name in ("memory.max", "memory.high", "cpu.max"))


def _trees(proc: Path) -> Iterator[_Tree]:
    own = dict(_memberships(proc))
    for mount, kind, options in _mounts(proc):
        if kind == "cgroup2" and "" in own:
            yield _Tree(2, mount, own[""])
        elif kind == "cgroup" and "memory" in options and "memory" in own:
            yield _Tree(1, mount, own["memory"])


def _memberships(proc: Path) -> Iterator[tuple[str, Path]]:
    """Controller, or nothing for version 2, and the path of our cgroup in its hierarchy."""
    with suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                yield controller, Path(path)


def _mounts(proc: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    with suppress(OSError):
        for line in (proc / "self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            yield Path(before.split()[4]), kind, tuple(options.split(","))


def _oom_file(cgroup: Path) -> Path:
    """Where a cgroup counts its OOM kills: version 2 has events, version 1 a control file."""
    events = cgroup / "memory.events"
    return events if events.exists() else cgroup / "memory.oom_control"


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _counter(file: Path) -> int | None:
    """The number behind `oom_kill` in a file of names and numbers."""
    try:
        for line in file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        return None
    return None


def _remove(path: Path) -> str | None:
    try:
        path.rmdir()
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error)
    return None
