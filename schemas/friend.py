"""The dialogue of the imaginary friend with a field host (seed 001, sections 5 to 7).

In: python values. Out: immutable messages. A host is anything with a field that speaks and listens: the field inside
the friend's own process, or a foreign program behind a shim. Refused: text beyond its limits, text that is no Unicode
(a lone surrogate), and numbers that are not finite.

The exchange, in order. Every message of a dialogue names `dialog_id` and `step`; step N is line N, counted from 0.

    host -> friend   OriginTold            once, and again whenever the friend declines with `no_origin`
    host -> friend   FriendOffer           after each reply that a user saw
    friend -> host   FriendDecline         the end of it; or
    friend -> host   FriendOpen            then, for each of 3 to 4 lines, leo first, by turns:
    friend -> host     GenerateLine        the host speaks from its own field
    host -> friend     LineGenerated       a text, or an error
    friend -> host     ObserveLine         the host listens to that text, marked as a dream
    host -> friend     LineObserved        what the host measured
    friend -> host   DialogClose           always the last message of an open dialogue

Rules of the host. It serves GenerateLine and ObserveLine in its own thread, when it sees fit: inline, or later. It
drops and counts what has an unknown `dialog_id` or an unexpected `step`, and observes at most once per (dialog_id,
step). It waits 150 ms for the first answer, 1 s between two requests and 3 s in all, not counting its own work; after
three misses it leaves the friend alone for 60 s. A closed dialogue with `is_kept` false left no trace in the pool.
Rules of the friend. One dialogue per `host_id` at a time; an answer counts only from the instance that made the offer.
It waits 5 s for each answer, then closes. A failure before the third line keeps nothing; after it, the lines so far
are a whole dialogue. Time enters by `now_s` of the host alone; every draw is keyed by `host_id` and `ctx_id`.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Count, Message, Record, Unit
from schemas.ids import UuidText

MAX_LINES = 8
MAX_TEXT_CHARS = 8192
MAX_SEED_CHARS = 16_384
MAX_ORIGIN_CHARS = 262_144
MAX_LINE_CHARS = 1024
MAX_THEMES = 64
MAX_ANSWERS = 16
ANSWERS_PATH = "data/friend_answers.json"

Speaker = Literal["leo", "friend"]
Gate = Literal["trauma", "novelty", "quality"]
DeclineReason = Literal["cooldown", "gate", "dice", "busy", "disabled", "no_state", "no_origin", "quiet_hours"]
CloseReason = Literal["done", "generate_failed", "observe_failed", "late", "restarted", "no_state"]

HostId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""One persona per host; the host keeps it for as long as it lives, whatever instance it runs as."""
Seconds = Annotated[float, Field(ge=0.0, le=1e11)]
"""Of the host's clock, since the Unix epoch."""
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
LineText = Annotated[str, Field(min_length=1, max_length=MAX_LINE_CHARS)]
ExpertName = Annotated[str, Field(max_length=64)]


class Pulse(Record):
    """How a text felt to a field."""

    novelty: Unit
    arousal: Unit
    entropy: Unit


class DialogLimits(Record):
    """What a host grants a dialogue."""

    lines: Annotated[int, Field(ge=3, le=MAX_LINES)]
    """Most lines."""
    tokens: Annotated[int, Field(ge=4, le=60)]
    """Most tokens of a line: words, and single punctuation marks."""
    chars: Annotated[int, Field(ge=16, le=MAX_LINE_CHARS)]
    """Most characters of a line."""


class OriginTold(Message):
    """What a host calls its origin. field host -> friend."""

    is_private: ClassVar[bool] = True
    host_id: HostId
    bootstrap: Annotated[str, Field(max_length=MAX_ORIGIN_CHARS)]
    readme: Annotated[tuple[Text, ...], Field(max_length=16)]


class FriendOffer(Message):
    """A moment at which a dialogue may begin. field host -> friend."""

    is_private: ClassVar[bool] = True
    ctx_id: UuidText
    host_id: HostId
    now_s: Seconds
    prompt: Text
    """What the user said last."""
    reply: Text
    """What the user was shown."""
    snapshots: Annotated[tuple[Text, ...], Field(max_length=2)]
    """Recent moments that the host recalls, strongest first."""
    pulse: Pulse
    trauma: Unit
    themes: Annotated[tuple[Count, ...], Field(max_length=MAX_THEMES)]
    """Themes that are active."""
    expert: ExpertName
    quality: Unit | None
    """Predicted quality of the reply; None where the host has none, and then that gate stays closed."""
    limits: DialogLimits


class FriendDecline(Message):
    """No dialogue now, and why. friend -> field host."""

    ctx_id: UuidText
    reason: DeclineReason


class FriendOpen(Message):
    """A dialogue begins. friend -> field host."""

    ctx_id: UuidText
    dialog_id: UuidText


class GenerateLine(Message):
    """Say something from this seed. friend -> field host."""

    is_private: ClassVar[bool] = True
    dialog_id: UuidText
    step: Count
    speaker: Speaker
    seed: Annotated[str, Field(max_length=MAX_SEED_CHARS)]
    temperature: Annotated[float, Field(ge=0.1, le=2.0)]
    semantic_weight: Unit
    max_tokens: Annotated[int, Field(ge=4, le=60)]
    expert_bias: Literal["wounded"] | None


class LineGenerated(Message):
    """What the field said, or why it said nothing. field host -> friend."""

    is_private: ClassVar[bool] = True
    dialog_id: UuidText
    step: Count
    text: Annotated[str, Field(max_length=MAX_ORIGIN_CHARS)] | None
    error: Annotated[str, Field(max_length=256)] | None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.text is None) == (self.error is None):
            raise ValueError("a line has either a text or an error")
        return self


class ObserveLine(Message):
    """Listen to this line; it is a dream, not a user's turn. friend -> field host."""

    is_private: ClassVar[bool] = True
    dialog_id: UuidText
    step: Count
    speaker: Speaker
    source: Literal["dream"]
    text: LineText


class LineMeasures(Record):
    """What a host measured of an observed line."""

    pulse: Pulse
    trauma: Unit
    quality: Unit | None


class LineObserved(Message):
    """The field has heard the line; `measures` is None when it could not. field host -> friend."""

    dialog_id: UuidText
    step: Count
    now_s: Seconds
    measures: LineMeasures | None


class DialogClose(Message):
    """The dialogue is over. friend -> field host."""

    dialog_id: UuidText
    turns: Count
    """Lines that were observed."""
    reason: CloseReason
    is_kept: bool
    """Whether the lines go into the pool; a host that can unhear lines does so when not."""


class SayLine(Message):
    """What the user says to the field inside the friend. supervisor -> friend."""

    is_private: ClassVar[bool] = True
    say_id: UuidText
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]


class Answer(Record):
    """What the user is told about one thing that was asked; of a dialogue there is nothing in it."""

    asked: UuidText
    """`say_id`, or whatever the question is named by."""
    text: Text


class Answers(Record):
    """The file `ANSWERS_PATH`: the last answers to the user, newest last. Nobody but the user may read it."""

    answers: Annotated[tuple[Answer, ...], Field(max_length=MAX_ANSWERS)]

    def to(self, asked: str) -> str | None:
        """The answer to one question; None while there is none."""
        return next((answer.text for answer in self.answers if answer.asked == asked), None)


class TryDialog(Message):
    """Hold a dialogue at this host's next moment whatever gates, dice and cool-down say, keep nothing of it, and tell
    how it went. supervisor -> friend."""

    try_id: UuidText
    host_id: HostId


class DialogTried(Record):
    """How a tried dialogue went; nothing of it was kept. The text of the answer to TryDialog, as JSON."""

    host_id: HostId
    turns: Count
    """Lines that the host said and heard."""
    reason: CloseReason | DeclineReason | Literal["no_offer", "unknown_host"]
    """`done` when all was well; `no_offer` when the host offered no moment in time."""


class PauseFriend(Message):
    """Begin no dialogue with this host until told otherwise. supervisor -> friend."""

    host_id: HostId
    is_paused: bool


class ForgetDialog(Message):
    """Remove all that a dialogue left, in the persona and in a field that can unhear. supervisor -> friend."""

    host_id: HostId
    dialog_id: UuidText
