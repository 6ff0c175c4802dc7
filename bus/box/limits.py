"""What one process may use of the machine: memory, open files, the size of a file; no core dumps.

In: limits. Out: limits that hold for this process and all that it starts, for good, and what they are. Python ignores
SIGXFSZ, so a file that would grow too large is an OSError (EFBIG).
"""

import resource
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that one process may use; None for what the machine allows."""

    memory_bytes: int | None = None
    """Private writable memory (RLIMIT_DATA)."""
    file_bytes: int | None = None
    """Size of any file that it writes (RLIMIT_FSIZE)."""
    open_files: int | None = None
    """Descriptors (RLIMIT_NOFILE); None raises what is usual to what is allowed."""


def apply(limits: Limits) -> Limits:
    """Hold this process to `limits`; those that hold then: a value above what was allowed before is lowered to it."""
    _hold(resource.RLIMIT_CORE, 0)
    return Limits(
        memory_bytes=_hold(resource.RLIMIT_DATA, limits.memory_bytes),
        file_bytes=_hold(resource.RLIMIT_FSIZE, limits.file_bytes),
        open_files=_hold(resource.RLIMIT_NOFILE, limits.open_files),
    )


def _hold(kind: int, value: int | None) -> int | None:
    """Set limit `kind` to `value`, or as high as it may be; None when it is unlimited then."""
    _, hard = resource.getrlimit(kind)
    allowed = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    held = hard if value is None else min(value, allowed)
    resource.setrlimit(kind, (held, held))
    return None if held == resource.RLIM_INFINITY else held
