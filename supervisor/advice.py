"""Command lines that messages advise, so that they can be copied as they stand.

In: a command and the home that it is for. Out: the command in backquotes, with `--home` where the home is not the
default one. Only the standard library is known here, so that errors can advise.
"""

import os
import shlex
from pathlib import Path


def default_home() -> Path:
    """`oneiros/` in the XDG state folder: $XDG_STATE_HOME, or ~/.local/state when that is unset or relative."""
    declared = os.environ.get("XDG_STATE_HOME", "")
    state = Path(declared) if declared.startswith("/") else Path.home() / ".local" / "state"
    return state / "oneiros"


def advise(command: str, home: Path | str) -> str:
    """`supervisor COMMAND`, in backquotes, with `--home` where `home` is not the default one."""
    where = "" if Path(home) == default_home() else f" --home {shlex.quote(str(home))}"
    return f"`supervisor {command}{where}`"
