"""The guard of one trial, a process of its own: `python -P -m actors.regime_runner.trial_guard --scratch-root DIR`.

In, on standard input: one line with a TrialOrder as JSON, then `go`, or `drop`. Out, on standard output: `ready PID
STARTTICKS` once everything but the workload is there, and one line with a TrialResult as JSON at the end. The end of
the input, the death of the process that started it, `drop` and SIGTERM all end the trial; whatever happens but SIGKILL,
nothing of it stays behind. After SIGKILL its children die with it, and the rest is ended by the watchdog or by the next
start of the runner. Only the standard library is loaded. It refuses an order that it cannot read, with a line on
standard error.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from actors.regime_runner.trial import TICK_S, Order, Trial
from bus.descendants import Process, identity_of

PR_SET_PDEATHSIG: Final = 1
PIECE_BYTES: Final = 64 * 1024
EXIT_BAD_ORDER: Final = 2


class Control:
    """What the process that started the guard says, and whether it is still there."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._said = b""
        self._has_ended = False
        self._is_dropped = False
        self._signal: int | None = None
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
        signal.signal(signal.SIGUSR1, lambda *_: None)  # it only wakes: the thread that started us may just have ended
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take_signal)

    def line(self, patience_s: float) -> str | None:
        """The next line, None if none comes within `patience_s` or ever."""
        end = time.monotonic() + patience_s
        while b"\n" not in self._said and not self._has_ended:
            left_s = end - time.monotonic()
            if left_s <= 0 or not self._listen(left_s):
                return None
        if b"\n" not in self._said:
            return None
        line, _, self._said = self._said.partition(b"\n")
        self._is_dropped |= line == b"drop"
        return line.decode(errors="replace")

    def why_stop(self) -> str | None:
        """Why the trial shall not go on, None as long as it shall."""
        self._listen(0.0)
        if self._signal is not None:
            return f"told to stop by {signal.Signals(self._signal).name}"
        if self.is_abandoned:
            return "the process that started the trial is gone"
        return "told to drop it" if self._is_dropped or b"drop\n" in self._said else None

    @property
    def is_abandoned(self) -> bool:
        """Whether the process that started the guard is gone or has let go; who takes it over may kill it soon."""
        return self._has_ended or os.getppid() != self._parent

    def _listen(self, patience_s: float) -> bool:
        """Take in what is said; whether anything was, the end included."""
        if self._has_ended or not select.select([sys.stdin.fileno()], [], [], patience_s)[0]:
            return False
        piece = os.read(sys.stdin.fileno(), PIECE_BYTES)
        self._has_ended = not piece
        self._said += piece
        return True

    def _take_signal(self, number: int, _frame: object) -> None:
        self._signal = number


def main() -> int:
    """Guard one trial; the exit status."""
    parser = argparse.ArgumentParser(prog="actors.regime_runner.trial_guard", description="Started by the runner.")
    parser.add_argument("--scratch-root", type=Path, required=True, help="folder of the private folders of trials")
    root = parser.parse_args().scratch_root.absolute()
    control = Control()
    _lead_session()
    order = _read_order(control)
    own = identity_of(os.getpid())
    if order is None or own is None:
        return EXIT_BAD_ORDER
    try:
        trial = Trial(order, root, own, control.why_stop)
    except OSError as error:
        sys.stderr.write(f"trial guard: {order['trial_id']} cannot be prepared: {error}\n")
        return EXIT_BAD_ORDER
    _carry_out(trial, control, own)
    return 0


def _carry_out(trial: Trial, control: Control, own: Process) -> None:
    result: dict[str, object] = {}
    try:
        if not trial.is_refused and _is_told_to_go(trial, control, own):
            trial.run()
    finally:
        result = trial.finish(is_hasty=control.is_abandoned)
    _say(json.dumps(result))


def _is_told_to_go(trial: Trial, control: Control, own: Process) -> bool:
    _say(f"ready {own.pid} {own.started_ticks}")
    while (why := control.why_stop()) is None:
        trial.look_for_watchdog()
        if control.line(TICK_S) == "go":
            return True
    trial.leave(why)
    return False


def _say(line: str) -> None:
    rest = memoryview(line.encode() + b"\n")
    with suppress(BrokenPipeError):  # nobody is left to hear it
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]


def _lead_session() -> None:
    with suppress(PermissionError):  # the one who started us has seen to it
        os.setsid()


def _read_order(control: Control) -> Order | None:
    """The order; None when none comes or it is no JSON object."""
    while (line := control.line(TICK_S)) is None:
        if control.why_stop() is not None:
            return None
    try:
        order = json.loads(line)
    except ValueError as error:
        order = error
    if not isinstance(order, dict):
        sys.stderr.write(f"trial guard: the order is no JSON object: {str(order)[:200]}\n")
        return None
    return order


if __name__ == "__main__":
    raise SystemExit(main())
