"""A boxed actor reads no journal: what it has missed is sent to it again by whoever said it, in order, exactly once."""

from pathlib import Path

import pytest

from bus.actor_log import ActorLog
from bus.codec import pack
from bus.core import Cursor, Fired, Received
from bus.cursor_file import FILE_NAME, CursorFile
from bus.envelope import decode_envelope, encode_envelope
from bus.frame import FrameKind
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.link import RawMessage
from bus.readback import RefusedBody
from bus.redelivery import LOOKS_TO_JOURNAL, MOST_MESSAGES, Redelivery, boxed_receivers
from bus.refusals import Refusals
from bus.step import Numbering, StepRecord, encode_step
from schemas.base import Message
from tests.bus.test_cursor_file import BAD_CURSORS, write_cursors
from tests.bus.test_journalled_cursors import DreamerJournal

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


def looks_until_something_is_sent(synthesizer: Synthesizer, most: int = 3 * LOOKS_TO_JOURNAL) -> list[int]:
    """What is sent again, as seqs, at the first look that sends anything."""
    for _ in range(most):
        sent = [decode_envelope(parts[0]).seq for parts in synthesizer.look()]
        if sent:
            return sent
    return []


@pytest.mark.parametrize("name", BAD_CURSORS)
def test_a_sender_lives_with_nonsense_and_reads_the_journal(run_folder: Path, synthesizer, profiles, name: str) -> None:
    synthesizer.say(*profiles)
    journal = DreamerJournal(run_folder, {})
    journal.hear(1)
    write_cursors(run_folder / DREAMER, BAD_CURSORS[name])

    sent = looks_until_something_is_sent(synthesizer)
    journal.close()

    assert sent == [2, 3]


def test_without_a_cursor_file_the_journal_of_the_receiver_tells_what_it_misses(
    run_folder: Path, synthesizer, dreamer, profiles
) -> None:
    synthesizer.say(*profiles)
    journal = DreamerJournal(run_folder, {SENDER: Cursor(1, 1)})
    journal.dream(1, bytes(100_000))
    dreamer.intake.cursors = {SENDER: Cursor(1, 1)}
    (run_folder / DREAMER / FILE_NAME).unlink()

    looks = [synthesizer.look() for _ in range(2 * LOOKS_TO_JOURNAL)]
    heard = dreamer.hear(looks[-1])
    journal.close()

    assert looks[:-1] == [[]] * (2 * LOOKS_TO_JOURNAL - 1)
    assert [item.message for item in heard] == profiles[1:]


def test_a_cursor_ahead_of_all_that_was_said_is_not_believed(run_folder: Path, synthesizer, profiles) -> None:
    synthesizer.say(*profiles)
    journal = DreamerJournal(run_folder, {})
    journal.hear(1)
    write_cursors(run_folder / DREAMER, pack({SENDER: (99, 99)}))

    sent = looks_until_something_is_sent(synthesizer)
    journal.close()

    assert sent == [2, 3]


def test_who_lies_in_its_journal_too_is_believed_to_have_heard_what_was_said(
    run_folder: Path, synthesizer, profiles
) -> None:
    synthesizer.say(*profiles)
    journal = DreamerJournal(run_folder, {SENDER: Cursor(99, 99)})
    write_cursors(run_folder / DREAMER, pack({SENDER: (99, 99)}))

    sent = looks_until_something_is_sent(synthesizer)
    journal.close()

    assert sent == []
    assert not synthesizer.redelivery.owes
