"""Does the hint reach the dreams? One seed of `supervisor experiment planted-hue`.

In: the resolved configuration and a seed. Out: `HueOutcome`. A scripted learner hides a hue; dreamer, pool-keeper and
bias-synthesizer are the real cores. Three arms differ in one thing each: `biased` is the loop as it is, in `unbiased`
no profile reaches the dreamer, in `shuffled` the feedback names the wrong dreams.

What is measured is the worth of what is dreamt, without the noise of the feedback: the mean over the dreams of the
last third of the time before the jump, whoever retrieves them. The hidden hues of successive seeds are golden angles
apart and so lie evenly round the circle: what the sources happen to prefer cancels over the seeds. Then, in the biased
arm, the hue jumps to its opposite. Recovery is the number of profile updates until the dreams of one update's time are
worth `RECOVERED` on average, which is what is asked of this arm before the jump; beside it stands the number until they
are worth `RETURNED` of what they were worth before, which asks of the opposite hue what the first one had.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, get_args

from bus.core import Actor
from bus.launch import ActorStart
from bus.memory import Said
from schemas.base import Colour
from schemas.bias import BiasProfile
from schemas.colour import hue_bin
from schemas.dreams import DreamEntry
from schemas.roles import Role
from supervisor.configuration import Configuration
from supervisor.errors import SupervisorError
from supervisor.experiments.company import Change, Stage, staged
from supervisor.experiments.scripted_learner import ScriptedLearner, hue_utility
from supervisor.experiments.stand_ins import shuffled, unheard

Arm = Literal["biased", "unbiased", "shuffled"]
ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
RECOVERED: Final = 0.35
"""Mean worth."""
RETURNED: Final = 0.8
"""Share of the mean worth before the jump."""
GOLDEN_ANGLE: Final = 137.50776405003785
"""Degrees."""


class NothingDreamtError(SupervisorError):
    """An arm has no dreams that could be judged."""


@dataclass(frozen=True)
class Span:
    """Virtual time before and after the jump, seconds."""

    main_s: float = 300.0
    """24 profile updates at the default settings."""
    jump_s: float = 150.0
    """12 updates."""


FULL: Final = Span()


@dataclass(frozen=True)
class ArmOutcome:
    """What one arm dreamt in the last third."""

    mean_utility_last_third: float
    coverage_last_third: float
    """Share of the hue bins, and the bin of greys, that at least one dream fell into."""
    dreams: int
    profiles: int


@dataclass(frozen=True)
class HueOutcome:
    """One seed."""

    seed: int
    hidden_hue: float
    arms: dict[Arm, ArmOutcome]
    recovery_updates: int | None
    """Until the dreams are worth `RECOVERED`; None when they are not in time."""
    return_updates: int | None
    """Until the dreams are worth `RETURNED` of what they were worth before."""
    utility_by_update: tuple[float, ...]
    """After the jump: mean worth of the dreams between two profiles, from the jump on."""


def hidden_hue_of(seed: int) -> float:
    """The hue that the learner of `seed` hides, degrees."""
    return seed * GOLDEN_ANGLE % 360.0


def planted_hue(configuration: Configuration, seed: int, span: Span = FULL) -> HueOutcome:
    """All arms of one seed."""
    hue = hidden_hue_of(seed)
    arms: dict[Arm, ArmOutcome] = {}
    for arm in ARMS:
        with staged(configuration, seed, _changes(arm, hue)) as stage:
            arms[arm] = _main(stage, hue, span.main_s, configuration.settings.bias.chroma_bins)
            if arm == "biased":
                by_update = _after_jump(stage, hue, span.jump_s)
    former = RETURNED * arms["biased"].mean_utility_last_third
    return HueOutcome(seed, hue, arms, _first(by_update, RECOVERED), _first(by_update, former), by_update)


def _changes(arm: Arm, hue: float) -> Mapping[Role, Change]:
    def scripted(start: ActorStart, _: Actor) -> Actor:
        randomness = start.randomness()
        actor = Actor(ScriptedLearner(hue, start.settings, randomness), randomness)
        return shuffled(start, actor) if arm == "shuffled" else actor

    return {"learner": scripted, "bias-synthesizer": unheard} if arm == "unbiased" else {"learner": scripted}


def _main(stage: Stage, hue: float, main_s: float, chroma_bins: int) -> ArmOutcome:
    said = stage.run(main_s * 2.0 / 3.0)
    profiles = _profiles(said)
    last = stage.run(main_s / 3.0)
    colours = _dreamt(last)
    if not colours:
        raise NothingDreamtError(f"{main_s / 3.0:g} s of virtual time brought no dream; raise dreamer.rate_hz")
    seen = {hue_bin(colour, chroma_bins) for colour in colours}
    return ArmOutcome(
        mean_utility_last_third=fmean(hue_utility(colour, hue) for colour in colours),
        coverage_last_third=len(seen) / (chroma_bins + 1),
        dreams=len(colours),
        profiles=profiles + _profiles(last),
    )


def _after_jump(stage: Stage, hue: float, jump_s: float) -> tuple[float, ...]:
    opposite = (hue + 180.0) % 360.0
    learner = stage.actors["learner"].core
    assert isinstance(learner, ScriptedLearner)  # noqa: S101 - `_changes` has just put it there
    learner.move_to(opposite)
    spans: list[list[float]] = [[]]
    for said in stage.run(jump_s):
        match said.message:
            case BiasProfile() if said.receiver == "pool-keeper":
                spans.append([])
            case DreamEntry() as dream:
                spans[-1].append(hue_utility(dream.chroma_signature, opposite))
    return tuple(fmean(span) for span in spans[:-1] if span)


def _first(by_update: Iterable[float], level: float) -> int | None:
    """The first update whose dreams are worth `level`; 0 is the time before the first one after the jump."""
    return next((update for update, worth in enumerate(by_update) if worth >= level), None)


def _dreamt(said: Iterable[Said]) -> list[Colour]:
    return [line.message.chroma_signature for line in said if isinstance(line.message, DreamEntry)]


def _profiles(said: Iterable[Said]) -> int:
    return sum(isinstance(line.message, BiasProfile) and line.receiver == "pool-keeper" for line in said)
