"""Settings that a process makes for itself before it becomes a workload, each read back after it was made.

In: the settings of a trial's order, as plain values. Out: for each that was asked for `applied`, or `refused:` and why:
the kernel said no, or holds another value than the one asked for. Nothing has to be restored, since all of them die
with the process. Refused: nothing silently; what could not be read back counts as refused.
"""

import ctypes
import os
import platform
import resource
from collections.abc import Callable, Mapping
from typing import Final

APPLIED: Final = "applied"
PR_SET_TIMERSLACK: Final = 29
PR_GET_TIMERSLACK: Final = 30
IOPRIO_CALLS: Final = {
    "x86_64": (251, 252),
    "aarch64": (30, 31),
    "riscv64": (30, 31),
    "loongarch64": (30, 31),
    "ppc64le": (273, 274),
    "s390x": (282, 283),
}
"""Machine -> numbers of ioprio_set(2) and ioprio_get(2)."""
IOPRIO_CLASS_SHIFT: Final = 13
IOPRIO_WHO_PROCESS: Final = 1
IOPRIO: Final = {"best-effort": (2 << IOPRIO_CLASS_SHIFT) | 4, "idle": 3 << IOPRIO_CLASS_SHIFT}
POLICIES: Final = {"other": os.SCHED_OTHER, "batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE}

_libc = ctypes.CDLL(None, use_errno=True)


class NotHeldError(Exception):
    """The kernel holds another value than the one that was asked for."""


def make_settings(order: Mapping[str, object]) -> dict[str, str]:
    """Make every setting of `order` that is not None, for this process; name -> `applied` or `refused: WHY`."""
    return {name: _make(setter, order[name]) for name, setter in SETTERS.items() if order.get(name) is not None}


def limit_private_memory(limit_bytes: int) -> str | None:
    """Limit the private memory of this process and of what it starts; why that does not hold, None when it does."""
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    except (OSError, ValueError) as error:
        return f"RLIMIT_DATA: {error}"
    held, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if held == limit_bytes else f"asked for {limit_bytes} bytes, the kernel holds {held}"


def refused(why: object) -> str:
    """How a setting that does not hold is written down."""
    return f"refused: {why}"


def _make(setter: Callable[[object], None], value: object) -> str:
    try:
        setter(value)
    except OSError as error:
        return refused(f"{value!r}: {error.strerror or error}")
    except (NotHeldError, KeyError, TypeError, ValueError, OverflowError) as error:
        return refused(error)
    return APPLIED


def _nice(value: object) -> None:
    wanted = _whole(value)
    os.setpriority(os.PRIO_PROCESS, 0, wanted)
    _compare(wanted, os.getpriority(os.PRIO_PROCESS, 0))


def _policy(value: object) -> None:
    if value not in POLICIES:
        raise ValueError(f"no such policy: {value!r}")
    wanted = POLICIES[str(value)]
    os.sched_setscheduler(0, wanted, os.sched_param(0))
    _compare(wanted, os.sched_getscheduler(0))


def _ionice(value: object) -> None:
    calls = IOPRIO_CALLS.get(platform.machine())
    if calls is None:
        raise ValueError(f"the number of ioprio_set on {platform.machine()} is not known here")
    if value not in IOPRIO:
        raise ValueError(f"no such class: {value!r}")
    wanted = IOPRIO[str(value)]
    if _libc.syscall(calls[0], IOPRIO_WHO_PROCESS, 0, wanted) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    held = _libc.syscall(calls[1], IOPRIO_WHO_PROCESS, 0)
    _compare(wanted >> IOPRIO_CLASS_SHIFT, held >> IOPRIO_CLASS_SHIFT)


def _cpus(value: object) -> None:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"no list of CPUs: {value!r}")
    wanted = {_whole(cpu) for cpu in value}
    os.sched_setaffinity(0, wanted)
    _compare(sorted(wanted), sorted(os.sched_getaffinity(0)))


def _timer_slack_ns(value: object) -> None:
    wanted = _whole(value)
    if _libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(wanted), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _compare(wanted, _libc.prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"not a whole number: {value!r}")
    return value


def _compare(wanted: object, held: object) -> None:
    if wanted != held:
        raise NotHeldError(f"asked for {wanted}, the kernel holds {held}")


SETTERS: Final[Mapping[str, Callable[[object], None]]] = {
    "policy": _policy,
    "nice": _nice,
    "ionice": _ionice,
    "cpus": _cpus,
    "timer_slack_ns": _timer_slack_ns,
}
"""In the order in which they are made: a policy resets nothing of the others."""
