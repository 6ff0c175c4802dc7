"""What was refused: counted always, written to the refusals file, shown by `status`.

In: the sender's claim and a reason. Out: lines in `home/logs/refusals/INSTANCE.jsonl`. A flood is counted in full and
written at most `LINES_PER_SECOND` lines a second, with the number of lines left out.
"""

import json
import os
import time
from pathlib import Path
from typing import Final

LINES_PER_SECOND: Final = 50
MAX_REASON_CHARS: Final = 500
MOST_SENDERS: Final = 1000
"""Names that are counted one by one: whoever lies may claim any."""


class Refusals:
    """The counter and the file of one actor."""

    def __init__(self, folder: Path, instance: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.count = 0
        self.last: str | None = None
        self._by_sender: dict[str, int] = {}
        self._instance = instance
        self._fd = os.open(folder / f"{instance}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._second = 0
        self._written = 0
        self._left_out = 0

    def of(self, sender: str) -> int:
        """How many were refused of what `sender` said, under its key or, without keys, under its name."""
        return self._by_sender.get(sender, 0)

    def add(self, sender: str, kind: str, reason: str, holder: str | None = None) -> None:
        """Count a refusal, of the `holder` of the key when that is another than the `sender` claims to be.

        It is written unless this second has seen too many.
        """
        self.count += 1
        who = holder or sender
        if who in self._by_sender or len(self._by_sender) < MOST_SENDERS:
            self._by_sender[who] = self.of(who) + 1
        self.last = f"{kind} from {sender}: {reason}"[:MAX_REASON_CHARS]
        now = time.time_ns()
        if now // 1_000_000_000 != self._second:
            self._second, self._written = now // 1_000_000_000, 0
        if self._written >= LINES_PER_SECOND:
            self._left_out += 1
            return
        line = {
            "ts_ns": now,
            "actor": self._instance,
            "sender": sender[:64],
            "kind": kind[:64],
            "reason": reason[:MAX_REASON_CHARS],
            "count": self.count,
            "left_out_before": self._left_out,
        }
        try:
            os.write(self._fd, (json.dumps(line) + "\n").encode())
        except OSError:
            self._left_out += 1  # a full disk takes the line, not the actor; the count goes with every heartbeat
            return
        self._written += 1
        self._left_out = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
