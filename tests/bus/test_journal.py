"""The journal: what is written is read back, a torn tail is cut and counted, damage is reported and never served."""

import os
from pathlib import Path

import pytest

from bus.core import Cursor, Fired, MessageRef
from bus.frame import Fault, Frame, FrameKind
from bus.journal import Journal, SegmentLimits
from bus.payloads import PayloadStore
from bus.recovery import read_history
from bus.segment import SegmentReader, list_segments
from bus.step import Numbering, StepRecord, decode_step, encode_step
from bus.stream import Damage, Journalled, SenderStream
from schemas.dreams import DreamEntry
from schemas.retrieval import PoolStatsRequest

LIMITS = SegmentLimits(size_bytes=1 << 26, age_ns=1 << 60)


def write_steps(folder: Path, count: int, epoch: int = 1, first_step: int = 1, receiver: str = "pool-keeper") -> None:
    """A journal of `count` steps, each saying one PoolStatsRequest."""
    journal = Journal(folder, {"actor": "learner"}, epoch, "process", LIMITS)
    journal.begin_segment(1, 0)
    numbering = Numbering(epoch)
    history = {}
    if epoch > 1:
        history = read_history(folder).predecessors
    numbering.predecessors.update(history)
    for step in range(first_step, first_step + count):
        out = numbering.outgoing(receiver, PoolStatsRequest(request=step))
        body, payloads = encode_step(StepRecord(Fired("tick"), bytes(8), (out,), None))
        journal.add(FrameKind.STEP, step, step, body, payloads)
        journal.flush()
    journal.close()


BEGINNING = Cursor(0, 0)


def read_all(folder: Path, cursor: Cursor = BEGINNING) -> list[Journalled | Damage]:
    stream = SenderStream(folder.parent, folder.name, "pool-keeper", PayloadStore(folder.parent))
    items = list(stream.after(cursor))
    stream.close()
    return items


def frames_of(folder: Path) -> list[Frame | Fault]:
    frames: list[Frame | Fault] = []
    for _, path in list_segments(folder):
        reader = SegmentReader(path)
        frames.extend(reader.frames(reader.first_frame, reader.size()))
        reader.close()
    return frames


def test_a_receiver_reads_back_every_message_in_order(run_folder: Path) -> None:
    write_steps(run_folder / "learner", 5)

    items = read_all(run_folder / "learner")

    assert [item.ref.seq for item in items if isinstance(item, Journalled)] == [1, 2, 3, 4, 5]
    assert [item.predecessor for item in items if isinstance(item, Journalled)] == [
        Cursor(0, 0),
        *(Cursor(1, seq) for seq in range(1, 5)),
    ]


def test_messages_to_others_are_not_served(run_folder: Path) -> None:
    write_steps(run_folder / "learner", 3, receiver="bias-synthesizer")

    assert read_all(run_folder / "learner") == []


def test_reading_goes_on_after_a_cursor_and_into_a_new_epoch(run_folder: Path) -> None:
    write_steps(run_folder / "learner", 3)
    write_steps(run_folder / "learner", 2, epoch=2, first_step=4)

    items = read_all(run_folder / "learner", Cursor(1, 2))

    positions = [Cursor(*item.ref[1:]) for item in items if isinstance(item, Journalled)]
    assert positions == [Cursor(1, 3), Cursor(2, 1), Cursor(2, 2)]
    second = items[1]
    assert isinstance(second, Journalled)
    assert second.predecessor == Cursor(1, 3)


def test_a_growing_journal_is_read_as_far_as_it_is_whole(run_folder: Path) -> None:
    folder = run_folder / "learner"
    write_steps(folder, 4)
    path = list_segments(folder)[0][1]
    whole = path.read_bytes()
    stream = SenderStream(run_folder, "learner", "pool-keeper", PayloadStore(run_folder))

    path.write_bytes(whole[:-7])
    first = list(stream.after(Cursor(0, 0)))
    path.write_bytes(whole)
    second = list(stream.after(Cursor(1, 3)))
    stream.close()

    assert [item.ref.seq for item in first if isinstance(item, Journalled)] == [1, 2, 3]
    assert [item.ref.seq for item in second if isinstance(item, Journalled)] == [4]


def test_cutting_at_every_byte_recovers_the_last_whole_frame_and_counts_the_rest(run_folder: Path) -> None:
    folder = run_folder / "learner"
    write_steps(folder, 3)
    path = list_segments(folder)[0][1]
    whole = path.read_bytes()
    ends = [frame.offset for frame in frames_of(folder) if isinstance(frame, Frame)] + [len(whole)]

    for size in range(ends[0], len(whole)):
        path.write_bytes(whole[:size])

        history = read_history(folder)

        last_whole = max(end for end in ends if end <= size)
        assert history.cut_bytes == size - last_whole
        assert path.stat().st_size == last_whole
        assert history.last.step == ends.index(last_whole)


def test_a_flipped_bit_in_any_frame_is_damage_and_never_served(run_folder: Path) -> None:
    folder = run_folder / "learner"
    write_steps(folder, 4)
    path = list_segments(folder)[0][1]
    whole = path.read_bytes()
    frames = [frame for frame in frames_of(folder) if isinstance(frame, Frame)]

    for victim, frame in enumerate(frames[:-1]):
        for at in range(frame.offset, frames[victim + 1].offset, 5):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])

            items = read_all(folder)

            served = [item.ref.seq for item in items if isinstance(item, Journalled)]
            damages = [item for item in items if isinstance(item, Damage)]
            assert served == [seq for seq in range(1, 5) if seq != victim + 1]
            assert [damage.offset for damage in damages] == [frame.offset]
            assert read_history(folder).cut_bytes == 0


def test_a_bad_last_frame_of_an_ended_segment_is_damage(run_folder: Path) -> None:
    folder = run_folder / "learner"
    write_steps(folder, 2)
    path = list_segments(folder)[0][1]
    path.write_bytes(path.read_bytes()[:-3])
    write_steps_without_repair(folder)

    items = read_all(folder)

    assert any(isinstance(item, Damage) for item in items)


def write_steps_without_repair(folder: Path) -> None:
    journal = Journal(folder, {"actor": "learner"}, 2, "process", LIMITS)
    journal.begin_segment(1, 0)
    journal.close()


def test_payloads_named_by_origin_are_found_in_the_first_senders_journal(run_folder: Path, dream: DreamEntry) -> None:
    journal = Journal(run_folder / "dreamer", {}, 1, "process", LIMITS)
    journal.begin_segment(1, 0)
    out = Numbering(1).outgoing("pool-keeper", dream)
    body, payloads = encode_step(StepRecord(Fired("episode"), bytes(8), (out,), None))
    journal.add(FrameKind.STEP, 1, 1, body, payloads)
    journal.flush()
    journal.close()

    found = PayloadStore(run_folder).resolve(MessageRef("dreamer", 1, 1))

    assert found == dream.tensor_blob


def test_a_full_disk_leaves_only_whole_frames(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(run_folder / "learner", {}, 1, "process", LIMITS)
    journal.begin_segment(1, 0)
    before = journal.size_bytes
    real = os.writev

    def short(fd: int, buffers: list[bytes]) -> int:
        return real(fd, [b"".join(bytes(part) for part in buffers)[:10]])

    journal.add(FrameKind.NOTE, 1, 1, b"a note that does not fit")
    monkeypatch.setattr(os, "writev", short)
    with pytest.raises(Exception, match="took only part"):
        journal.flush()
    assert list_segments(run_folder / "learner")[0][1].stat().st_size == before
    monkeypatch.setattr(os, "writev", real)
    journal.flush()
    journal.close()

    assert [frame.body for frame in frames_of(run_folder / "learner") if isinstance(frame, Frame)] == [
        b"a note that does not fit"
    ]


def test_a_closed_segment_ends_with_its_count_and_chain(run_folder: Path) -> None:
    journal = Journal(run_folder / "learner", {}, 1, "power", LIMITS)
    journal.begin_segment(1, 0)
    journal.add(FrameKind.NOTE, 1, 1, b"one")
    journal.flush()
    journal.seal(2)
    journal.flush()
    journal.end_segment()
    journal.close()

    kinds = [frame.kind for frame in frames_of(run_folder / "learner") if isinstance(frame, Frame)]

    assert kinds == [FrameKind.NOTE, FrameKind.CLOSE]


def test_a_step_survives_its_way_through_a_frame(run_folder: Path, dream: DreamEntry) -> None:
    out = Numbering(3).outgoing("pool-keeper", dream, (None,))
    record = StepRecord(MessageRef("bias-synthesizer", 2, 9), b"12345678", (out,), "a reason")
    body, payloads = encode_step(record)
    journal = Journal(run_folder / "dreamer", {}, 3, "process", LIMITS)
    journal.begin_segment(1, 0)
    journal.add(FrameKind.STEP, 1, 5, body, payloads)
    journal.flush()
    journal.close()

    (frame,) = (frame for frame in frames_of(run_folder / "dreamer") if isinstance(frame, Frame))
    again = decode_step(frame)

    assert again.event == record.event
    assert again.refusal == "a reason"
    assert again.outgoing[0].is_same_as(out)
    assert (again.outgoing[0].seq, again.outgoing[0].predecessor) == (out.seq, out.predecessor)
