"""Skimming: the same messages as reading in full, without the tensors; growing, torn and damaged journals."""

from pathlib import Path

import pytest

from bus.recording import RecordedMessage, Recording
from bus.skimming import JournalSkim, SkimmedStep
from bus.stream import Damage
from schemas.dreams import DreamEntry
from schemas.retrieval import PoolStatsRequest
from tests.written_run import WrittenRun, time_ns

MIB = 1024 * 1024


@pytest.fixture
def run(run_folder: Path) -> WrittenRun:
    return WrittenRun(run_folder)


def asks(run: WrittenRun, number: int, at_s: float | None = None) -> None:
    run.step("learner", number if at_s is None else at_s, pool_keeper=PoolStatsRequest(request=number))


def numbers(items: list[SkimmedStep | Damage]) -> list[int]:
    """The seq of each message; a damage counts as 0."""
    return [
        seq
        for item in items
        for seq in ([message.ref.seq for message in item.messages] if isinstance(item, SkimmedStep) else [0])
    ]


def read_bytes() -> int:
    """Bytes that this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def test_skimming_gives_what_reading_in_full_gives(run: WrittenRun, dream: DreamEntry) -> None:
    run.step("dreamer", 1, pool_keeper=dream)
    run.step("dreamer", 2)
    run.begin("dreamer", 3, epoch=2)
    run.step("dreamer", 3, pool_keeper=dream.model_copy(update={"tensor_blob": b"x" * 5000}))

    steps = list(JournalSkim(run.folder, "dreamer").news())

    full = [item for item in Recording(run.folder).messages("dreamer") if isinstance(item, RecordedMessage)]
    skimmed = [message for step in steps if isinstance(step, SkimmedStep) for message in step.messages]
    assert len(full) == 2
    assert [(m.ref, m.receiver, m.kind, m.version, m.wall_ns, m.step, m.body) for m in skimmed] == [
        (m.ref, m.receiver, m.kind, m.version, m.wall_ns, m.step, m.outgoing.body) for m in full
    ]
    assert [m.payload_bytes for m in skimmed] == [len(m.outgoing.payloads[0]) for m in full]


def test_tensors_are_not_read(run: WrittenRun, dream: DreamEntry) -> None:
    large = dream.model_copy(update={"tensor_blob": bytes(2 * MIB)})
    for number in range(10):
        run.step("dreamer", number, pool_keeper=large)
    skim = JournalSkim(run.folder, "dreamer")

    before = read_bytes()
    count = len(list(skim.news()))

    assert count == 10
    assert read_bytes() - before < MIB
    assert skim.read_bytes > 20 * MIB


def test_reading_goes_on_where_it_stopped_and_into_the_next_segment(run: WrittenRun) -> None:
    skim = JournalSkim(run.folder, "learner")
    assert list(skim.news()) == []
    asks(run, 1)
    asks(run, 2)
    assert numbers(list(skim.news())) == [1, 2]

    asks(run, 3)
    run.begin("learner", 3)
    asks(run, 4)

    assert numbers(list(skim.news())) == [3, 4]
    assert list(skim.news()) == []


def test_a_frame_that_is_being_written_is_waited_for(run: WrittenRun, dream: DreamEntry) -> None:
    asks(run, 1)
    _, data = run.frame("learner", 2, pool_keeper=PoolStatsRequest(request=2))
    path = run.path("learner")
    whole = path.read_bytes()
    skim = JournalSkim(run.folder, "learner")

    for size in (3, 20, len(data) - 1):
        path.write_bytes(whole + data[:size])
        assert numbers(list(skim.news())) == ([1] if size == 3 else [])
    path.write_bytes(whole + data)

    assert numbers(list(skim.news())) == [2]


def test_a_torn_tail_of_a_segment_that_grows_no_more_is_damage(run: WrittenRun) -> None:
    asks(run, 1)
    _, data = run.frame("learner", 2, pool_keeper=PoolStatsRequest(request=2))
    with run.path("learner").open("ab") as file:
        file.write(data[:-1])
    run.begin("learner", 3, epoch=2)
    asks(run, 3)

    items = list(JournalSkim(run.folder, "learner").news())

    assert numbers(items) == [1, 0, 1]


def test_a_damaged_frame_is_reported_and_never_served(run: WrittenRun) -> None:
    asks(run, 1)
    end_of_first = run.path("learner").stat().st_size
    asks(run, 2)
    asks(run, 3)
    asked_for = end_of_first - 3
    assert run.path("learner").read_bytes()[asked_for] == 1
    run.flip("learner", asked_for)

    items = list(JournalSkim(run.folder, "learner").news())

    assert numbers(items) == [0, 2, 3]


@pytest.mark.parametrize("field", [4, 8], ids=["length of the body", "length of the payload"])
def test_a_wrong_length_leads_nobody_astray(run: WrittenRun, dream: DreamEntry, field: int) -> None:
    run.step("dreamer", 1, pool_keeper=dream)
    offset = run.path("dreamer").stat().st_size
    run.step("dreamer", 2, pool_keeper=dream)
    run.step("dreamer", 3, pool_keeper=dream)
    run.flip("dreamer", offset + field)

    items = list(JournalSkim(run.folder, "dreamer").news())

    assert numbers(items) == [1, 0, 3]


def test_only_a_message_whose_tensor_was_passed_over_is_unchecked(run: WrittenRun, dream: DreamEntry) -> None:
    run.step("dreamer", 1, pool_keeper=dream)
    asks(run, 1)

    steps = [item for actor in ("dreamer", "learner") for item in JournalSkim(run.folder, actor).news()]

    checked = [message.is_checked for step in steps if isinstance(step, SkimmedStep) for message in step.messages]
    assert checked == [False, True]


def test_reading_begins_with_the_segment_of_a_time_or_at_the_end(run: WrittenRun) -> None:
    asks(run, 1, at_s=1)
    run.begin("learner", 10)
    asks(run, 2, at_s=11)
    run.begin("learner", 20)
    asks(run, 3, at_s=21)
    late, at_end = (JournalSkim(run.folder, "learner") for _ in range(2))

    late.start_at(time_ns(15))
    at_end.start_at_end()
    asks(run, 4, at_s=22)

    assert numbers(list(late.news())) == [2, 3, 4]
    assert numbers(list(at_end.news())) == [4]


def test_a_segment_whose_head_is_not_written_yet_is_waited_for(run: WrittenRun) -> None:
    path = run.begin("learner")
    head = path.read_bytes()
    path.write_bytes(head[:10])
    skim = JournalSkim(run.folder, "learner")
    assert list(skim.news()) == []

    path.write_bytes(head)
    asks(run, 1)

    assert numbers(list(skim.news())) == [1]


def test_a_damaged_segment_head_is_reported_once(run: WrittenRun) -> None:
    asks(run, 1)
    run.flip("learner", 20)
    skim = JournalSkim(run.folder, "learner")

    assert numbers(list(skim.news())) == [0]
    assert list(skim.news()) == []
