"""What can keep a boxed process from the rest of the machine, strongest first (design, section 3)."""

from typing import Final, Literal, get_args

Rung = Literal["landlock+seccomp", "seccomp-no-open", "bwrap", "none"]
"""One step of the ladder: two kernel layers; system calls alone, with nothing left to open; namespaces; nothing."""

Demand = Literal["required", "best-effort"]
"""What to do when no rung but `none` is left: refuse to start, or start and say so."""

LADDER: Final[tuple[Rung, ...]] = get_args(Rung)
