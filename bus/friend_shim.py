"""The host's half of the exchange, for a program with a field of its own (schemas.friend).

In: a moment of the host, two hooks, a line to a friend. Out: the dialogue that the friend leads, held in the calling
thread with the host's own hooks. The host waits 150 ms for the first answer, 1 s between two requests, and 3 s in all,
its own work not counted; after three moments without an answer in time the line is left alone for 60 s. A line that
fails counts as one that does not answer. No thread, no print, no draw. Refused, by not serving it: a request of another
dialogue, an unexpected step, a line heard already; they are counted. A hook that fails is an answer with an error, and
the friend then closes. So is what the friend asked too late: it does not wait for what is lost.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import ValidationError

from bus.friend_turns import Turns
from schemas.base import Message
from schemas.friend import (
    MAX_ORIGIN_CHARS,
    MAX_TEXT_CHARS,
    DialogClose,
    DialogLimits,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    GenerateLine,
    LineGenerated,
    LineMeasures,
    LineObserved,
    ObserveLine,
    OriginTold,
    Pulse,
)
from schemas.ids import derived_id

FIRST_ANSWER_S: Final = 0.15
NEXT_ANSWER_S: Final = 1.0
BUDGET_S: Final = 3.0
ABSENT_S: Final = 60.0
MOST_MISSES: Final = 3
MOST_LATE: Final = 64
"""Late messages that are looked at before a moment."""
TOO_LATE: Final = "the host has gone on"

Generate = Callable[[str, float, float], object]
Observe = Callable[[str], object]
Measure = Callable[[str], LineMeasures]
"""How the host's field felt a line that it has just heard."""


class FriendLine(Protocol):
    """The way to a friend and back. Whatever either call raises counts as no answer."""

    def say(self, message: Message) -> None:
        """Send, without waiting."""

    def hear(self, timeout_s: float) -> Message | None:
        """The next message of the friend; None when none came in time."""


class Clock(Protocol):
    """What time is measured with."""

    def __call__(self) -> float:
        """Seconds since some moment; never goes back."""


@dataclass(slots=True)
class Health:
    """What the host can know of its friend."""

    offered: int = 0
    declined: int = 0
    held: int = 0
    """Dialogues that were closed in order."""
    missed: int = 0
    dropped: int = 0
    failed_hooks: int = 0
    fault: str | None = None
    """Why the line failed last; no text of a dialogue is in it."""
    misses_in_a_row: int = 0
    absent_until_s: float = 0.0


@dataclass(slots=True)
class _Talk:
    """One moment as it goes on."""

    generate: Generate
    observe: Observe
    now_s: float
    ctx_id: str
    deadline_s: float
    turns: Turns = field(default_factory=Turns)


class Shim:
    """Holds the dialogues of one host."""

    def __init__(self, origin: OriginTold, line: FriendLine, measure: Measure, clock: Clock) -> None:
        """`origin`: who the host is and what it calls its origin; told again whenever the friend does not know it."""
        self._origin = origin
        self._is_told = False
        self._is_behind = False
        """Whether the friend may still be at a moment that was left."""
        self._host_id = origin.host_id
        self._line = line
        self._measure = measure
        self._clock = clock
        self.health = Health()

    def greet(self) -> None:
        """Tell the origin without waiting, so that the way is open when the first moment comes."""
        try:
            self._line.say(self._origin)
            self._is_told = True
        except Exception as error:
            self.health.fault = f"{type(error).__name__}: {error}"

    def lead(self, ctx: object, generate: Generate, observe: Observe, now_s: float) -> None:
        """Offer a moment, and serve until the friend closes or is too slow. Fits `dream.attach`."""
        health = self.health
        if self._clock() < health.absent_until_s:
            return
        offer = self._offer(ctx, now_s)
        if offer is None:
            return
        health.offered += 1
        talk = _Talk(generate, observe, now_s, offer.ctx_id, self._clock() + BUDGET_S)
        if self._is_answered(offer, talk):
            health.misses_in_a_row = 0
            return
        self._is_behind = True
        health.missed += 1
        health.misses_in_a_row += 1
        if health.misses_in_a_row >= MOST_MISSES:
            health.misses_in_a_row, health.absent_until_s = 0, self._clock() + ABSENT_S

    def _is_answered(self, offer: FriendOffer, talk: _Talk) -> bool:
        """Whether the friend came to an end of the moment in time."""
        try:
            if not self._is_told:
                self._line.say(self._origin)
                self._is_told = True
            if self._is_behind:
                self._answer_late()
            self._line.say(offer)
            return self._serve(talk)
        except Exception as error:  # whatever is wrong with the way to the friend, the host goes on as without one
            self._is_told = False
            self.health.fault = f"{type(error).__name__}: {error}"
            return False

    def _answer_late(self) -> None:
        """Look at what came after the last moment was left."""
        for _ in range(MOST_LATE):
            message = self._line.hear(0.0)
            if message is None:
                return
            self._drop(message, None)

    def _drop(self, message: Message, open_dialog: str | None) -> None:
        """Do nothing of what `message` asks; the friend is told so when it asks in a dialogue that is not open."""
        self.health.dropped += 1
        if not isinstance(message, GenerateLine | ObserveLine) or message.dialog_id == open_dialog:
            return
        dialog_id, step = message.dialog_id, message.step
        if isinstance(message, GenerateLine):
            self._line.say(LineGenerated(dialog_id=dialog_id, step=step, text=None, error=TOO_LATE))
        else:
            self._line.say(LineObserved(dialog_id=dialog_id, step=step, now_s=0.0, measures=None))

    def _serve(self, talk: _Talk) -> bool:
        """Whether the friend came to an end of it in time."""
        patience_s = FIRST_ANSWER_S
        asked_s = self._clock()
        while True:
            left_s = min(talk.deadline_s, asked_s + patience_s) - self._clock()
            message = self._line.hear(left_s) if left_s > 0.0 else None
            if message is None:
                return False
            if isinstance(message, FriendDecline) and message.ctx_id == talk.ctx_id and talk.turns.dialog_id is None:
                self.health.declined += 1
                self._is_told = message.reason != "no_origin"
                self._is_behind = message.reason == "busy"
                return True
            if isinstance(message, DialogClose) and message.dialog_id == talk.turns.dialog_id:
                self.health.held += 1
                self._is_behind = False
                return True
            if self._answer(talk, message):
                patience_s, asked_s = NEXT_ANSWER_S, self._clock()

    def _answer(self, talk: _Talk, message: Message) -> bool:
        """Serve one request; whether it was one that is due."""
        match message:
            case FriendOpen(dialog_id=dialog_id) if message.ctx_id == talk.ctx_id and talk.turns.dialog_id is None:
                talk.turns.begin(dialog_id)
            case GenerateLine() if talk.turns.take(message):
                self._timed(talk, lambda: self._generated(talk, message))
            case ObserveLine() if talk.turns.take(message):
                self._timed(talk, lambda: self._observed(talk, message))
            case _:
                self._drop(message, talk.turns.dialog_id)
                return False
        return True

    def _timed(self, talk: _Talk, serve: Callable[[], Message]) -> None:
        """Answer; the host's own time does not count."""
        began_s = self._clock()
        answer = serve()
        talk.deadline_s += self._clock() - began_s
        self._line.say(answer)

    def _generated(self, talk: _Talk, request: GenerateLine) -> LineGenerated:
        text, error = None, None
        try:
            said = talk.generate(request.seed, request.temperature, request.semantic_weight)
            text = unicode_of(said)[:MAX_ORIGIN_CHARS] if isinstance(said, str) else None
            error = None if text is not None else f"the hook answered with {type(said).__name__}"
        except Exception as failure:
            error = f"the hook raised {type(failure).__name__}"
        self.health.failed_hooks += error is not None
        return LineGenerated(dialog_id=request.dialog_id, step=request.step, text=text, error=error)

    def _observed(self, talk: _Talk, request: ObserveLine) -> LineObserved:
        measures = None
        try:
            talk.observe(request.text)
            measures = self._measure(request.text)
        except Exception:
            self.health.failed_hooks += 1
        return LineObserved(dialog_id=request.dialog_id, step=request.step, now_s=talk.now_s, measures=measures)

    def _offer(self, ctx: object, now_s: float) -> FriendOffer | None:
        """The moment as a message; None for one that cannot be told."""
        prompt, reply = (unicode_of(getattr(ctx, name, ""))[:MAX_TEXT_CHARS] for name in ("prompt", "reply"))
        said = hashlib.sha256(f"{prompt}\0{reply}".encode()).hexdigest()
        bundle = getattr(ctx, "pulse", None)
        felt = {name: _felt(ctx, bundle, name) for name in ("novelty", "arousal", "entropy")}
        quality = getattr(ctx, "quality", None)
        themes = getattr(ctx, "themes", None) or ()
        try:
            return FriendOffer(
                ctx_id=derived_id(self._host_id, self.health.offered, repr(now_s), said),
                host_id=self._host_id,
                now_s=float(now_s),
                prompt=prompt,
                reply=reply,
                snapshots=(),
                pulse=Pulse(**felt),
                trauma=unit(getattr(ctx, "trauma_level", None)),
                themes=tuple(theme for theme in themes if isinstance(theme, int) and theme >= 0)[:64],
                expert=unicode_of(getattr(ctx, "expert", ""))[:64],
                quality=None if quality is None else unit(quality),
                limits=DialogLimits(lines=4, tokens=60, chars=400),
            )
        except (ValidationError, ValueError, TypeError):
            self.health.dropped += 1
            return None


def _felt(ctx: object, bundle: object, name: str) -> float:
    flat = getattr(ctx, f"pulse_{name}", None)
    return unit(getattr(bundle, name, None) if flat is None else flat)


def unicode_of(value: object) -> str:
    """`value` if it is a text, without lone surrogates; else nothing."""
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else ""


def unit(value: object) -> float:
    """`value` as a number in [0, 1]; 0 for what is none."""
    if not isinstance(value, int | float) or math.isnan(value):
        return 0.0
    return min(1.0, max(0.0, float(value)))
