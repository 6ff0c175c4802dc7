"""The dreamer only ever receives BiasProfile: every other kind, by every route, is refused and counted."""

import json
from collections.abc import Iterator

import pytest
import zmq

from bus.codec import encode_body, payloads_of
from bus.core import Fired, MessageRef
from bus.envelope import Envelope, encode_envelope
from bus.frame import FrameKind
from bus.journal import Journal, SegmentLimits
from bus.recovery import ORIGIN, read_history
from bus.step import Numbering, StepRecord, decode_step, encode_step
from schemas.base import Message

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")
SENDERS = ("bias-synthesizer", "pool-keeper", "learner", "supervisor", "dreamer", "stranger")
FORGED_EPOCH = 900_000

pytestmark = pytest.mark.system


@pytest.fixture
def push() -> Iterator[zmq.Socket[bytes]]:
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    yield socket
    context.destroy(linger=0)


def row_of(house, name: str) -> dict[str, object]:
    return next(row for row in house.actors() if row["name"] == name)


def inbox_of(house, name: str) -> str:
    runtime = json.loads((house.home / "supervisor.lock").read_text())["runtime"]
    return f"ipc://{runtime}/{name}.in"


def test_every_other_kind_from_every_sender_is_refused_and_counted_even_without_keys(
    house, push: zmq.Socket[bytes], examples: dict[str, Message]
) -> None:
    house.up(*FAST, "--no-curve")
    push.connect(inbox_of(house, "dreamer"))
    foreign = [message for kind, message in examples.items() if kind != "BiasProfile"]
    before = row_of(house, "dreamer")["refused"]

    for sender in SENDERS:
        for message in foreign:
            envelope = Envelope(message.kind, message.version, sender, 1, 1, 0, 0, 0, "", 0, 0, 1, 0)
            push.send_multipart([encode_envelope(envelope), encode_body(message), *payloads_of(message)])
    push.send(b"no envelope at all")

    expected = before + len(SENDERS) * len(foreign) + 1
    house.until(lambda: row_of(house, "dreamer")["refused"] == expected, 20)
    assert house.answer("status")["keys"] == "none"
    house.stop()
    assert kinds_heard_by_the_dreamer(house) == {"BiasProfile"}


@pytest.mark.parametrize(
    "name",
    [
        "supervisor",
        "pool-keeper",
        "bias-synthesizer",
        "learner",
        "dreamer",
        "safety-watchdog",
        "regime-runner",
        "friend",
    ],
)
def test_nobody_without_a_key_of_the_run_comes_in(house, push: zmq.Socket[bytes], name: str) -> None:
    house.up(*FAST)
    push.connect(inbox_of(house, name))

    push.send(b"whatever")

    house.until(lambda: "no key" in str(row_of(house, name)["last_refusal"]), 20)
    assert row_of(house, name)["refused"] >= 1


def kinds_heard_by_the_dreamer(house) -> set[str]:
    """The kinds of all messages that the dreamer's journal names as inputs, by what their sender has said."""
    kinds = set()
    for run in house.runs():
        history = read_history(house.home / "journal" / run / "dreamer")
        profiles = {item.ref: item.kind for item in house.said("bias-synthesizer", "dreamer", run)}
        for _, frame in history.steps_after(ORIGIN):
            step = decode_step(frame)
            if isinstance(step.event, MessageRef):
                assert step.heard is not None and step.heard.kind == profiles[step.event]
                kinds.add(profiles[step.event])
    return kinds


def test_the_dreamers_journal_names_inputs_of_one_kind(house) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 1)
    house.stop()

    assert kinds_heard_by_the_dreamer(house) == {"BiasProfile"}
    audited = house.run("audit")
    assert audited.returncode == 0, audited.stdout


def test_a_foreign_kind_in_the_synthesizers_journal_never_reaches_the_dreamer_and_is_named(
    house, examples: dict[str, Message]
) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("bias.profiles") >= 1)
    run = house.runs()[-1]
    forged = Journal(
        house.home / "journal" / run / "bias-synthesizer", {}, FORGED_EPOCH, "process", SegmentLimits(1 << 30, 1 << 60)
    )
    forged.begin_segment(1, 0)
    out = Numbering(FORGED_EPOCH).outgoing("dreamer", examples["FeedbackStored"])
    forged.add(FrameKind.STEP, 1, 1, encode_step(StepRecord(Fired("x"), bytes(8), (out,), None))[0])
    forged.flush()
    forged.close()
    applied = house.figure("bias.applied_by_dreamer")

    house.until(lambda: house.figure("bias.applied_by_dreamer") >= applied + 2)

    house.stop()
    heard = [
        decode_step(frame) for _, frame in read_history(house.home / "journal" / run / "dreamer").steps_after(ORIGIN)
    ]
    assert {step.heard.kind for step in heard if step.heard is not None} == {"BiasProfile"}
    audited = house.run("audit")
    assert audited.returncode == 1
    assert f"e{FORGED_EPOCH}-s000000000001.seg" in audited.stdout
