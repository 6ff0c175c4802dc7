"""What `supervisor up` shows in the foreground: every log line as it comes, and one line of figures.

In: the growing logs, a line of text. Out: text on a stream; on a terminal the status line stays at the bottom and is
rewritten, elsewhere it is printed now and then. A reader that went away ends the showing, never the run.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from supervisor.log_lines import LEVELS, LogLine
from supervisor.log_tail import Tail

TERMINAL_PERIOD_S: Final = 0.5
STREAM_PERIOD_S: Final = 10.0
CLEAR_LINE: Final = "\r\x1b[K"
LEAST_RANK: Final = LEVELS.index("info")


class Console:
    """The foreground of one supervisor."""

    def __init__(self, stream: TextIO, logs: Sequence[Path], environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._is_coloured = self._is_terminal and not environment.get("NO_COLOR")
        self._tails = [Tail(path, path.stat().st_size if path.exists() else 0) for path in logs]
        self._period_s = TERMINAL_PERIOD_S if self._is_terminal else STREAM_PERIOD_S
        self._status_at_s: float | None = None
        self._status = ""
        self._is_open = True

    def turn(self, now_s: float, status: Callable[[], str]) -> None:
        """Print what was logged since the last call, and the status line when it is due."""
        if not self._is_open:
            return
        lines = self._new_lines()
        if self._status_at_s is None:
            self._status_at_s = now_s + (0.0 if self._is_terminal else self._period_s)
        is_due = now_s >= self._status_at_s
        if is_due:
            self._status_at_s = now_s + self._period_s
            self._status = status()
        if lines or is_due:
            self._print(lines, is_due)

    def finish(self) -> None:
        """Print the last lines and leave the terminal with an empty line."""
        if self._is_open:
            self._status = ""
            self._print(self._new_lines(), is_due=False)

    def _new_lines(self) -> list[LogLine]:
        found = [line for tail in self._tails for line in tail.read_lines() if line.rank >= LEAST_RANK]
        return sorted(found, key=lambda line: line.at_s or 0.0) if all(line.at_s for line in found) else found

    def _print(self, lines: Sequence[LogLine], is_due: bool) -> None:
        text = "".join(f"{line.to_text(self._is_coloured)}\n" for line in lines)
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            text = f"{CLEAR_LINE}{text}{self._status[:width]}"
        elif is_due:
            text += f"{self._status}\n"
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, OSError):
            self._give_up()

    def _give_up(self) -> None:
        """Nobody reads any more: let later writes, also those at exit, go nowhere."""
        self._is_open = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
