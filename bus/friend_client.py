"""A field of your own for the friend of a running supervisor: one call gives a host its way there (seed 001).

In: the host's name and origin, a seat with the role `field-host` (`supervisor attach NAME --role field-host`), by
default the one that ONEIROS_SEAT names. Out: a `Shim`; its `lead` holds a dialogue in the calling thread, and fits
`attach` of the drop-in:

    dream.attach(attach_field("leo", origin, readme).lead)

It waits for no run: a seat that is not there is looked for again at the next moment, so that host and supervisor may
start in either order, end, and start again. Without a seat every moment passes as if there were no friend. Nothing is
printed or drawn, and what the host gave runs in its own thread alone; the threads of the link (keys, syncing of its
journal) begin with a seat, touch nothing of the host's, and keep no process from ending.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import exp, log2
from pathlib import Path
from re import compile as pattern_of
from typing import Final

from bus.core import Received
from bus.friend_shim import Measure, Shim, unicode_of
from bus.guest_link import GuestLink
from bus.seat_offer import TakenSeat
from schemas.base import Message
from schemas.friend import MAX_ORIGIN_CHARS, MAX_TEXT_CHARS, LineMeasures, OriginTold, Pulse

WORD: Final = pattern_of(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
REMEMBERED: Final = 4096
"""Words by which the novelty of a line is told."""
CONTENT: Final = 4
"""Letters of a word that counts as one of the origin's."""


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
    shim = Shim(told, SeatLine(seat), measure or Ear(told.bootstrap), time.monotonic)
    shim.greet()
    return shim


class SeatLine:
    """The way to the friend, through a seat that is taken when something is to be said."""

    def __init__(self, seat: str | Path | None = None) -> None:
        self._seat = seat
        self._link: GuestLink | None = None
        self._heard: deque[Message] = deque()
        self._is_answered = True

    def say(self, message: Message) -> None:
        """Journal `message` and send it. Raises SeatError where there is no seat; the next call looks again."""
        if self._link is None:
            self._link = self._sit()
        elif not self._is_answered:
            self._link.call_again()
        self._is_answered = True
        self._guarded(lambda link: link.say(message, message.kind))

    def hear(self, timeout_s: float) -> Message | None:
        """The next message of the friend; None when none came in time."""
        ends_at = time.monotonic() + timeout_s
        while not self._heard and time.monotonic() < ends_at:
            self._guarded(lambda link: self._take(link.hear(max(0.001, ends_at - time.monotonic()))))
        self._is_answered = bool(self._heard)
        return self._heard.popleft() if self._heard else None

    def close(self) -> None:
        """Leave the seat, without waiting."""
        link, self._link = self._link, None
        if link is not None:
            link.release()

    def _sit(self) -> GuestLink:
        taken = TakenSeat.from_environment(self._seat)
        try:
            return GuestLink(taken)
        except Exception:
            taken.close()
            raise

    def _take(self, heard: Sequence[Received]) -> None:
        self._heard.extend(each.message for each in heard)

    def _guarded(self, use: Callable[[GuestLink], object]) -> None:
        """Use the link; one that fails is let go."""
        if self._link is None:
            raise ConnectionError("there is no seat")
        try:
            use(self._link)
        except Exception:
            with suppress(Exception):
                self.close()
            self._heard.clear()
            raise


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
