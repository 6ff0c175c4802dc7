"""When a hint is made, and who hears it (seed 000, section 6; design, 5.10).

In: FeedbackStored, and once, when a run begins, the profile file of the run before as the observation
`previous_profile`. Out: BiasProfile to the dreamer and the pool-keeper, and the two JSON files. The first profile is
made when `bias.min_feedback` records were seen, each further one `bias.update_interval_steps` records later; a batch
is taken whole, so a profile can rest on some more. A profile of an earlier run is sent again under a new id, so that
guidance survives a stop; it then is the profile that the cap of the first update refers to. It refuses a file that
is no profile, and goes on without.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgpack

from actors.bias_synthesizer.explanation import (
    EXPLANATION_PATH,
    PROFILE_PATH,
    Document,
    ProfileRefusedError,
    carried,
    explain,
    explain_carried,
    numbers_of,
    parse_profile,
    profile_document,
    profile_of,
    to_json,
)
from actors.bias_synthesizer.learners import MOST_LEARNERS, Learners
from actors.bias_synthesizer.synthesis import synthesize
from bus.core import Fired, Input, Note, Observed, Outcome, Received, Scalar, Send, Started, WriteFile
from bus.randomness import RandomSource
from schemas.bias import BiasProfile
from schemas.feedback import FeedbackStored
from schemas.settings import EngineSettings

PREVIOUS_PROFILE: Final = "previous_profile"


@dataclass(slots=True)
class SynthesizerState:
    """Everything that the synthesizer remembers."""

    learners: Learners
    feedback_seen: int = 0
    since_profile: int = 0
    """Records since the last synthesized profile."""
    profiles: int = 0
    """Profiles sent in this run."""
    is_first_made: bool = False
    """Whether feedback of this run has led to a profile."""
    last: BiasProfile | None = None


class BiasSynthesizerCore:
    """The state machine of the bias-synthesizer."""

    def __init__(self, settings: EngineSettings, randomness: RandomSource, residents: Collection[str] = ()) -> None:
        """`residents`: the learners of the run itself; all others are guests."""
        self._settings = settings.bias
        self._randomness = randomness
        self._state = SynthesizerState(Learners(settings.bias, residents))

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input."""
        outcome = Outcome()
        match event:
            case Started():
                pass
            case Observed(name=name, data=data) if name == PREVIOUS_PROFILE:
                self._carry_over(data, now_ns, outcome)
            case Received(message=FeedbackStored() as stored):
                self._take(stored, now_ns, outcome)
            case Received(message=message):
                outcome.refusal = f"{message.kind} is nothing that a bias-synthesizer receives"
            case Observed(name=name) | Fired(name=name):
                outcome.refusal = f"{name} is nothing that a bias-synthesizer waits for"
        return outcome

    def snapshot(self) -> bytes:
        """The state as canonical msgpack bytes."""
        state = self._state
        last = to_json(profile_document(state.last)) if state.last else None
        counts = (state.feedback_seen, state.since_profile, state.profiles, state.is_first_made)
        packed: bytes = msgpack.packb((counts, last, state.learners.to_plain()))
        return packed

    def restore(self, data: bytes) -> None:
        """Take over a snapshot."""
        (seen, since, profiles, is_first_made), last, windows = msgpack.unpackb(data, use_list=False)
        state = self._state
        state.feedback_seen, state.since_profile, state.profiles, state.is_first_made = (
            seen,
            since,
            profiles,
            is_first_made,
        )
        state.last = parse_profile(last) if last else None
        state.learners.take_plain(windows)

    def figures(self) -> Mapping[str, Scalar]:
        """Counts, and the last profile in short."""
        state, last = self._state, self._state.last
        return {
            "profiles": state.profiles,
            "feedback_seen": state.feedback_seen,
            "feedback_window": state.learners.records,
            "bins_high": sum(entry.weight > 0.0 for entry in last.bins) if last else 0,
            "window_low": last.entropy_window[0] if last else None,
            "window_high": last.entropy_window[1] if last else None,
            "concentration": last.hue_concentration if last else None,
            "profile_id": last.profile_id if last else None,
            **self._influences(),
        }

    def _influences(self) -> dict[str, Scalar]:
        """The share of each guest in what the next profile rests on."""
        learners = self._state.learners
        return {
            f"influence.{name.replace('-', '_')}": float(standing.share)
            for name, standing in learners.standings().items()
            if name not in learners.residents
        }

    def _carry_over(self, data: bytes, now_ns: int, outcome: Outcome) -> None:
        try:
            previous = parse_profile(data)
        except ProfileRefusedError as error:
            outcome.refusal = f"{PROFILE_PATH} of an earlier run: {error}"
            outcome.notes.append(Note("warning", f"{outcome.refusal}; the run begins without a profile"))
            return
        numbers = carried(numbers_of(previous), previous.chroma_bins, self._settings)
        profile = profile_of(numbers, self._settings.chroma_bins, self._next_id(), now_ns)
        self._send(profile, explain_carried(previous, profile, self._settings), outcome)
        outcome.notes.append(Note("info", f"profile {previous.profile_id} of an earlier run is in use again"))

    def _take(self, stored: FeedbackStored, now_ns: int, outcome: Outcome) -> None:
        state, settings = self._state, self._settings
        if not state.learners.add(stored.learner, stored.records):
            outcome.refusal = f"{stored.learner} is one learner too many: {MOST_LEARNERS} are heard"
            return
        state.feedback_seen += len(stored.records)
        state.since_profile += len(stored.records)
        due = settings.update_interval_steps if state.is_first_made else settings.min_feedback
        if state.since_profile < due:
            return
        state.since_profile = 0
        state.is_first_made = True
        standings = state.learners.standings()
        dreams = state.learners.dreams(standings)
        wanted, numbers = synthesize(dreams, numbers_of(state.last) if state.last else None, settings)
        profile = profile_of(numbers, settings.chroma_bins, self._next_id(), now_ns)
        explanation = explain(dreams, state.last, wanted, profile, settings, standings)
        self._send(profile, explanation, outcome)
        outcome.notes.append(Note("info", _in_words(profile, len(dreams))))

    def _next_id(self) -> str:
        return self._randomness.identify("profile", self._state.profiles + 1)

    def _send(self, profile: BiasProfile, explanation: Document, outcome: Outcome) -> None:
        self._state.last = profile
        self._state.profiles += 1
        outcome.sends.append(Send(profile))
        outcome.effects.append(WriteFile(PROFILE_PATH, to_json(profile_document(profile))))
        outcome.effects.append(WriteFile(EXPLANATION_PATH, to_json(explanation)))


def _in_words(profile: BiasProfile, dreams: int) -> str:
    colour = ", ".join(f"{component:.2f}" for component in profile.chroma_prior)
    low, high = profile.entropy_window
    return (
        f"profile {profile.profile_id} from {profile.feedback_total} records on {dreams} dreams: prior ({colour}), "
        f"entropy {low:.2f} to {high:.2f}, {sum(entry.weight > 0.0 for entry in profile.bins)} bins helped"
    )
