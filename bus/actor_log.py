"""An actor's log: one JSON object a line on standard output, which the supervisor appends to `home/logs/ACTOR.log`.

In: level, event text, fields. Out: {"ts", "level", "actor", "event", ...}. It never blocks on a reader: standard
output is a file.
"""

import errno
import json
import os
import sys
from datetime import UTC, datetime
from typing import Final

NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)
"""A full disk takes the log line, not the actor."""


class ActorLog:
    """Writes lines for one instance."""

    def __init__(self, instance: str) -> None:
        self._instance = instance

    def write(self, level: str, event: str, **fields: str | float | int | None) -> None:
        """One line, whole, by one system call."""
        line = {"ts": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "actor": self._instance}
        try:
            os.write(sys.stdout.fileno(), (json.dumps({**line, "event": event, **fields}) + "\n").encode())
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise

    def debug(self, event: str, **fields: str | float | int | None) -> None:
        """A line for whoever looks closely."""
        self.write("debug", event, **fields)

    def info(self, event: str, **fields: str | float | int | None) -> None:
        """A line of normal life."""
        self.write("info", event, **fields)

    def warning(self, event: str, **fields: str | float | int | None) -> None:
        """A line about something that was dealt with."""
        self.write("warning", event, **fields)

    def error(self, event: str, **fields: str | float | int | None) -> None:
        """A line about something that was lost or cannot go on."""
        self.write("error", event, **fields)
