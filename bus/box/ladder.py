"""Which box this machine can give, strongest first, and whether that is enough (design, section 3).

In: the machine, where to begin, and what is demanded. Out: a rung, which the run records, or what there is of each
rung and why. Refused: going below `bwrap` unless the demand is best-effort. Never silently weaker.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bus.box import landlock, seccomp
from bus.box.errors import IsolationRefusedError
from schemas.isolation import LADDER, Demand, Rung

BWRAP: Final = "bwrap"
TRIAL_S: Final = 5.0
MAX_REASON_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Offer:
    """One rung on this machine."""

    rung: Rung
    is_available: bool
    why: str
    """What makes it available, or what is missing."""


def offer_of(rung: Rung) -> Offer:
    """What this machine has of `rung`. Only `bwrap` starts a process to find out."""
    match rung:
        case "landlock+seccomp":
            abi, fault = landlock.landlock_abi(), seccomp.missing()
            text = f"Landlock ABI {abi}" if abi else "the kernel has no Landlock, or it is switched off"
            return Offer(rung, bool(abi) and fault is None, f"{text}; {fault or 'system calls are filtered'}")
        case "seccomp-no-open":
            fault = seccomp.missing()
            return Offer(rung, fault is None, fault or "system calls are filtered, and nothing can be opened")
        case "bwrap":
            fault = _missing_for_bwrap()
            return Offer(rung, fault is None, fault or "bwrap can make namespaces of its own")
        case "none":
            return Offer(rung, True, "types, topology and keys alone; the kernel keeps the dreamer from nothing")


def offers() -> tuple[Offer, ...]:
    """What this machine has of every rung, strongest first."""
    return tuple(offer_of(rung) for rung in LADDER)


def choose(strongest: Rung, demand: Demand, ask: Callable[[Rung], Offer] = offer_of) -> Rung:
    """The best available rung at or below `strongest`; what is below it is not looked at.

    Raises IsolationRefusedError when that is `none` and a box is required.
    """
    missing: list[str] = []
    for rung in LADDER[LADDER.index(strongest) :]:
        offer = ask(rung)
        if rung == "none" and demand == "required":
            break
        if offer.is_available:
            return rung
        missing.append(f"{rung}: {offer.why}")
    raise IsolationRefusedError(
        f"no box can be closed around the dreamer ({'; '.join(missing) or 'supervisor.strongest_box is none'}); "
        '`supervisor doctor` tells more, supervisor.isolation = "best-effort" starts it without'
    )


def can_disable_user_namespaces() -> bool:
    """Whether bwrap can keep what it starts from making user namespaces of its own; starts a process to find out."""
    return _missing_for_bwrap("--unshare-user", "--disable-userns") is None


def _missing_for_bwrap(*options: str) -> str | None:
    """Why bwrap with `options` is of no use here; None when it is."""
    program = shutil.which(BWRAP)
    if program is None:
        return "bwrap is not installed"
    trial = (program, "--unshare-all", "--die-with-parent", *options, "--ro-bind", "/", "/", "--proc", "/proc", "true")
    try:
        done = subprocess.run(trial, capture_output=True, timeout=TRIAL_S, check=False, env={"PATH": os.defpath})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap cannot be tried: {error}"
    if done.returncode != 0:
        return f"bwrap makes no namespaces: {done.stderr.decode(errors='replace').strip()[:MAX_REASON_CHARS]}"
    return None
