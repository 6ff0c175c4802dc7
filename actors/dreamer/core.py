"""The dreamer decides: one episode at a time, guided by the profile in force alone (seed 000, sections 2 and 6.4).

In: `Started`, the timer "episode", and BiasProfile, the only message that a dreamer hears. Out: a DreamEntry for
every dream whose coherence reaches the gate, and the next timer. A profile takes effect at the next episode, which
names it in its metadata. Refuses every other message, every observation and every other timer; it learns nothing and
keeps no weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

from actors.dreamer.episode import Episodes
from actors.dreamer.finalize import Episode, RunFacts, finalize_episode, recipe_of
from actors.dreamer.guidance import SOURCES, plan_episode, usable_exemplars
from actors.dreamer.lineage import Memory, Plan, Recipe
from actors.dreamer.measures import Planar, calibrated_gate, is_accepted
from bus.core import Fired, Input, Note, Outcome, Received, Scalar, Send, SetTimer, Started
from bus.randomness import RandomSource
from schemas.bias import BiasProfile
from schemas.dreams import Source
from schemas.tensor import encode

TIMER: Final = "episode"
SNAPSHOT_VERSION: Final = 1


def _zeros() -> dict[Source, int]:
    return dict.fromkeys(SOURCES, 0)


@dataclass(slots=True)
class DreamerState:
    """All that a dreamer carries from one input to the next."""

    memory: Memory
    episodes: int = 0
    """Episodes finished, which is the number of the next one."""
    gate: float | None = None
    """Least coherence of an emitted dream; None before it is measured."""
    profile: BiasProfile | None = None
    profiles_received: int = 0
    profiles_applied: int = 0
    """Profiles that shaped at least one emitted dream."""
    is_profile_applied: bool = False
    accepted: dict[Source, int] = field(default_factory=_zeros)
    rejected: dict[Source, int] = field(default_factory=_zeros)


class DreamerCore:
    """The state machine of a dreamer.

    `making_again` is a second source of the same seat: it re-makes remembered dreams, so that the journalled digest of
    `randomness` does not depend on which tensors happened to be at hand.
    """

    def __init__(self, run: RunFacts, randomness: RandomSource, making_again: RandomSource) -> None:
        self._run = run
        self._randomness = randomness
        self._making_again = making_again
        self._episodes = Episodes(run.settings.tensor, run.settings.dreamer, run.inputs)
        self._state = DreamerState(memory=Memory(run.settings.dreamer.memory_dreams))

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input; see the module."""
        match event:
            case Started():
                return self._start()
            case Fired(name=name) if name == TIMER:
                return self._dream(now_ns)
            case Received(message=BiasProfile() as profile):
                return self._hear(profile)
            case Received(ref=ref, message=message):
                return Outcome(refusal=f"{message.kind} from {ref.sender}: a dreamer hears BiasProfile alone")
            case Fired(name=name):
                return Outcome(refusal=f"timer {name!r} is unknown; a dreamer sets {TIMER!r} alone")
            case _:
                return Outcome(refusal=f"observation {event.name!r}: a dreamer observes nothing")

    def snapshot(self) -> bytes:
        """The whole state as msgpack."""
        state = self._state
        packed: bytes = msgpack.packb(
            [
                SNAPSHOT_VERSION,
                state.episodes,
                state.gate,
                None if state.profile is None else state.profile.model_dump_json(),
                [state.profiles_received, state.profiles_applied, state.is_profile_applied],
                [state.accepted[source] for source in SOURCES],
                [state.rejected[source] for source in SOURCES],
                state.memory.pack(),
            ]
        )
        return packed

    def restore(self, data: bytes) -> None:
        """Take over a snapshot; raises ValueError for one of another version."""
        version, episodes, gate, profile, profiles, accepted, rejected, memory = _unpacked(data)
        if version != SNAPSHOT_VERSION:
            raise ValueError(f"dreamer snapshot has version {version}, {SNAPSHOT_VERSION} is readable")
        state = DreamerState(memory=Memory(self._run.settings.dreamer.memory_dreams))
        state.memory.unpack(memory)
        state.episodes, state.gate = episodes, gate
        state.profile = None if profile is None else BiasProfile.model_validate_json(profile)
        state.profiles_received, state.profiles_applied, state.is_profile_applied = profiles
        state.accepted = dict(zip(SOURCES, accepted, strict=True))
        state.rejected = dict(zip(SOURCES, rejected, strict=True))
        self._state = state
        self._episodes.forget_tensors()

    def figures(self) -> Mapping[str, Scalar]:
        """Episodes, dreams accepted and rejected by source, the gate, profiles heard and applied."""
        state = self._state
        figures: dict[str, Scalar] = {"episodes": state.episodes, "gate": state.gate}
        for source in SOURCES:
            accepted, rejected = state.accepted[source], state.rejected[source]
            figures[f"accepted.{source}"] = accepted
            figures[f"rejected.{source}"] = rejected
            figures[f"acceptance.{source}"] = accepted / (accepted + rejected) if accepted + rejected else None
        figures["remembered"] = len(state.memory)
        figures["profiles_received"] = state.profiles_received
        figures["profiles_applied"] = state.profiles_applied
        figures["profile_id"] = None if state.profile is None else state.profile.profile_id
        return figures

    def _start(self) -> Outcome:
        outcome = Outcome(timers=[SetTimer(TIMER, 0.0)])
        if self._state.gate is None:
            threshold, tensor = self._run.settings.pool.coherence_threshold, self._run.settings.tensor
            if threshold == "calibrated":
                shape = (tensor.rows, tensor.cols, tensor.layers)
                threshold = calibrated_gate(self._episodes.meter, shape)
            self._state.gate = threshold
            outcome.notes.append(Note("info", f"coherence gate {threshold:.4f} for {self._run.settings.tensor}"))
        return outcome

    def _hear(self, profile: BiasProfile) -> Outcome:
        state = self._state
        if state.profile is None or profile.profile_id != state.profile.profile_id:
            state.is_profile_applied = False
        state.profile = profile
        state.profiles_received += 1
        state.memory.name([exemplar.dream_id for exemplar in profile.exemplars])
        return Outcome(notes=[Note("info", f"profile {profile.profile_id} guides from episode {state.episodes} on")])

    def _dream(self, now_ns: int) -> Outcome:
        state, rate_hz = self._state, self._run.settings.dreamer.rate_hz
        outcome = Outcome(timers=[SetTimer(TIMER, 1.0 / rate_hz if rate_hz > 0.0 else 0.0)])
        if state.gate is None:
            outcome.refusal = "an episode before the start: the gate is not measured"
            return outcome
        plan, parents = self._plan(outcome)
        grown = self._episodes.grow(plan, parents, self._randomness)
        profile_id = None if state.profile is None else state.profile.profile_id
        recipes = tuple(recipe for recipe, _ in parents)
        measures = self._episodes.meter.measure(grown.tensor)
        episode = Episode(plan, grown, measures, profile_id, state.gate, recipes)
        state.episodes += 1
        if is_accepted(measures.coherence, state.gate):
            self._emit(episode, now_ns, outcome)
        else:
            state.rejected[plan.source] += 1
            reason = f"coherence {measures.coherence:.4f} is under the gate {state.gate:.4f}"
            outcome.notes.append(Note("debug", f"episode {plan.episode} ({plan.source}) rejected: {reason}"))
        return outcome

    def _plan(self, outcome: Outcome) -> tuple[Plan, list[tuple[Recipe, Planar]]]:
        """The plan of the next episode and its parents; an exemplar that cannot be made as it was is forgotten."""
        state, settings = self._state, self._run.settings.dreamer
        while True:
            exemplars = usable_exemplars(state.profile, state.memory, settings.max_generation)
            rng = self._randomness.at("plan", state.episodes)
            plan = plan_episode(state.episodes, state.profile, exemplars, self._episodes.seeding.servable, rng)
            parents = [self._parent(episode) for episode in plan.parents]
            made = [(recipe, tensor) for recipe, tensor in parents if tensor is not None]
            if len(made) == len(parents):
                return plan, made
            for recipe, tensor in parents:
                if tensor is None:
                    state.memory.forget(recipe.dream_id)
                    outcome.notes.append(Note("warning", f"dream {recipe.dream_id} cannot be made again; forgotten"))

    def _parent(self, episode: int) -> tuple[Recipe, Planar | None]:
        memory = self._state.memory
        return memory.recipe(episode), self._episodes.make_again(episode, memory, self._making_again)

    def _emit(self, episode: Episode, now_ns: int, outcome: Outcome) -> None:
        state = self._state
        blob, sha256 = encode(self._episodes.packed(episode.grown.tensor))
        dream_id = self._randomness.identify("dream", episode.plan.episode, sha256)
        recipe = recipe_of(episode, dream_id)
        outcome.sends.append(Send(finalize_episode(episode, recipe, self._run, blob, sha256, now_ns)))
        state.memory.remember(recipe)
        state.accepted[episode.plan.source] += 1
        if state.profile is not None and not state.is_profile_applied:
            state.is_profile_applied = True
            state.profiles_applied += 1


def _unpacked(data: bytes) -> list[Any]:
    unpacked: list[Any] = msgpack.unpackb(data)
    return unpacked
