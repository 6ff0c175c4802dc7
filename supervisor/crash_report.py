"""What is known of the death of an actor, as JSON.

In: the dead actor, the end of its log, the run. Out: `home/logs/crashes/RUN-INSTANCE-eN.json` with the signal or exit
status, the step, the input, the last lines, and how often it died lately. The supervisor's log names the file.
"""

import signal
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bus.files import write_atomically
from schemas.base import Record
from supervisor.log_lines import parse_line

LAST_LINES: Final = 50
TAIL_BYTES: Final = 64 * 1024


class CrashReport(Record):
    """One death of one actor."""

    actor: str
    epoch: int
    run_id: str
    at: str
    """UTC time, ISO 8601."""
    ended: str
    """The signal by name, or the exit status."""
    reason: str | None
    """What the supervisor or the actor itself says of it."""
    step: int
    """The last step that it told of."""
    input_reference: str | None
    """The input that it could not handle, when it said so."""
    early_deaths_in_window: int
    restarts: int
    isolation: str
    last_lines: tuple[str, ...]
    """The end of its log."""

    @property
    def file_name(self) -> str:
        """Its file in `home/logs/crashes`."""
        return f"{self.run_id}-{self.actor}-e{self.epoch}.json"

    def write(self, folder: Path) -> None:
        """Write the JSON file into `folder`, which is made when it is not there; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / self.file_name, self.model_dump_json(indent=2).encode() + b"\n")


def exit_text(status: int) -> str:
    """`killed by SIGKILL` or `exited with 1`, from an exit status that is negative for a signal."""
    if status >= 0:
        return f"exited with {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def last_lines(log: Path) -> tuple[str, ...]:
    """The last lines of `log`, at most LAST_LINES; empty when it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(deque(text.splitlines(), maxlen=LAST_LINES))


def last_error(lines: Sequence[str]) -> str | None:
    """What the last error among `lines` of a log says; None when there is none."""
    found = (parse_line(text, "") for text in reversed(lines))
    return next((line.event for line in found if line.level == "error"), None)
