"""Whether nights can be lived here: settings, keys, box, disk, clock, what a copy of the pool needs.

In: where settings come from, the time. Out: PASS, WARN or FAIL for each check, with what to do. Nothing is changed, and
no process stays; the rung `bwrap` is tried by starting one.
"""

import importlib.util
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.nightly_observer.anchors import KEY_BYTES
from actors.nightly_observer.sealing import INSTALL, SECRET, seal_of
from actors.nightly_observer.starting import rung_of
from bus.box.errors import IsolationRefusedError
from bus.box.landlock import landlock_abi
from schemas.errors import SettingsError
from schemas.night import night_at
from schemas.night_places import KEY_FILE
from schemas.night_settings import RuntimeSettings
from schemas.settings import EngineSettings
from supervisor.checks import Finding, Verdict
from supervisor.configuration import Sources, load_configuration
from supervisor.disk import free_mib
from supervisor.home import Home
from supervisor.nightly.asking import is_night, minutes_of, runtime_settings
from supervisor.nightly.opening import nights_of

LARGEST_IDENTITY: Final = 64 * 1024
PASSED_OVER: Final = ("journal", "pool")
"""Folders of the home that hold nothing of the user's own making, and much of it."""


def check_nights(sources: Sources, now_ns: int) -> tuple[Finding, ...]:
    """All checks."""
    home = sources.home
    try:
        engine, runtime = load_configuration(sources).settings, runtime_settings(sources)
    except SettingsError as error:
        return (_finding("settings", "FAIL", "; ".join(error.problems)),)
    return (
        _finding("settings", "PASS", f"runtime.yaml, {runtime.sha256()[:12]}"),
        _sealing(runtime),
        _key(home),
        _identities(home),
        _box(engine),
        _schedule(engine),
        _snapshot(home, engine),
        _clock(home, now_ns),
    )


def _finding(name: str, verdict: Verdict, text: str) -> Finding:
    return Finding(name=name, verdict=verdict, text=text)


def _sealing(runtime: RuntimeSettings) -> Finding:
    storage = runtime.dream.storage
    if not storage.encrypt:
        return _finding("sealing", "WARN", "dream.storage.encrypt is false: dreams lie open on the disk")
    if importlib.util.find_spec("pyrage") is None:
        return _finding("sealing", "FAIL", f"pyrage is not installed: {INSTALL}")
    if not storage.recipients:
        text = "no recipient: no dream is made; `supervisor nightly keygen --out FILE` makes one"
        return _finding("sealing", "FAIL", text)
    if seal_of(storage).fault is not None:
        text = "a recipient is damaged, a character of it was changed: no dream is made; copy it from its identity file"
        return _finding("sealing", "FAIL", text)
    return _finding("sealing", "PASS", f"sealed for {len(storage.recipients)}")


def _key(home: Home) -> Finding:
    path = home.root / KEY_FILE
    try:
        found = path.lstat()
    except FileNotFoundError:
        return _finding("key", "PASS", "there is none yet; the first night makes it")
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
        return _finding("key", "FAIL", f"others may read {path}; chmod 600 it")
    if found.st_size != KEY_BYTES:
        return _finding("key", "FAIL", f"{path} has {found.st_size} bytes, not {KEY_BYTES}; remove it")
    return _finding("key", "PASS", f"{path}, for its user alone")


def _identities(home: Home) -> Finding:
    inside = [str(path) for path in _small_files(home.root) if SECRET.encode() in path.read_bytes()]
    if inside:
        text = f"an identity lies beside what it opens: {', '.join(sorted(inside)[:3])}; move it out of the home"
        return _finding("identities", "FAIL", text)
    return _finding("identities", "PASS", "none is inside the home")


def _small_files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in PASSED_OVER]
        for name in files:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_IDENTITY:
                yield path


def _box(engine: EngineSettings) -> Finding:
    try:
        rung = rung_of(engine.supervisor.strongest_box, engine.supervisor.isolation)
    except IsolationRefusedError as error:
        return _finding("box", "FAIL", str(error))
    text = f"{rung}, Landlock ABI {landlock_abi()}"
    return _finding("box", "WARN" if rung == "none" else "PASS", text)


def _schedule(engine: EngineSettings) -> Finding:
    at, window = engine.nightly.at, engine.nightly.window
    if not at:
        return _finding("schedule", "PASS", "nights are lived when they are asked for; nightly.at sets a time")
    if not is_night(window, minutes_of(at) * 60 * 10**9):
        return _finding("schedule", "FAIL", f"nightly.at is {at}, outside of nightly.window, {window}")
    return _finding("schedule", "PASS", f"at {at} UTC, within {window}")


def _snapshot(home: Home, engine: EngineSettings) -> Finding:
    existing = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = free_mib(existing)
    wanted = engine.nightly.snapshot_tensor_mib + engine.supervisor.disk_stop_mib
    text = f"{free:.0f} MiB are free, a copy of the pool takes up to {engine.nightly.snapshot_tensor_mib} of tensors"
    return _finding("disk", "PASS" if free > wanted else "FAIL", text)


def _clock(home: Home, now_ns: int) -> Finding:
    today, nights = night_at(now_ns), nights_of(home).dates()
    if nights and nights[-1] > today:
        return _finding("clock", "FAIL", f"it says {today}, and there is a night of {nights[-1]}; set it")
    return _finding("clock", "PASS", f"{today} UTC; {len(nights)} nights so far")
