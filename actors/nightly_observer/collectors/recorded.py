"""What the actors' own journals tell of guards: each step in which one acted, or could have.

In: `runs/RUN/manifest.json` and the journals of the runs that touch the span, read without their payloads. Out: counts:

- coherence_reject: the dreamer's episodes, and those of which no dream came.
- bias_clamp: for each profile made of feedback the groups of components (colour, concentration, window, seed weights,
  bins) that had a value before, and those whose furthest component moved by exactly `bias.max_step`.
- cap_trip: last verdicts on trials, and those with a breach. watchdog_halt: trials that were armed, and those that were
  ended for a cap. setting_clamp: settings of the machine that trials asked for, and those refused or clamped.
- acl_reject: messages that were let in; those that were not are in the refusals.

Damaged stretches are counted. A run whose manifest cannot be read is named and passed over.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from actors.nightly_observer.collectors.clamping import Clamps
from actors.nightly_observer.collectors.span import GuardCounts, Span, Troubles
from actors.nightly_observer.day import ABSENT, UNREADABLE, InputFile
from bus.codec import Decoder
from bus.core import Fired, MessageRef
from bus.errors import DecodeError, JournalError
from bus.files import open_to_read
from bus.skimming import JournalSkim, SkimmedMessage, SkimmedStep
from bus.stream import Damage
from schemas.bias import BiasProfile
from schemas.manifest import RunManifest, Seat
from schemas.regimes import CapBreached, SafetyVerdict
from schemas.roles import Role
from schemas.settings import EngineSettings

RUNS: Final = "runs"
JOURNAL: Final = "journal"
MAX_MANIFEST_BYTES: Final = 1024 * 1024
EPISODE: Final = "episode"
OBSERVER: Final[Role] = "nightly-observer"
OF_NIGHTS: Final[tuple[Role, ...]] = ("pool-keeper", OBSERVER)
HELD_BACK: Final = ("clamped", "refused")
UNSUPPORTED: Final = "unsupported"


class Recorded(NamedTuple):
    """What the journals told."""

    files: list[InputFile]
    settings: EngineSettings | None
    """Of the newest run that began before the end of the day."""
    floors_applied: int | None


@dataclass
class _Watched:
    """What is carried from one step of a run to the next."""

    settings: EngineSettings
    clamps: Clamps
    armed: dict[str, int] = field(default_factory=dict)
    """When each trial was first armed."""
    halted: set[str] = field(default_factory=set)


_PROFILE: Final = Decoder(BiasProfile)
_VERDICT: Final = Decoder(SafetyVerdict)
_BREACH: Final = Decoder(CapBreached)


def read_recorded(home: Path, span: Span, guards: GuardCounts, troubles: Troubles) -> Recorded:
    """Count what the journals of `home` tell."""
    told = _runs(home, span, troubles)
    runs = [run for run, _ in told]
    files: list[InputFile] = [file for _, file in told[-1:]]
    floors: int | None = None
    for number, (run, file_of_run) in enumerate(told):
        following = runs[number + 1].started_at_ns if number + 1 < len(runs) else span.to_ns
        if following <= span.history_ns:
            continue
        files += [file_of_run] if number + 1 < len(runs) else []
        watched = _Watched(run.settings, Clamps(run.settings.bias))
        for seat in _seats(home, run):
            file = _read_actor(home, run.run_id, seat, _Reading(span, guards, troubles, watched))
            files += [] if file is None else [file]
        floors = watched.clamps.floors_applied if watched.clamps.floors_applied is not None else floors
    return Recorded(files, runs[-1].settings if runs else None, floors)


def _runs(home: Path, span: Span, troubles: Troubles) -> list[tuple[RunManifest, InputFile]]:
    """The runs that began before the end of the day, oldest first, and what was read of each."""
    found = []
    for folder in sorted((home / RUNS).glob("*/")):
        path = f"{RUNS}/{folder.name}/manifest.json"
        try:
            with open(open_to_read(home / path), "rb") as file:
                text = file.read(MAX_MANIFEST_BYTES)
            size, digest = len(text), hashlib.sha256(text).hexdigest()
            found.append((RunManifest.from_json(text), InputFile(path, size, digest, size)))
        except FileNotFoundError:
            troubles.add(path, ABSENT)
        except (OSError, ValueError):
            troubles.add(path, UNREADABLE)
    begun = [each for each in found if each[0].started_at_ns < span.to_ns and not _is_of_a_night(each[0])]
    return sorted(begun, key=lambda each: (each[0].started_at_ns, each[0].run_id))


def _is_of_a_night(run: RunManifest) -> bool:
    """Whether the run was made for a night alone: nights do not look at nights."""
    return all(seat.role in OF_NIGHTS for seat in run.seats)


def _seats(home: Path, run: RunManifest) -> Iterator[Seat]:
    """Those with a journal in this run; of a guest nothing but what it was told and said is known."""
    known = {seat.instance: seat for seat in run.seats if seat.role != OBSERVER}
    for folder in sorted((home / JOURNAL / run.run_id).glob("*/")):
        if folder.name in known:
            yield known[folder.name]


@dataclass
class _Reading:
    """Takes in the steps of one actor."""

    span: Span
    guards: GuardCounts
    troubles: Troubles
    watched: _Watched
    counted: int = 0

    def take(self, step: SkimmedStep, role: str) -> bytes:
        """Count what `step` shows; the bytes of it that were looked at."""
        if isinstance(step.event, MessageRef) and step.event.sender != OBSERVER:
            self.guards.add("acl_reject", step.wall_ns, 0)
        if role == "dreamer" and step.event == Fired(EPISODE) and step.refusal is None:
            self.guards.add("coherence_reject", step.wall_ns, 0 if step.messages else 1)
            return b"1" if step.messages else b"0"
        bodies = [message.body for message in step.messages if self._judge(message, step, role)]
        return b"".join(bodies)

    def _judge(self, message: SkimmedMessage, step: SkimmedStep, role: str) -> bool:
        try:
            match role, message.kind:
                case "bias-synthesizer", BiasProfile.kind:
                    profile = _PROFILE.decode(message.body, (), message.version)
                    self._take_profile(profile, step)
                case "safety-watchdog", SafetyVerdict.kind:
                    self._take_verdict(_VERDICT.decode(message.body, (), message.version), step.wall_ns)
                case "safety-watchdog", CapBreached.kind:
                    self._take_breach(_BREACH.decode(message.body, (), message.version))
                case _:
                    return False
        except DecodeError:
            self.troubles.add(f"{JOURNAL}/{role}", "message of another form")
            return False
        return True

    def _take_profile(self, profile: object, step: SkimmedStep) -> None:
        if isinstance(profile, BiasProfile):
            is_of_feedback = isinstance(step.event, MessageRef)
            held, could = self.watched.clamps.take(profile, is_of_feedback=is_of_feedback)
            self.guards.add("bias_clamp", step.wall_ns, held, could)
            if self.span.is_tonight(step.wall_ns):
                self.watched.clamps.count_floors(profile)

    def _take_verdict(self, verdict: object, wall_ns: int) -> None:
        if not isinstance(verdict, SafetyVerdict):
            return
        if verdict.phase == "final":
            self.guards.add("cap_trip", wall_ns, int(bool(verdict.breaches)))
        elif verdict.trial_id not in self.watched.armed:
            self.watched.armed[verdict.trial_id] = wall_ns
            self.guards.add("watchdog_halt", wall_ns, 0)
            asked = [told for told in verdict.applied.values() if not told.startswith(UNSUPPORTED)]
            self.guards.add("setting_clamp", wall_ns, sum(told.startswith(HELD_BACK) for told in asked), len(asked))

    def _take_breach(self, breach: object) -> None:
        if not isinstance(breach, CapBreached) or breach.trial_id in self.watched.halted:
            return
        armed_ns = self.watched.armed.get(breach.trial_id)
        if armed_ns is not None:
            self.watched.halted.add(breach.trial_id)
            self.guards.act("watchdog_halt", armed_ns)


def _read_actor(home: Path, run_id: str, seat: Seat, reading: _Reading) -> InputFile | None:
    """Read one journal; None when it holds nothing of the span."""
    path, span = f"{JOURNAL}/{run_id}/{seat.instance}", reading.span
    skim = JournalSkim(home / JOURNAL / run_id, seat.instance)
    digest, counted = hashlib.sha256(), 0
    try:
        skim.start_at(span.history_ns)
        for found in skim.news():
            if isinstance(found, Damage):
                reading.troubles.add(path, "damaged stretch")
            elif found.wall_ns >= span.to_ns:
                break
            elif span.holds(found.wall_ns):
                looked_at = reading.take(found, seat.role)
                digest.update(b"%d %d " % (found.number, found.wall_ns) + looked_at)
                counted += len(looked_at)
    except (OSError, JournalError):
        reading.troubles.add(path, UNREADABLE)
    finally:
        skim.close()
    return InputFile(path, skim.read_bytes, digest.hexdigest(), counted) if skim.read_bytes else None
