"""A boxed actor reads no journal: what it has missed is sent to it again by whoever said it, in order, exactly once."""

from pathlib import Path

import pytest

from bus.actor_log import ActorLog
from bus.core import Cursor, Fired, Received
from bus.cursor_file import FILE_NAME, CursorFile, read_cursors
from bus.envelope import encode_envelope
from bus.frame import FrameKind
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.link import RawMessage
from bus.readback import RefusedBody
from bus.redelivery import MOST_MESSAGES, Redelivery, boxed_receivers
from bus.refusals import Refusals
from bus.step import Numbering, StepRecord, encode_step
from schemas.base import Message

SENDER, DREAMER = "bias-synthesizer", "dreamer"


class Synthesizer:
    """A sender that journals and whose first sending is always lost."""

    def __init__(self, run_folder: Path, epoch: int = 1) -> None:
        self.numbering = Numbering(epoch)
        self.redelivery = Redelivery(run_folder, SENDER, (DREAMER,))
        self._journal = Journal(run_folder / SENDER, {}, epoch, "process", SegmentLimits(1 << 30, 1 << 60))
        self._journal.begin_segment(1, 0)

    def say(self, *messages: Message) -> None:
        for message in messages:
            out = self.numbering.outgoing(DREAMER, message)
            body, _ = encode_step(StepRecord(Fired("say"), bytes(8), (out,), None))
            self._journal.add(FrameKind.STEP, out.seq, 1, body)
        self._journal.flush()

    def look(self) -> list[RawMessage]:
        """What it sends again at one look."""
        due = self.redelivery.due(self.numbering.predecessors)
        return [[encode_envelope(again.envelope), again.body, *again.payloads] for again in due]

    def close(self) -> None:
        self._journal.close()


class Dreamer:
    """The receiving side, from the intake on."""

    def __init__(self, run_folder: Path, seats, folder: Path) -> None:
        seat = next(seat for seat in seats if seat.instance == DREAMER)
        self.refusals = Refusals(folder, DREAMER)
        self.intake = Intake(seat, seats, run_folder, self.refusals, ActorLog(DREAMER))
        self.file = CursorFile(run_folder / DREAMER)
        self.file.write({})

    def hear(self, parts: list[RawMessage], holder: str | None = SENDER) -> list[Received | RefusedBody]:
        heard = [self.intake.offer(each, holder) for each in parts]
        self.file.write(self.intake.cursors)
        return [item for item in heard if item is not None]


@pytest.fixture
def synthesizer(run_folder: Path):
    synthesizer = Synthesizer(run_folder)
    yield synthesizer
    synthesizer.close()


@pytest.fixture
def dreamer(run_folder: Path, seats, tmp_path: Path):
    dreamer = Dreamer(run_folder, seats, tmp_path)
    yield dreamer
    dreamer.file.close()
    dreamer.refusals.close()


@pytest.fixture
def profiles(examples: dict[str, Message]) -> list[Message]:
    profile = examples["BiasProfile"]
    return [profile.model_copy(update={"feedback_total": number}) for number in range(1, 4)]


def test_what_was_missed_is_sent_again_in_order_after_a_look_of_grace(synthesizer, dreamer, profiles) -> None:
    synthesizer.say(*profiles)

    first, second = synthesizer.look(), synthesizer.look()

    assert first == []
    assert [item.message for item in dreamer.hear(second)] == profiles
    assert dreamer.intake.cursors == {SENDER: Cursor(1, 3)}


def test_what_was_heard_is_not_sent_again(synthesizer, dreamer, profiles) -> None:
    synthesizer.say(*profiles)
    synthesizer.look()
    dreamer.hear(synthesizer.look())

    later = [synthesizer.look(), synthesizer.look()]

    assert later == [[], []]
    assert not synthesizer.redelivery.owes


def test_a_message_that_arrives_twice_is_taken_once(synthesizer, dreamer, profiles) -> None:
    synthesizer.say(*profiles)
    synthesizer.look()
    again = synthesizer.look()

    first, second = dreamer.hear(again), dreamer.hear(again)

    assert (len(first), second, dreamer.intake.duplicates) == (3, [], 3)


def test_a_receiver_that_says_nothing_yet_is_left_in_peace(synthesizer, profiles) -> None:
    synthesizer.say(*profiles)

    looks = [synthesizer.look() for _ in range(3)]

    assert looks == [[], [], []]


def test_no_more_than_a_handful_is_sent_at_a_time(synthesizer, dreamer, profiles) -> None:
    synthesizer.say(*(profiles * MOST_MESSAGES))
    synthesizer.look()

    once = synthesizer.look()
    dreamer.hear(once)
    synthesizer.look()
    rest = synthesizer.look()

    assert (len(once), len(rest)) == (MOST_MESSAGES, MOST_MESSAGES)
    assert len(dreamer.hear(rest)) == MOST_MESSAGES


def test_a_receiver_that_knows_more_than_its_sender_after_a_power_cut_hears_what_comes_next(
    run_folder: Path, dreamer, profiles
) -> None:
    dreamer.intake.cursors = {SENDER: Cursor(1, 7)}
    dreamer.file.write(dreamer.intake.cursors)
    restarted = Synthesizer(run_folder, epoch=2)
    restarted.numbering.predecessors = {DREAMER: Cursor(1, 5)}
    restarted.say(profiles[0])

    restarted.look()
    heard = dreamer.hear(restarted.look())
    restarted.close()

    assert [item.message for item in heard] == profiles[:1]
    assert dreamer.intake.cursors == {SENDER: Cursor(2, 1)}


def test_a_body_that_does_not_do_is_passed_over_when_the_key_proves_who_said_it(
    synthesizer, dreamer, examples, profiles
):
    synthesizer.say(examples["FeedbackStored"], profiles[0])
    synthesizer.look()

    refused, taken = dreamer.hear(synthesizer.look())

    assert isinstance(refused, RefusedBody)
    assert "no row (bias-synthesizer, FeedbackStored, dreamer)" in refused.reason
    assert taken.message == profiles[0]


def test_without_a_key_a_bad_body_moves_no_cursor(synthesizer, dreamer, examples, profiles) -> None:
    synthesizer.say(examples["FeedbackStored"], profiles[0])
    synthesizer.look()

    heard = dreamer.hear(synthesizer.look(), holder=None)

    assert heard == []
    assert dreamer.intake.cursors == {}
    assert dreamer.refusals.count == 1


def test_the_dreamer_is_who_is_looked_after(seats) -> None:
    owed = {seat.instance: boxed_receivers(seat, seats) for seat in seats}

    assert owed == {"dreamer": (), "pool-keeper": (), "learner": (), "bias-synthesizer": ("dreamer",)}


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"nonsense that is no record", b"\xff" * 40])
def test_a_cursor_file_that_is_just_being_written_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)

    assert read_cursors(tmp_path) is None


def test_a_cursor_file_tells_what_was_written_last(tmp_path: Path) -> None:
    file = CursorFile(tmp_path)

    file.write({"a-rather-long-instance-name": Cursor(3, 2**40), "b": Cursor(1, 1)})
    file.write({"b": Cursor(1, 2)})
    file.close()

    assert read_cursors(tmp_path) == {"b": Cursor(1, 2)}
