"""A friend with a pool-keeper and hosts around it, in memory: the rules of `schemas.persona` and a fake host."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from actors.friend.core import FriendCore
from actors.friend.origin import ORIGIN, README
from bus.core import Fired, Input, MessageRef, Note, Outcome, Received, Started
from bus.randomness import RandomSource
from schemas.base import Message
from schemas.friend import (
    ANSWERS_PATH,
    Answers,
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
    SayLine,
)
from schemas.friend_settings import FriendSettings
from schemas.ids import derived_id
from schemas.persona import (
    CooldownClaim,
    DialogCommit,
    DialogForgotten,
    FriendState,
    FriendStateRequest,
    PauseNoted,
    Persona,
    apply_commit,
    claim_cooldown,
    forget_dialog,
)

ROOT = Path(__file__).parents[3]
START_S = 1_767_225_600.0
KEEPER = "pool-keeper"
LEO_ORIGIN = (
    "The little lighthouse was lonely. A storm broke its lantern. It learned to whistle instead. "
    "Ships remember the whistle. The lighthouse remembers the ships."
)


def load_settings(**changes: object) -> FriendSettings:
    """The shipped settings with `changes`."""
    engine = tomllib.loads((ROOT / "config" / "engine.toml").read_text())
    return FriendSettings.model_validate(engine["friend"] | changes)


class Keeper:
    """The pool-keeper's half, on plain dictionaries."""

    def __init__(self) -> None:
        self.personas: dict[str, Persona] = {}
        self.commits: dict[str, DialogCommit] = {}
        self.forgotten: set[str] = set()

    def persona(self, host_id: str) -> Persona:
        return self.personas.setdefault(host_id, Persona(host_id))

    def hear(self, message: Message) -> Message | None:
        match message:
            case FriendStateRequest(host_id=host_id, request=request):
                return self._state(host_id, request)
            case CooldownClaim(host_id=host_id):
                self.personas[host_id], reply = claim_cooldown(self.persona(host_id), message)
                return reply
            case DialogCommit(host_id=host_id):
                known = {*self.commits, *self.forgotten}
                self.personas[host_id], receipt = apply_commit(self.persona(host_id), message, known)
                if receipt.result == "applied":
                    self.commits[message.dialog_id] = message
                return receipt
            case PauseNoted(host_id=host_id, reason=reason):
                self.personas[host_id] = replace(self.persona(host_id), pause_reason=reason)
            case DialogForgotten(host_id=host_id, dialog_id=dialog_id):
                self.personas[host_id] = forget_dialog(self.persona(host_id), dialog_id)
                self.commits.pop(dialog_id, None)
                self.forgotten.add(dialog_id)
                return self._state(host_id, 0)
        return None

    def _state(self, host_id: str, request: int) -> FriendState:
        kept = self.persona(host_id)
        return FriendState(
            host_id=host_id,
            request=request,
            rev=kept.rev,
            next_id=kept.next_id,
            fragments=kept.fragments,
            last_run_s=kept.last_run_s,
            pause_reason=kept.pause_reason,
        )


class Company:
    """A friend, its keeper, and what was said; `answering` may be emptied to let the keeper be silent."""

    def __init__(self, settings: FriendSettings, seed: int = 42, keeper: Keeper | None = None) -> None:
        self.settings = settings
        self.keeper = keeper or Keeper()
        self.core = FriendCore(settings, RandomSource(seed, 1, "friend"), ORIGIN, README)
        self.now_s = START_S
        self.seq = 0
        self.epoch = 1
        self.inputs: list[tuple[Input, int]] = []
        self.sent: list[Message] = []
        self.answers: list[str] = []
        self.notes: list[Note] = []
        self.refusals: list[str] = []
        self.files: dict[str, bytes] = {}
        self.hosts: dict[str, Host] = {}
        self.is_keeper_there = True
        self.hand(Started(1))

    def hear(self, message: Message, sender: str) -> Outcome:
        self.seq += 1
        return self.hand(Received(MessageRef(sender, 1, self.seq), message))

    def hand(self, event: Input) -> Outcome:
        self.inputs.append((event, int(self.now_s * 1e9)))
        outcome = self.core.handle(*self.inputs[-1])
        self.notes += outcome.notes
        self.refusals += [outcome.refusal] if outcome.refusal else []
        written = {effect.path: effect.content for effect in outcome.effects}
        self.files |= written
        if ANSWERS_PATH in written:
            self.answers.append(Answers.model_validate_json(written[ANSWERS_PATH]).answers[-1].text)
        for send in outcome.sends:
            self.sent.append(send.message)
            self._deliver(send.message, send.to)
        return outcome

    def say(self, text: str) -> str:
        self.hear(SayLine(say_id=derived_id("say", self.seq), text=text), "supervisor")
        return self.answers[-1]

    def talk(self, lines: Iterable[str], step_s: float = 200.0) -> None:
        for line in lines:
            self.now_s += step_s
            self.say(line)

    def late(self, name: str, host_id: str) -> Outcome:
        return self.hand(Fired(f"{name}/{host_id}"))

    def restart(self) -> None:
        """A fresh process that continues from the snapshot."""
        data = self.core.snapshot()
        self.core = FriendCore(self.settings, RandomSource(42, 1, "friend"), ORIGIN, README)
        self.core.restore(data)
        self.epoch += 1
        self.hand(Started(self.epoch))

    def said(self, *kinds: type[Message]) -> list[Message]:
        return [message for message in self.sent if isinstance(message, kinds)]

    @property
    def fragments(self) -> Sequence[str]:
        return [fragment.text for fragment in self.keeper.persona("field").fragments]

    def _deliver(self, message: Message, to: str | None) -> None:
        if to is not None:
            self.hosts[to].hear(message)
        elif self.is_keeper_there and (answer := self.keeper.hear(message)) is not None:
            self.hear(answer, KEEPER)


def canned(request: GenerateLine) -> str:
    """A line that is about the origin and never the same twice."""
    return f"The lantern of ship {request.dialog_id[:8]} remembers storm number {request.step}."


def calm(_: ObserveLine) -> LineMeasures:
    return LineMeasures(pulse=Pulse(novelty=0.5, arousal=0.25, entropy=0.5), trauma=0.5, quality=0.5)


class Host:
    """A foreign host: answers each request at once, unless told to keep silent."""

    def __init__(
        self,
        company: Company,
        instance: str,
        host_id: str,
        say: Callable[[GenerateLine], str | None] = canned,
        measure: Callable[[ObserveLine], LineMeasures | None] = calm,
    ) -> None:
        self.company, self.instance, self.host_id = company, instance, host_id
        self._say, self._measure = say, measure
        self.heard: list[Message] = []
        self.silent_after: int | None = None
        company.hosts[instance] = self

    def tell_origin(self, bootstrap: str = LEO_ORIGIN, readme: tuple[str, ...] = ()) -> None:
        self.company.hear(OriginTold(host_id=self.host_id, bootstrap=bootstrap, readme=readme), self.instance)

    def offer(self, moment: object = 0, **changes: object) -> None:
        self.company.hear(self.make_offer(moment, **changes), self.instance)

    def make_offer(self, moment: object = 0, **changes: object) -> FriendOffer:
        fields: dict[str, object] = {
            "ctx_id": derived_id("moment", self.host_id, str(moment)),
            "host_id": self.host_id,
            "now_s": self.company.now_s,
            "prompt": "who are you?",
            "reply": "i was a lamp.",
            "snapshots": (),
            "pulse": Pulse(novelty=0.5, arousal=0.5, entropy=0.5),
            "trauma": 0.75,
            "themes": (),
            "expert": "structural",
            "quality": None,
            "limits": DialogLimits(lines=4, tokens=48, chars=320),
        }
        return FriendOffer.model_validate(fields | changes)

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        if self.silent_after is not None and len(self.heard) > self.silent_after:
            return
        match message:
            case GenerateLine():
                text = self._say(message)
                error = "the hook failed" if text is None else None
                self._answer(LineGenerated(dialog_id=message.dialog_id, step=message.step, text=text, error=error))
            case ObserveLine():
                measures = self._measure(message)
                now_s = self.company.now_s
                self._answer(
                    LineObserved(dialog_id=message.dialog_id, step=message.step, now_s=now_s, measures=measures)
                )

    def of(self, *kinds: type[Message]) -> list[Message]:
        return [message for message in self.heard if isinstance(message, kinds)]

    @property
    def ending(self) -> FriendDecline | DialogClose | None:
        """How the last moment ended."""
        endings = [each for each in self.heard if isinstance(each, FriendDecline | DialogClose)]
        return endings[-1] if endings else None

    @property
    def opened(self) -> list[Message]:
        return self.of(FriendOpen)

    def _answer(self, message: Message) -> None:
        self.company.hear(message, self.instance)
