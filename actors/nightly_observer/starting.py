"""Starting the process of a night, and hearing how it ended.

In: an order, the key of the home, the environment, how long it may take. Out: its result, or why not. The child is
a fresh program with three pipes and no other descriptor of ours; on the rung `bwrap` it is started in namespaces in
which all but the folder of nights is read-only and there is no network. Nothing of what it prints beside its result is
told on, but the last word of an unexpected end.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actors.nightly_observer.ordering import NightOrder, Result, Told, to_line
from bus.box.errors import IsolationRefusedError
from bus.box.ladder import BWRAP, Offer, choose, offer_of
from schemas.isolation import Demand, Rung

MODULE: Final = "actors.nightly_observer.child"
MAX_RESULT_BYTES: Final = 16 * 1024 * 1024
_WORD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True)
class Start:
    """How nights are started."""

    environment: Mapping[str, str]
    limit_s: float
    module: str = MODULE
    """The program of the child; a trial of the box has one of its own."""


@dataclass(frozen=True)
class Ended:
    """How a night ended."""

    result: Result | None
    problem: str | None


def rung_of(strongest: Rung, demand: Demand) -> Rung:
    """The best box for a night, which has files to open; raises IsolationRefusedError."""

    def offer(rung: Rung) -> Offer:
        return Offer(rung, False, "a night opens files") if rung == "seccomp-no-open" else offer_of(rung)

    try:
        return choose(strongest, demand, offer)
    except IsolationRefusedError as error:
        raise IsolationRefusedError(str(error).replace("the dreamer", "the night")) from None


def start_night(order: NightOrder, key: bytes, start: Start) -> Ended:
    """Have the night lived; returns when its process is gone."""
    command = [*_wrapping(order), sys.executable, "-B", "-P", "-m", start.module]
    try:
        with subprocess.Popen(
            command,
            cwd=order.home,
            env=dict(start.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                said, noise = process.communicate(to_line(Told(order, key)), timeout=start.limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return Ended(None, f"the night took more than {start.limit_s:g} s and was ended")
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        return Ended(None, f"no process could be started: {error.strerror or type(error).__name__}")
    return _judged(process.returncode, said, noise)


def _judged(status: int, said: bytes, noise: bytes) -> Ended:
    try:
        lines = said[:MAX_RESULT_BYTES].splitlines()
        result = json.loads(lines[-1]) if lines else {}
    except ValueError:
        result = {}
    problem = result.get("problem") if isinstance(result, dict) else None
    if status == 0 and isinstance(result, dict) and ("report" in result or "replay" in result):
        return Ended(result, None)
    words = noise.split()
    last = words[-1].decode() if words and _WORD.fullmatch(words[-1]) else "no result"
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return Ended(None, f"the night ended with {how}: {str(problem) if problem else last}"[:300])


def _wrapping(order: NightOrder) -> tuple[str, ...]:
    if order.rung != "bwrap":
        return ()
    nights = str(order.nights)
    binding = ("--bind", nights, nights) if order.mode == "run" else ()
    return (
        shutil.which(BWRAP) or BWRAP,
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *binding,
        *("--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-pid", "--die-with-parent", "--"),
    )
