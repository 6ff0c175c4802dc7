"""The field as a host of the friend: the same messages as a foreign host's, in the same order (schemas.friend).

In: what the user says, what the system reports, GenerateLine, ObserveLine, DialogClose. Out: an answer for the user,
OriginTold, FriendOffer, LineGenerated, LineObserved. A dialogue that comes to nothing is unheard. The user's text is
heard at full weight, the answer not at all; dreams never more than their share. Each line is drawn from a generator of
its own, so that the same line number says the same in a replay. Dropped and counted: a request of an unknown dialogue,
or of an unexpected step.
"""

from dataclasses import dataclass, field
from typing import Final

from actors.friend.field.measures import bits_of, novelty_of, pulse_of, quality_of
from actors.friend.field.memory import FieldMemory
from actors.friend.field.speaking import Speaker
from actors.friend.field.themes import Theme, active, themes_of
from actors.friend.field.trauma import Wound, kinship
from actors.friend.fragments import origin_words
from bus.friend_turns import Turns
from bus.randomness import RandomSource
from schemas.base import Message
from schemas.friend import (
    MAX_THEMES,
    DialogClose,
    DialogLimits,
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
from schemas.friend_settings import FriendSettings

HOST_ID: Final = "field"
INSTANCE: Final = ""
"""What stands for it where a foreign host has an instance name; no instance has this one."""
ANSWER_TEMPERATURE: Final = 0.8
ANSWER_SEMANTICS: Final = 0.4
ANSWER_TOKENS: Final = 40
THEMES_EVERY: Final = 32
"""Texts between two looks at the themes."""
RECENT_LINES: Final = 64
"""User lines over which the bits are compared,"""
LEAST_LINES: Final = 24
"""and how many it takes at least."""
HELD_OUT: Final = 0.3
"""Novelty under which a line retells what was heard, and foretelling it shows nothing."""


@dataclass(slots=True)
class FieldState:
    """What the host remembers beside its texts."""

    lines: int = 0
    """Lines ever spoken; the key of a line's draws."""
    offers: int = 0
    wound_level: float = 0.0
    wound_at_s: float = 0.0
    turns: Turns = field(default_factory=Turns)
    dropped: int = 0
    costs: list[tuple[float, float, int]] = field(default_factory=list)
    """Of each recent user line that was new: bits with the dreams, bits without, tokens."""
    themes: tuple[Theme, ...] = ()
    themes_at: int = -1


class FieldHost:
    """The port of the embedded field."""

    def __init__(
        self, origin: str, readme: tuple[str, ...], settings: FriendSettings, randomness: RandomSource
    ) -> None:
        self._told = OriginTold(host_id=HOST_ID, bootstrap=origin, readme=readme)
        self._origin = origin_words((origin,))
        self._settings = settings
        self._randomness = randomness
        self.memory = FieldMemory((origin,), settings)
        self.state = FieldState()

    @property
    def origin(self) -> OriginTold:
        """What the field calls its origin."""
        return self._told

    def say(self, text: str, now_s: float) -> tuple[str, FriendOffer]:
        """Answer the user, then hear what was said, and offer the moment to the friend."""
        memory = self.memory
        pulse = pulse_of(text, memory.whole)
        reply = self._line(text, ANSWER_TEMPERATURE, ANSWER_SEMANTICS, ANSWER_TOKENS)
        self._weigh(text)
        memory.hear(text, "user")
        self._touch(text, now_s, 1.0)
        return reply, self._offer((text, reply), pulse, now_s)

    def silence(self, now_s: float) -> FriendOffer:
        """A moment in which nobody says anything, for a dialogue that is tried."""
        return self._offer(("", ""), pulse_of("", self.memory.whole), now_s)

    def _offer(self, said: tuple[str, str], pulse: Pulse, now_s: float) -> FriendOffer:
        state, (text, reply) = self.state, said
        state.offers += 1
        return FriendOffer(
            ctx_id=self._randomness.identify("moment", state.offers, text.encode()),
            host_id=HOST_ID,
            now_s=now_s,
            prompt=text,
            reply=reply,
            snapshots=(),
            pulse=pulse,
            trauma=state.wound_level,
            themes=active(text, self.themes())[:MAX_THEMES],
            expert="wounded" if state.wound_level > self._settings.wounded_above else "field",
            quality=quality_of(reply, text, self.memory.whole),
            limits=DialogLimits(lines=4, tokens=self._settings.max_tokens, chars=self._settings.max_chars),
        )

    def listen(self, text: str) -> None:
        """Hear what the system reports."""
        self.memory.hear(text, "system")

    def hear(self, message: Message, now_s: float) -> tuple[Message, ...]:
        """Answer the friend."""
        state = self.state
        match message:
            case FriendOpen(dialog_id=dialog_id):
                state.turns.begin(dialog_id)
            case GenerateLine() if state.turns.take(message):
                return (self._generate(message),)
            case ObserveLine() if state.turns.take(message):
                return (self._observe(message, now_s),)
            case DialogClose() if message.dialog_id == state.turns.dialog_id:
                state.turns.end()
                if not message.is_kept:
                    self.memory.unhear(message.dialog_id)
            case GenerateLine() | ObserveLine() | DialogClose():
                state.dropped += 1
        return ()

    def themes(self) -> tuple[Theme, ...]:
        """The themes as of the last look."""
        state, look = self.state, self.memory.texts // THEMES_EVERY
        if look != state.themes_at:
            state.themes, state.themes_at = themes_of(self.memory.whole), look
        return state.themes

    def bits(self) -> tuple[float, float] | None:
        """Bits per token of recent user lines that were new: with the dreams, and without. None for a few lines."""
        if len(self.state.costs) < LEAST_LINES:
            return None
        count = sum(tokens for _, _, tokens in self.state.costs)
        whole, waking = (sum(cost[index] for cost in self.state.costs) / count for index in (0, 1))
        return float(whole), float(waking)

    def _generate(self, request: GenerateLine) -> LineGenerated:
        text = self._line(request.seed, request.temperature, request.semantic_weight, request.max_tokens)
        error = None if text else "the field has heard nothing yet"
        return LineGenerated(dialog_id=request.dialog_id, step=request.step, text=text or None, error=error)

    def _observe(self, request: ObserveLine, now_s: float) -> LineObserved:
        pulse = pulse_of(request.text, self.memory.whole)
        trauma = self._touch(request.text, now_s, self._settings.dream_weight)
        self.memory.hear(request.text, "dream", request.dialog_id)
        measures = LineMeasures(pulse=pulse, trauma=trauma, quality=quality_of(request.text, "", self.memory.whole))
        return LineObserved(dialog_id=request.dialog_id, step=request.step, now_s=now_s, measures=measures)

    def _line(self, seed: str, temperature: float, semantic_weight: float, max_tokens: int) -> str:
        self.state.lines += 1
        dice = self._randomness.at("field-line", self.state.lines)
        return Speaker(self.memory.whole, seed, temperature, semantic_weight, dice).speak(max_tokens)

    def _weigh(self, text: str) -> None:
        if novelty_of(text, self.memory.waking) < HELD_OUT:
            return
        bits, tokens = bits_of(text, self.memory.whole)
        waking, _ = bits_of(text, self.memory.waking)
        self.state.costs = [*self.state.costs, (bits, waking, tokens)][-RECENT_LINES:]

    def _touch(self, text: str, now_s: float, weight: float) -> float:
        """The trauma of `text`, which leaves its mark."""
        state = self.state
        wound = Wound(self._settings.trauma_half_life_s, state.wound_level, state.wound_at_s)
        trauma = wound.touch(kinship(text, self._origin), now_s, weight)
        state.wound_level, state.wound_at_s = wound.level, wound.at_s
        return trauma
