"""The host's half: serves in its own thread, waits little, and leaves a friend alone that does not answer."""

import threading
from collections.abc import Callable

import pytest

from actors.friend.dropin.dream import DreamContext
from bus.friend_shim import Shim
from schemas.base import Message
from schemas.friend import (
    DialogClose,
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
from tests.actors.friend.company import LEO_ORIGIN, Company, Host, load_settings

MOMENT = DreamContext(prompt="who?", reply="me.", trauma_level=0.9, pulse_novelty=0.1, pulse_entropy=0.5)
ORIGIN_TOLD = OriginTold(host_id="leo", bootstrap=LEO_ORIGIN, readme=())
DECLINES = ("gate", "no_origin", "dice")
DIALOG, OTHER = derived_id("dialog"), derived_id("other")


class Clock:
    """Time that passes when somebody waits or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Script:
    """A line to a friend that says what the test wants, each after a while."""

    def __init__(self, clock: Clock, *answers: tuple[float, Callable[[FriendOffer], Message] | Message]) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.said: list[Message] = []

    def say(self, message: Message) -> None:
        self.said.append(message)

    def hear(self, timeout_s: float) -> Message | None:
        if not self.answers or self.answers[0][0] > timeout_s:
            self.clock.now += timeout_s
            return None
        delay, answer = self.answers.pop(0)
        self.clock.now += delay
        return answer if isinstance(answer, Message) else answer(self.offer)

    @property
    def offer(self) -> FriendOffer:
        return next(message for message in reversed(self.said) if isinstance(message, FriendOffer))


def measure(_: str) -> LineMeasures:
    return LineMeasures(pulse=Pulse(novelty=0.5, arousal=0.5, entropy=0.5), trauma=0.5, quality=None)


def opening(offer: FriendOffer) -> FriendOpen:
    return FriendOpen(ctx_id=offer.ctx_id, dialog_id=DIALOG)


def declining(offer: FriendOffer) -> FriendDecline:
    return FriendDecline(ctx_id=offer.ctx_id, reason="dice")


def ask(step: int, dialog_id: str = DIALOG) -> GenerateLine:
    return GenerateLine(
        dialog_id=dialog_id,
        step=step,
        speaker="leo",
        seed="seed",
        temperature=0.75,
        semantic_weight=0.25,
        max_tokens=20,
        expert_bias=None,
    )


def tell(step: int, dialog_id: str = DIALOG) -> ObserveLine:
    return ObserveLine(dialog_id=dialog_id, step=step, speaker="leo", source="dream", text="a line")


CLOSE = DialogClose(dialog_id=DIALOG, turns=1, reason="done", is_kept=False)


class Guest:
    """A shim with hooks that keep what they were given."""

    def __init__(self, *answers: tuple[float, Callable[[FriendOffer], Message] | Message]) -> None:
        self.clock = Clock()
        self.script = Script(self.clock, *answers)
        self.shim = Shim(ORIGIN_TOLD, self.script, measure, self.clock)
        self.calls: list[tuple[object, ...]] = []
        self.threads: set[int] = set()

    def generate(self, seed: str, temperature: float, semantic_weight: float) -> object:
        self.calls.append(("generate", seed, temperature, semantic_weight))
        self.threads.add(threading.get_ident())
        return "a line of mine"

    def observe(self, text: str) -> None:
        self.calls.append(("observe", text))

    def lead(self, **hooks: Callable[..., object]) -> float:
        began = self.clock.now
        self.shim.lead(MOMENT, hooks.get("generate", self.generate), hooks.get("observe", self.observe), 5.0)
        return self.clock.now - began


def test_a_dialogue_is_served_in_the_calling_thread_with_the_arguments_of_the_friend():
    guest = Guest((0.1, opening), (0.0, ask(0)), (0.0, tell(0)), (0.0, CLOSE))

    guest.lead()

    assert guest.calls == [("generate", "seed", 0.75, 0.25), ("observe", "a line")]
    assert guest.threads == {threading.get_ident()}
    assert [type(each) for each in guest.script.said] == [OriginTold, FriendOffer, LineGenerated, LineObserved]
    assert guest.shim.health.held == 1


def test_a_decline_is_an_end():
    guest = Guest((0.1, declining))

    assert guest.lead() == pytest.approx(0.1)
    assert (guest.shim.health.declined, guest.shim.health.missed) == (1, 0)


def test_the_first_answer_is_waited_for_150_ms():
    guest = Guest((0.16, opening))

    assert guest.lead() == pytest.approx(0.15)
    assert guest.shim.health.missed == 1


def test_the_next_request_is_waited_for_a_second():
    guest = Guest((0.1, opening), (1.1, ask(0)))

    assert guest.lead() == pytest.approx(1.1)


def test_all_waiting_together_is_three_seconds_and_the_host_s_own_work_is_not_counted():
    requests = [(0.9, kind(step)) for step in range(8) for kind in (ask, tell)]
    guest = Guest((0.1, opening), *requests)

    def slowly(*_: object) -> str:
        guest.clock.now += 10.0
        return "slow"

    spent = guest.lead(generate=slowly)

    assert spent - 10.0 * sum(isinstance(each, LineGenerated) for each in guest.script.said) == pytest.approx(3.0)


def test_three_misses_leave_the_friend_alone_for_a_minute():
    guest = Guest()
    for _ in range(5):
        guest.lead()
    offered = guest.shim.health.offered
    guest.clock.now += 60.0
    guest.lead()

    assert (offered, guest.shim.health.offered) == (3, 4)


def test_an_answer_in_between_forgives_the_misses():
    guest = Guest()
    guest.lead()
    guest.lead()
    guest.script.answers = [(0.1, lambda _: FriendDecline(ctx_id=guest.script.offer.ctx_id, reason="gate"))]
    guest.lead()
    guest.lead()
    guest.lead()

    assert guest.shim.health.offered == 5


@pytest.mark.parametrize(
    "stray",
    [
        ask(1),
        ask(0, OTHER),
        tell(0),
        FriendDecline(ctx_id=OTHER, reason="gate"),
        FriendOpen(ctx_id=OTHER, dialog_id=OTHER),
    ],
    ids=lambda message: message.kind,
)
def test_what_is_not_due_is_not_served_and_counted(stray):
    guest = Guest((0.0, opening), (0.0, stray), (0.0, ask(0)), (0.0, tell(0)), (0.0, tell(0)), (0.0, CLOSE))

    guest.lead()

    assert [call[0] for call in guest.calls] == ["generate", "observe"]
    answers = [each for each in guest.script.said if isinstance(each, LineGenerated | LineObserved)]
    assert [each.step for each in answers if each.dialog_id == DIALOG] == [0, 0]
    assert [each.error for each in answers if each.dialog_id == OTHER] in ([], ["the host has gone on"])
    assert guest.shim.health.dropped == 2


@pytest.mark.parametrize("odd", [None, 7, b"bytes", ["list"]])
def test_an_odd_answer_of_a_hook_is_an_error(odd):
    guest = Guest((0.0, opening), (0.0, ask(0)), (0.0, CLOSE))

    guest.lead(generate=lambda *_: odd)

    said = guest.script.said[-1]
    assert isinstance(said, LineGenerated)
    assert (said.text, said.error) == (None, f"the hook answered with {type(odd).__name__}")


def test_the_origin_is_told_first_and_again_when_the_friend_does_not_know_it():
    guest = Guest(*((0.0, lambda offer, why=why: FriendDecline(ctx_id=offer.ctx_id, reason=why)) for why in DECLINES))

    for _ in DECLINES:
        guest.lead()

    told = [type(message) for message in guest.script.said]
    assert told == [OriginTold, FriendOffer, FriendOffer, OriginTold, FriendOffer]


@pytest.mark.parametrize("call", ["say", "hear"])
def test_a_line_that_fails_is_a_friend_that_does_not_answer(call):
    guest = Guest()

    def fail(*_: object) -> Message:
        raise OSError("the run is over")

    setattr(guest.script, call, fail)
    for _ in range(4):
        guest.lead()

    assert (guest.shim.health.offered, guest.shim.health.missed) == (3, 3)
    assert guest.shim.health.fault == "OSError: the run is over"


def test_a_hook_that_raises_is_an_error_and_raises_nothing():
    guest = Guest((0.0, opening), (0.0, ask(0)), (0.0, tell(0)), (0.0, CLOSE))

    def broken(*_: object) -> object:
        raise RuntimeError

    guest.lead(generate=broken, observe=broken)

    generated, observed = guest.script.said[2:]
    assert isinstance(generated, LineGenerated) and generated.error == "the hook raised RuntimeError"
    assert isinstance(observed, LineObserved) and observed.measures is None
    assert guest.shim.health.failed_hooks == 2


@pytest.mark.parametrize("text", ["\ud800 x", "a\x00b", "y" * 500_000])
def test_any_text_can_be_told(text):
    guest = Guest((0.0, opening), (0.0, ask(0)), (0.0, CLOSE))

    guest.lead(generate=lambda *_: text)

    said = guest.script.said[-1]
    assert isinstance(said, LineGenerated) and said.error is None


@pytest.mark.parametrize(
    "ctx",
    [
        object(),
        DreamContext(prompt=None, reply=3, trauma_level=float("nan"), pulse_novelty="x", themes="abc", quality="q"),
        DreamContext(prompt="\ud800" * 9000, reply="r" * 100_000, trauma_level=float("inf"), themes=[-1, 2, 3.5]),
    ],
)
def test_any_moment_can_be_offered(ctx):
    guest = Guest((0.0, declining))

    guest.shim.lead(ctx, guest.generate, guest.observe, 5.0)

    assert guest.shim.health.declined == 1


class ToCompany:
    """A line that ends at a real friend."""

    def __init__(self, company: Company) -> None:
        self.host = Host(company, "learner-2", "leo")
        self.host.silent_after = 0
        self.company = company
        self.taken = 0
        self.is_late = False

    def say(self, message: Message) -> None:
        self.company.hear(message, "learner-2")

    def hear(self, timeout_s: float) -> Message | None:
        if self.is_late or self.taken == len(self.host.heard):
            return None
        self.taken += 1
        return self.host.heard[self.taken - 1]


def test_what_was_asked_too_late_is_answered_before_the_next_moment():
    guest = Guest((0.2, opening))
    guest.lead()
    guest.script.answers = [(0.0, opening), (0.0, ask(0)), (0.0, tell(2)), (0.05, declining)]

    guest.lead()

    said = guest.script.said[2:]
    assert [type(each) for each in said] == [LineGenerated, LineObserved, FriendOffer]
    assert (said[0].error, said[1].measures) == ("the host has gone on", None)
    assert guest.calls == []
    assert (guest.shim.health.declined, guest.shim.health.dropped) == (1, 3)


def test_a_friend_whose_first_answer_was_missed_is_not_busy_at_the_next_moment():
    company = Company(load_settings(probability=1.0, min_interval_s=0.0))
    line = ToCompany(company)
    line.host.tell_origin(LEO_ORIGIN)
    clock = Clock()
    shim = Shim(ORIGIN_TOLD, line, measure, clock)
    heard: list[str] = []

    line.is_late = True
    shim.lead(MOMENT, lambda *_: "too late", heard.append, 5000.0)
    line.is_late = False
    shim.lead(MOMENT, lambda seed, *_: f"The lighthouse says {len(seed)} and {len(heard)}.", heard.append, 5001.0)

    assert (shim.health.missed, shim.health.held, shim.health.declined) == (1, 1, 0)
    assert len(heard) >= 3
    assert company.core.figures()["dialogs_abandoned"] == 1


def test_the_shim_and_the_friend_hold_a_whole_dialogue():
    company = Company(load_settings(probability=1.0))
    line = ToCompany(company)
    line.host.tell_origin(LEO_ORIGIN)
    heard: list[str] = []
    shim = Shim(ORIGIN_TOLD, line, measure, Clock())

    shim.lead(MOMENT, lambda seed, *_: f"The lighthouse says {len(seed)} and {len(heard)}.", heard.append, 5000.0)

    (commit,) = company.keeper.commits.values()
    assert [turn.text for turn in commit.turns] == heard
    assert shim.health.held == 1
