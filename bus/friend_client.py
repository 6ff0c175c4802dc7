"""A field of your own for the friend of a running supervisor: one call gives a host its way there (seed 001).

In: the host's name and origin, a seat with the role `field-host` (`supervisor attach NAME --role field-host`), by
default the one that ONEIROS_SEAT names. Out: a `Shim`; its `lead` holds a dialogue in the calling thread, and fits
`attach` of the drop-in:

    dream.attach(attach_field("leo", origin, readme).lead)

It waits for no run: a seat that is not there is looked for again at the next moment, so that host and supervisor may
start in either order, end, and start again. Without a seat every moment passes as if there were no friend. Nothing is
printed or drawn, and no thread begins: a process of its own sits in the seat (`bus.friend_bridge`), is spoken to
through a pipe without waiting, and ends with the host. `attach_field` waits for it a moment, so that the first reply
need not.
"""

import os
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from math import exp, log2
from pathlib import Path
from re import compile as pattern_of
from subprocess import DEVNULL, Popen
from typing import Final

from bus.errors import SeatError
from bus.friend_shim import Measure, Shim, unicode_of
from bus.friend_wire import Frame, Wire
from schemas.base import Message
from schemas.friend import MAX_ORIGIN_CHARS, MAX_TEXT_CHARS, LineMeasures, OriginTold, Pulse
from schemas.guests import SEAT_VARIABLE

WORD: Final = pattern_of(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
REMEMBERED: Final = 4096
"""Words by which the novelty of a line is told."""
CONTENT: Final = 4
"""Letters of a word that counts as one of the origin's."""
SETTLE_S: Final = 3.0
"""How long the seat may take to be taken before the host goes on."""


def attach_field(
    host_id: str,
    origin: str,
    readme: Sequence[str] = (),
    seat: str | Path | None = None,
    measure: Measure | None = None,
) -> Shim:
    """The host's end of the way to the friend; `host_id` names the persona, and stays the same from run to run.

    `measure` tells how the host's field felt a line; where it is None, a plain measure by words does. Raises
    ValueError for a `host_id` that is none.
    """
    told = OriginTold(
        host_id=host_id,
        bootstrap=unicode_of(origin)[:MAX_ORIGIN_CHARS],
        readme=tuple(unicode_of(text)[:MAX_TEXT_CHARS] for text in readme)[:16],
    )
    line = SeatLine(seat)
    shim = Shim(told, line, measure or Ear(told.bootstrap), time.monotonic)
    shim.greet()
    with suppress(OSError, SeatError):  # what is wrong shows again at the first moment
        line.settle(SETTLE_S)
    return shim


class SeatLine:
    """The way to the friend, through a process that takes a seat when something is to be said."""

    def __init__(self, seat: str | Path | None = None) -> None:
        self._seat = seat
        self._wire: Wire | None = None
        self._sitter: Popen[bytes] | None = None
        self._heard: deque[Message] = deque()
        self._is_answered = True

    def settle(self, timeout_s: float) -> None:
        """Wait until the seat is taken or cannot be; raises SeatError, or ConnectionError."""
        ends_at = time.monotonic() + timeout_s
        while self._wire is not None and time.monotonic() < ends_at:
            if self._take(self._wire, ends_at - time.monotonic()):
                return

    def say(self, message: Message) -> None:
        """Send `message`, without waiting. Raises SeatError where there is no seat; the next call looks again."""
        wire = self._wire or self._start()
        if not self._is_answered:
            wire.put(Frame("call again"))
        self._is_answered = True
        try:
            wire.put(Frame("say", message))
        except OSError:
            self.close()
            raise

    def hear(self, timeout_s: float) -> Message | None:
        """The next message of the friend; None when none came in time. Raises what the seat has met."""
        if self._wire is None:
            raise ConnectionError("there is no seat")
        ends_at = time.monotonic() + timeout_s
        self._take(self._wire, 0.0)
        while not self._heard and time.monotonic() < ends_at:
            self._take(self._wire, ends_at - time.monotonic())
        self._is_answered = bool(self._heard) or timeout_s <= 0.0
        return self._heard.popleft() if self._heard else None

    def close(self) -> None:
        """Leave the seat."""
        wire, self._wire = self._wire, None
        sitter, self._sitter = self._sitter, None
        self._heard.clear()
        if wire is not None:
            wire.close()
        if sitter is not None:
            sitter.kill()
            sitter.wait()

    def _start(self) -> Wire:
        place = self._seat or os.environ.get(SEAT_VARIABLE)
        if not place or not Path(place).exists():
            told = f"there is no seat at {place or SEAT_VARIABLE}"
            raise SeatError(f"{told}; `supervisor attach NAME --role field-host` gives one")
        ours, theirs = socket.socketpair()
        roots = filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
        with theirs:
            self._sitter = Popen(
                [sys.executable, "-P", "-m", "bus.friend_bridge", str(place)],
                env=environment,
                stdin=theirs.fileno(),
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
        self._wire = Wire(ours)
        return self._wire

    def _take(self, wire: Wire, timeout_s: float) -> list[Frame]:
        """What came in; a fault is raised, and a process that is gone is let go."""
        try:
            frames = wire.take(timeout_s)
        except Exception:
            self.close()
            raise
        self._heard.extend(frame.message for frame in frames if frame.word == "told" and frame.message is not None)
        for frame in frames:
            if frame.word == "fault":
                self._heard.clear()
                raise SeatError(frame.text.removeprefix("SeatError: "))
        return frames


class Ear:
    """How a line felt, for a host that does not tell: by its words, those heard before, and those of the origin."""

    def __init__(self, origin: str) -> None:
        self._origin = frozenset(word for word in _words(origin) if len(word) >= CONTENT)
        self._heard: dict[str, None] = {}

    def __call__(self, text: str) -> LineMeasures:
        """The measures of `text`, which is heard with that."""
        words = _words(text)
        novelty = sum(word not in self._heard for word in words) / len(words) if words else 0.5
        self._heard.update(dict.fromkeys(words))
        for word in list(self._heard)[: max(0, len(self._heard) - REMEMBERED)]:
            del self._heard[word]
        content = [word for word in words if len(word) >= CONTENT]
        overlap = sum(word in self._origin for word in content) / len(content) if content else 0.0
        pulse = Pulse(novelty=novelty, arousal=_arousal(text, len(words)), entropy=_entropy(words))
        return LineMeasures(pulse=pulse, trauma=overlap, quality=None)


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _arousal(text: str, words: int) -> float:
    shouted = min(sum(word.isupper() and len(word) > 2 for word in text.split()), 4)
    load = 0.9 * min(text.count("!"), 3) + 0.25 * min(text.count("?"), 2) + 0.6 * shouted
    return 1.0 - exp(-load / (1.0 + words / 12.0))


def _entropy(words: Sequence[str]) -> float:
    if len(words) < 2:
        return 0.5
    shares = [count / len(words) for count in Counter(words).values()]
    return min(1.0, -sum(share * log2(share) for share in shares) / log2(len(words)))
