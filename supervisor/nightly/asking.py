"""What the command line asks of a night, judged before anybody is asked for one.

In: words of the user, where settings come from, the time. Out: a `NightRequest`. Refused by name: a date that is none
or has not begun, a night without a date in the middle of the day, a folder that is not there, settings that are wrong.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from schemas.night import DAY_NS, NightRequest, begin_of, night_at
from schemas.night_files import RUNTIME_FILE, load_runtime
from schemas.night_settings import RuntimeSettings
from supervisor.configuration import Sources, default_file
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.runs import RunFolder


class Asked(NamedTuple):
    """What the command line asks for."""

    date: str | None = None
    root: Path | None = None
    """Of another system's files; None for our own day."""
    is_seeds_only: bool = False
    is_fresh: bool = False
    is_parity: bool = False


def runtime_settings(sources: Sources) -> RuntimeSettings:
    """`runtime.yaml` as it holds for `sources`; raises SettingsError."""
    own = (sources.config or sources.home.config) / RUNTIME_FILE
    packaged = default_file().with_name(RUNTIME_FILE).read_bytes()
    return load_runtime(packaged, own.read_bytes() if own.exists() else None)


def frozen_settings(run: RunFolder) -> RuntimeSettings:
    """`runtime.yaml` as a run was started with it; raises SettingsError, OSError."""
    packaged = default_file().with_name(RUNTIME_FILE).read_bytes()
    return load_runtime(packaged, (run.path / RUNTIME_FILE).read_bytes())


def check_root(root: Path, home: Home) -> None:
    """Raise UsageError when a night would write below the folder that it is to leave as it is."""
    if not root.is_dir():
        raise UsageError(f"--root {root} is no folder that can be read")
    ours = Path(os.path.realpath(home.root))
    if Path(os.path.realpath(root)) in (ours, *ours.parents):
        raise UsageError(
            f"the home {home.root} is inside --root {root}, where nothing may be written; use another home"
        )


def make_request(asked: Asked, settings: RuntimeSettings, window: str, now_ns: int) -> NightRequest:
    """The request for one night; raises UsageError."""
    date = last_night(window, now_ns) if asked.date is None else checked_date(asked.date, now_ns)
    return NightRequest(
        night_id=f"{date}.{time.time_ns()}.{os.getpid()}",
        date=date,
        source="own" if asked.root is None else "eqnet",
        root="" if asked.root is None else str(asked.root.absolute()),
        is_seeds_only=asked.is_seeds_only,
        is_fresh=asked.is_fresh,
        is_parity=asked.is_parity,
        settings_json=settings.model_dump_json(),
    )


def checked_date(date: str, now_ns: int) -> str:
    """`date`, if it is one that has begun; raises UsageError."""
    try:
        begin_ns = begin_of(date)
    except ValueError:
        raise UsageError(f"{date!r} is no date; write it as {night_at(now_ns)}") from None
    if begin_ns > now_ns:
        raise UsageError(f"{date} has not begun; the last day that is over is {night_at(now_ns - DAY_NS)}")
    return date


def last_night(window: str, now_ns: int) -> str:
    """The last day that is over, if it is night; raises UsageError telling the way out."""
    date = night_at(now_ns - DAY_NS)
    if is_night(window, now_ns):
        return date
    clock = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%H:%M")
    raise UsageError(
        f"it is {clock} UTC, and night is from {window.replace('-', ' to ')} (nightly.window): say which night, "
        f"`supervisor nightly run {date}`"
    )


def is_night(window: str, now_ns: int) -> bool:
    """Whether a moment is in `window`, HH:MM-HH:MM, UTC, which may go over midnight."""
    begin, end = (minutes_of(part) for part in window.split("-"))
    now = now_ns % DAY_NS // (60 * 10**9)
    return begin <= now < end if begin <= end else now >= begin or now < end


def minutes_of(clock: str) -> int:
    """Minutes since midnight of HH:MM."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
