"""The part of the world that trials happen in: guards as child processes, and the machine looked at.

In: the asks `survey`, `prepare` (a TrialOrder), `go` and `drop` (the id of a trial). Out: the observations `survey`,
`prepared` and `trial`. A guard has a thread that listens to it and ends with it; a guard that leaves without a result
has one made for it, which says what it said. What killed guards left is cleared away as soon as they are gone, and
when the world opens; when it closes, every guard is told to end its trial, and the process waits for that.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from actors.regime_runner.blank_result import blank_result
from actors.regime_runner.scratch import sweep
from bus.answering import Answering
from bus.core import Ask, Observed
from schemas.regimes import TrialOrder
from schemas.tiers import SCRATCH_PATH

CLOSING_S: Final = 4.0
"""Longest wait for guards to clear up when the process leaves."""
MODULE: Final = "actors.regime_runner.trial_guard"
TAIL_CHARS: Final = 2000

Tell = Callable[[Observed], None]


@dataclass
class Guard:
    """One guard process."""

    order: TrialOrder
    process: subprocess.Popen[bytes]
    scratch: Path
    """Where it makes the folder of its trial."""
    listener: threading.Thread = field(init=False)

    def say(self, word: bytes) -> None:
        """Tell the guard `word`; one that has left hears nothing."""
        try:
            if self.process.stdin is not None:
                self.process.stdin.write(word + b"\n")
                self.process.stdin.flush()
        except (OSError, ValueError):
            return  # it has left; its listener tells how

    def listen(self, tell: Tell) -> None:
        """Tell what the guard says, to its end."""
        result: bytes | None = None
        if self.process.stdout is not None:
            for line in self.process.stdout:
                if line.startswith(b"ready "):
                    tell(Observed("prepared", self._prepared(line)))
                else:
                    result = line.strip()
        noise = b"" if self.process.stderr is None else self.process.stderr.read()
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            _close(pipe)
        tell(Observed("trial", result or self._without_result(status, noise)))

    def _prepared(self, line: bytes) -> bytes:
        _, pid, ticks = line.split()
        told = {"trial_id": self.order.trial_id, "pid": int(pid), "started_ticks": int(ticks)}
        return json.dumps(told).encode()

    def _without_result(self, status: int, noise: bytes) -> bytes:
        cleared = "; ".join(sweep(self.scratch))
        said = "; ".join(filter(None, (noise.decode(errors="replace").strip()[-TAIL_CHARS:], cleared)))
        why = f"the guard left with {status} and no result{': ' if said else ''}{said}"
        return blank_result(self.order, "failed", why).model_dump_json().encode()


class TrialWorld:
    """Guards and surveys for one runner process (`bus.core.World`)."""

    def __init__(self, home: Path, environment: Mapping[str, str], note: Callable[[str], None]) -> None:
        """Clear away what was left below `home`; `note` is told of it. `environment` is that of the guards."""
        self._home = home.resolve()
        self._scratch = self._home / SCRATCH_PATH
        self._environment = dict(environment)
        self._guards: dict[str, Guard] = {}
        self._told = Answering()
        self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        for line in sweep(self._scratch):
            note(line)

    def ask(self, ask: Ask) -> None:
        """Begin what is asked; what is not known is passed over, as a later version may ask more."""
        match ask.name:
            case "survey":
                threading.Thread(target=self._survey, name="survey", daemon=True).start()
            case "prepare":
                self._prepare(TrialOrder.model_validate_json(ask.data))
            case "go" | "drop":
                guard = self._guards.get(ask.data.decode())
                if guard is not None:
                    guard.say(ask.name.encode())

    def answers(self) -> list[Observed]:
        """What has come since the last call."""
        return self._told.answers()

    def fileno(self) -> int:
        """Readable while answers wait."""
        return self._told.fileno()

    def close(self) -> None:
        """Have every guard end its trial, and wait for that; what stays is killed."""
        guards = list(self._guards.values())
        for guard in guards:
            guard.say(b"drop")
        end = time.monotonic() + CLOSING_S
        for guard in guards:
            guard.listener.join(max(0.0, end - time.monotonic()))
            if guard.listener.is_alive():
                guard.process.kill()
                guard.listener.join(1.0)
        self._told.close()

    def _survey(self) -> None:
        from actors.regime_runner.survey import take_survey  # noqa: PLC0415 - only an evaluation pays for it

        self._told.tell(Observed("survey", take_survey(self._scratch).model_dump_json().encode()))

    def _prepare(self, order: TrialOrder) -> None:
        command = [sys.executable, "-P", "-m", MODULE, "--scratch-root", str(self._scratch)]
        try:
            process = subprocess.Popen(
                command,
                cwd=self._home,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            why = f"no guard could be started: {error}"
            self._told.tell(Observed("trial", blank_result(order, "failed", why).model_dump_json().encode()))
            return
        guard = Guard(order, process, self._scratch)
        guard.listener = threading.Thread(target=self._listen, args=(guard,), name=order.trial_id, daemon=True)
        self._guards[order.trial_id] = guard
        guard.say(order.model_dump_json().encode())
        guard.listener.start()

    def _listen(self, guard: Guard) -> None:
        guard.listen(self._told.tell)
        self._guards.pop(guard.order.trial_id, None)


def _close(pipe: object) -> None:
    """Close a pipe whose other end may be gone."""
    try:
        if hasattr(pipe, "close"):
            pipe.close()
    except OSError:
        return  # what was buffered for a guard that has left
