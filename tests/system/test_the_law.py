"""The dreamer only ever receives BiasProfile: every other kind, by every route, is refused and counted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from bus.codec import encode_body, payloads_of
from bus.core import MessageRef
from bus.envelope import Envelope, encode_envelope
from bus.recovery import ORIGIN, read_history
from bus.step import decode_step
from schemas.base import Message

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")
SENDERS = ("bias-synthesizer", "pool-keeper", "learner", "supervisor", "dreamer", "stranger")

pytestmark = pytest.mark.system


@pytest.fixture
def push() -> Iterator[zmq.Socket[bytes]]:
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    yield socket
    context.destroy(linger=0)


def dreamer_row(house) -> dict[str, object]:
    return next(row for row in house.actors() if row["name"] == "dreamer")


def test_every_other_kind_from_every_sender_is_refused_and_counted(
    house, push: zmq.Socket[bytes], examples: dict[str, Message]
) -> None:
    house.up(*FAST)
    runtime = json.loads((house.home / "supervisor.lock").read_text())["runtime"]
    push.connect(f"ipc://{runtime}/dreamer.in")
    foreign = [message for kind, message in examples.items() if kind != "BiasProfile"]
    before = dreamer_row(house)["refused"]

    for sender in SENDERS:
        for message in foreign:
            envelope = Envelope(message.kind, message.version, sender, 1, 1, 0, 0, 0, "", 0, 0, 1, 0)
            push.send_multipart([encode_envelope(envelope), encode_body(message), *payloads_of(message)])
    push.send(b"no envelope at all")

    expected = before + len(SENDERS) * len(foreign) + 1
    house.until(lambda: dreamer_row(house)["refused"] == expected, 20)
    assert house.run("status").stdout.count("dreamer") >= 1
    house.stop()
    assert kinds_heard_by_the_dreamer(house) == {"BiasProfile"}


def kinds_heard_by_the_dreamer(house) -> set[str]:
    """The kinds of all messages that the dreamer's journal names as inputs."""
    kinds = set()
    for run in house.runs():
        history = read_history(house.home / "journal" / run / "dreamer")
        profiles = {item.ref: item.kind for item in house.said("bias-synthesizer", "dreamer", run)}
        for _, frame in history.steps_after(ORIGIN):
            event = decode_step(frame).event
            if isinstance(event, MessageRef):
                kinds.add(profiles[event])
    return kinds


def test_the_dreamers_journal_names_inputs_of_one_kind(house) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 1)
    house.stop()

    assert kinds_heard_by_the_dreamer(house) == {"BiasProfile"}


def test_a_foreign_kind_in_the_synthesizers_journal_never_reaches_the_core(
    house, tmp_path: Path, examples: dict[str, Message]
) -> None:
    from bus.core import Fired
    from bus.frame import FrameKind
    from bus.journal import Journal, SegmentLimits
    from bus.step import Numbering, StepRecord, encode_step

    house.up(*FAST)
    house.until(lambda: house.figure("bias.profiles") >= 1)
    folder = house.home / "journal" / house.runs()[-1] / "bias-synthesizer"
    forged = Journal(folder, {}, 900_000, "process", SegmentLimits(1 << 30, 1 << 60))
    forged.begin_segment(1, 0)
    numbering = Numbering(900_000)
    out = numbering.outgoing("dreamer", examples["FeedbackStored"])
    forged.add(FrameKind.STEP, 1, 1, encode_step(StepRecord(Fired("x"), bytes(8), (out,), None))[0])
    forged.flush()
    forged.close()

    house.until(lambda: "FeedbackStored" in str(dreamer_row(house)["last_refusal"]), 20)
