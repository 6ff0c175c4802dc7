"""Repeating a run in a process whose libraries compute as they did then.

In: the fingerprint of a run, the command that repeats it. Out: the exit code of a process that was started with the
settings of that fingerprint, or None where this process has them. A library chooses its kernels when it is loaded, and
another kernel has other last bits, so nothing less than another process will do; nor where the locale has another
encoding than UTF-8 for the names of files. It starts one such process, never a second from within it: what still
differs is told by whoever compares.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from actors.learner.trainer.model.threads import arithmetic_like, environment_of, without_settings

UTF8: Final = "utf-8"
REPEATED: Final = "ONEIROS_TRAIN_REPEATED"
"""Set in a process that was started with the settings of a run."""


def repeat_elsewhere(there: Mapping[str, str], arguments: Sequence[str]) -> int | None:
    """Run `supervisor ARGUMENTS` with the settings of the fingerprint `there`; see above."""
    here = arithmetic_like(there)
    is_alike = sys.getfilesystemencoding() == UTF8 and all(there.get(name) == value for name, value in here.items())
    if REPEATED in os.environ or is_alike:
        return None
    kept = without_settings(os.environ)
    path = os.pathsep.join(part for part in (str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")) if part)
    environment = {**kept, **environment_of(there), REPEATED: "1", "PYTHONPATH": path, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "supervisor.cli", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode
