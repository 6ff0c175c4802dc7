"""One dialogue as a state machine: leo begins, they speak by turns, each line is heard before the next is asked for.

In: the offer that it began with, LineGenerated, LineObserved, or the news that an answer is late. Out: the next
GenerateLine or ObserveLine, or the end and why. Three lines or more are a whole dialogue, fewer are none (seed 001,
section 5.4). Refused: an answer to a step or a phase that is not the open one; the dialogue waits on. A line is cleaned
and clamped before anyone hears it; one without a word, or an error, ends the dialogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.friend.fragments import SpokenLine
from actors.friend.redaction import redact
from actors.friend.speaking import first_seed, manner_of, next_seed
from actors.friend.words import clamp, clean
from schemas.friend import (
    CloseReason,
    DialogClose,
    FriendOffer,
    Gate,
    GenerateLine,
    LineGenerated,
    LineMeasures,
    LineObserved,
    ObserveLine,
    Speaker,
)
from schemas.friend_settings import FriendSettings
from schemas.persona import DialogFacts, DialogTurn

LEAST_LINES: Final = 3
MOST_LINES: Final = 4
SPEAKERS: Final[tuple[Speaker, Speaker]] = ("leo", "friend")


class Admission(NamedTuple):
    """Why a dialogue runs."""

    gates: tuple[Gate, ...]
    dice: float


@dataclass(slots=True)
class Dialogue:
    """An open dialogue."""

    dialog_id: str
    instance: str
    """Who made the offer; the only one whose answers count."""
    offer: FriendOffer
    admission: Admission
    prefix: tuple[str, ...]
    """What of the persona speaks in it."""
    wanted: int
    """Lines that it is to have."""
    now_s: float
    lines: list[SpokenLine] = field(default_factory=list)
    trial: str | None = None
    """`try_id` of one that is only tried; nothing of it is kept."""
    pending: str | None = None
    """The line that is being observed; None while one is being generated."""

    @property
    def step(self) -> int:
        """The number of the open line."""
        return len(self.lines)

    @property
    def is_whole(self) -> bool:
        """Whether its lines are a dialogue."""
        return len(self.lines) >= LEAST_LINES


Next = GenerateLine | ObserveLine | DialogClose


def lines_wanted(draw: float, most: int) -> int:
    """Three or four, by `draw` in [0, 1), and never more than `most`."""
    return min(most, LEAST_LINES + int(draw * (MOST_LINES - LEAST_LINES + 1)))


def ask(dialogue: Dialogue, settings: FriendSettings) -> GenerateLine:
    """The request of the line that is open."""
    offer, lines = dialogue.offer, dialogue.lines
    speaker = SPEAKERS[dialogue.step % 2]
    felt = lines[-1].measures if lines else LineMeasures(pulse=offer.pulse, trauma=offer.trauma, quality=offer.quality)
    manner = manner_of(speaker, felt, settings)
    return GenerateLine(
        dialog_id=dialogue.dialog_id,
        step=dialogue.step,
        speaker=speaker,
        seed=next_seed(lines, dialogue.prefix) if lines else first_seed(offer, dialogue.prefix),
        temperature=manner.temperature,
        semantic_weight=manner.semantic_weight,
        max_tokens=min(settings.max_tokens, offer.limits.tokens),
        expert_bias=manner.expert_bias,
    )


def is_expected(dialogue: Dialogue, answer: LineGenerated | LineObserved) -> bool:
    """Whether `answer` is to the open request."""
    is_phase = isinstance(answer, LineGenerated) == (dialogue.pending is None)
    return answer.dialog_id == dialogue.dialog_id and answer.step == dialogue.step and is_phase


def hear_line(dialogue: Dialogue, answer: LineGenerated, settings: FriendSettings) -> Next:
    """What follows from a generated line."""
    line = None if answer.text is None else clean(answer.text)
    limits = dialogue.offer.limits
    if line is not None:
        line = clean(clamp(line, min(settings.max_tokens, limits.tokens), min(settings.max_chars, limits.chars)))
    if line is None:
        return close(dialogue, "generate_failed")
    dialogue.pending = line
    return ObserveLine(
        dialog_id=dialogue.dialog_id,
        step=dialogue.step,
        speaker=SPEAKERS[dialogue.step % 2],
        source="dream",
        text=line,
    )


def hear_measures(dialogue: Dialogue, answer: LineObserved, settings: FriendSettings) -> Next:
    """What follows from an observed line."""
    if answer.measures is None or dialogue.pending is None:
        return close(dialogue, "observe_failed")
    dialogue.lines.append(SpokenLine(SPEAKERS[dialogue.step % 2], dialogue.pending, answer.measures))
    dialogue.pending = None
    dialogue.now_s = max(dialogue.now_s, answer.now_s)
    if dialogue.step >= dialogue.wanted:
        return close(dialogue, "done")
    return ask(dialogue, settings)


def close(dialogue: Dialogue, reason: CloseReason) -> DialogClose:
    """The end of it."""
    is_kept = dialogue.is_whole and dialogue.trial is None and reason not in ("restarted", "no_state")
    return DialogClose(dialog_id=dialogue.dialog_id, turns=dialogue.step, reason=reason, is_kept=is_kept)


def kept_turns(lines: Sequence[SpokenLine]) -> tuple[DialogTurn, ...]:
    """The lines as they are stored: redacted, with what was measured."""
    return tuple(
        DialogTurn(
            speaker=line.speaker,
            text=redact(line.text),
            trauma_level=line.measures.trauma,
            pulse_novelty=line.measures.pulse.novelty,
            pulse_arousal=line.measures.pulse.arousal,
            pulse_entropy=line.measures.pulse.entropy,
        )
        for line in lines
    )


def facts_of(dialogue: Dialogue, reason: CloseReason, settings: FriendSettings) -> DialogFacts:
    """Why, when and how the dialogue ran."""
    measures = [line.measures for line in dialogue.lines]
    return DialogFacts(
        ctx_id=dialogue.offer.ctx_id,
        started_s=dialogue.offer.now_s,
        finished_s=dialogue.now_s,
        gates=dialogue.admission.gates,
        dice=dialogue.admission.dice,
        probability=settings.probability,
        avg_trauma=_mean([each.trauma for each in measures]),
        avg_arousal=_mean([each.pulse.arousal for each in measures]),
        note=f"{reason} after {dialogue.step} of {dialogue.wanted} lines, expert {dialogue.offer.expert}"[:256],
    )


def redacted(lines: Sequence[SpokenLine]) -> list[SpokenLine]:
    """The lines as they may be adopted."""
    return [SpokenLine(line.speaker, redact(line.text), line.measures) for line in lines]


def _mean(values: Sequence[float]) -> float:
    return min(1.0, sum(values) / len(values)) if values else 0.0
