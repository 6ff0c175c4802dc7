"""The private folder of a trial, and what is left of trials whose guard was killed.

In: a root folder that belongs to this home alone, one name per trial. Out: a 0700 folder, its size, its removal.
Beside each folder lies a note of who owns it, written before the folder is made, so that the next start of the runner
can remove what a killed guard could not: folder, cgroups, and processes that still carry the trial's mark. Refused: to
follow a link out of the root, and to touch what belongs to a guard that lives.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.regime_runner import cgroups
from bus.descendants import Process, end, is_alive, marked_with

PRIVATE: Final = 0o700
NOTE_SUFFIX: Final = ".owner"
BLOCK_BYTES: Final = 512
"""Unit of `st_blocks`, whatever the file system's own."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TERM_PATIENCE_S: Final = 0.5
KILL_DEADLINE_S: Final = 5.0


@dataclass(frozen=True)
class Scratch:
    """The folder of one trial while its guard lives."""

    folder: Path
    note: Path

    @property
    def mark(self) -> str:
        """What the environment of the trial's processes carries."""
        return self.folder.name

    def used_bytes(self, pids: Iterable[int] = ()) -> int:
        """Disk space of all that is in the folder, and of files without a name that `pids` hold open."""
        seen = {(entry.st_dev, entry.st_ino): entry.st_blocks for entry in _entries(self.folder)}
        for pid in pids:
            seen.update({(entry.st_dev, entry.st_ino): entry.st_blocks for entry in _nameless(pid, self.folder)})
        return sum(seen.values()) * BLOCK_BYTES

    def free_bytes(self) -> int:
        """What the file system of the folder has left for this user."""
        return shutil.disk_usage(self.folder).free

    def remove(self) -> str | None:
        """Remove folder and note; why not, if that fails."""
        try:
            _remove_tree(self.folder)
        except OSError as error:
            return f"the scratch folder could not be removed: {error}"
        self.note.unlink(missing_ok=True)
        return None


def make(root: Path, trial_id: str, owner: Process, cgroup_paths: Iterable[Path]) -> Scratch:
    """A fresh private folder for `trial_id` under `root`. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    name = f"{trial_id}-{owner.pid}-{owner.started_ticks}"
    scratch = Scratch(root / name, root / (name + NOTE_SUFFIX))
    facts = {"pid": owner.pid, "started_ticks": owner.started_ticks, "boot_id": boot_id()}
    content = json.dumps({**facts, "cgroups": [str(path) for path in cgroup_paths]})
    partial = root / f".{name}{NOTE_SUFFIX}"
    partial.write_text(content)
    partial.rename(scratch.note)
    scratch.folder.mkdir(mode=PRIVATE)
    scratch.folder.chmod(PRIVATE)
    return scratch


def sweep(root: Path) -> tuple[str, ...]:
    """Remove what dead guards left under `root`; a line for each thing that was there."""
    if not root.is_dir():
        return ()
    done: list[str] = []
    for entry in sorted(root.iterdir()):
        name = entry.name.removesuffix(NOTE_SUFFIX)
        note = root / (name + NOTE_SUFFIX)
        facts = _facts(note)
        if facts is not None and _is_owned(facts):
            continue
        if entry.exists() or entry.is_symlink():
            done.append(_clear(root / name, note, facts or {}))
    return tuple(done)


def boot_id() -> str:
    """Names this boot of the machine; empty where the kernel does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _clear(folder: Path, note: Path, facts: dict[str, object]) -> str:
    killed, problem = 0, None
    if facts.get("boot_id") == boot_id():
        paths = _cgroups(facts)
        killed = end(lambda: {*marked_with(folder.name), *cgroups.members(paths)}, TERM_PATIENCE_S, KILL_DEADLINE_S)
        problem = cgroups.remove(paths)
    try:
        _remove_tree(folder)
    except OSError as error:
        problem = str(error)
    if problem is not None:
        return f"{folder.name} of a guard that was killed could not be removed: {problem}"
    note.unlink(missing_ok=True)
    return f"removed {folder.name} of a guard that was killed, and ended {killed} of its processes"


def _facts(note: Path) -> dict[str, object] | None:
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _is_owned(facts: dict[str, object]) -> bool:
    pid, ticks = facts.get("pid"), facts.get("started_ticks")
    if not isinstance(pid, int) or not isinstance(ticks, int) or facts.get("boot_id") != boot_id():
        return False
    return is_alive(Process(pid, ticks))


def _cgroups(facts: dict[str, object]) -> list[Path]:
    found = facts.get("cgroups")
    return [Path(str(path)) for path in found] if isinstance(found, list) else []


def _entries(folder: Path) -> Iterator[os.stat_result]:
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(OSError):  # removed meanwhile
                yield os.lstat(os.path.join(path, name))


def _nameless(pid: int, folder: Path) -> Iterator[os.stat_result]:
    """Open files without a name on the same file system as `folder`."""
    with suppress(OSError):  # gone, or not ours to look into
        device = folder.stat().st_dev
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found = entry.stat()
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_dev == device:
                    yield found


def _remove_tree(folder: Path) -> None:
    """Remove a folder whatever rights its own folders have; a link is removed, not followed."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for path, folders, _ in os.walk(folder):
            for name in folders:
                inner = os.path.join(path, name)
                if not os.path.islink(inner):
                    os.chmod(inner, PRIVATE)
        shutil.rmtree(folder)
