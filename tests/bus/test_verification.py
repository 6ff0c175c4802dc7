"""Verification: each flipped bit is reported with segment and offset; an unfinished write is counted, and no damage."""

import os
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.codec import pack
from bus.core import Fired
from bus.frame import FRAME_HEADER_BYTES, Frame, FrameKind, frame_buffers
from bus.journal_check import Finding, SegmentVerdict
from bus.recording import Recording
from bus.segment import SegmentReader
from bus.verification import Verification, verify
from schemas.dreams import DreamEntry
from schemas.retrieval import PoolStatsRequest
from tests.recorded_run import Writer, flip, recorded_loop


def segments_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.seg"))


def frames_in(path: Path) -> list[Frame]:
    reader = SegmentReader(path)
    frames = [item for item in reader.frames(reader.first_frame, reader.size()) if isinstance(item, Frame)]
    reader.close()
    return frames


def findings(verification: Verification) -> list[tuple[str, str, Finding]]:
    return [(segment.actor, segment.segment, finding) for segment, finding in verification.findings]


def only_finding(folder: Path) -> tuple[SegmentVerdict, Finding]:
    (found,) = verify(Recording(folder)).findings
    return found


def is_reported(verification: Verification, path: Path, offset: int) -> bool:
    """Whether a finding in `path` covers the byte at `offset`."""
    return any(
        (actor, segment) == (path.parent.name, path.name) and finding.offset <= offset < finding.offset + finding.size
        for actor, segment, finding in findings(verification)
    )


def without(path: Path, frame: Frame) -> bytes:
    whole = path.read_bytes()
    return whole[: frame.offset] + whole[frame.end :]


def test_a_whole_run_is_whole_and_counted(run_folder: Path, dream: DreamEntry) -> None:
    recorded_loop(run_folder, dream, rounds=3)

    found = verify(Recording(run_folder))

    assert findings(found) == []
    assert found.is_whole and found.is_readable and found.cut_bytes == 0 and found.unread == ()
    assert [(s.actor, s.frames, s.steps, s.messages, s.is_closed) for s in found.segments] == [
        ("dreamer", 7, 4, 3, True),
        ("learner", 13, 10, 3, True),
        ("pool-keeper", 10, 7, 6, True),
    ]


def test_a_flipped_bit_in_any_byte_of_a_segment_is_reported_where_it_is(run_folder: Path, dream: DreamEntry) -> None:
    recorded_loop(run_folder, dream, rounds=1)
    recording = Recording(run_folder)
    (path,) = segments_of(run_folder)[2:]

    for offset in range(path.stat().st_size):
        flip(path, offset, offset % 8)

        assert is_reported(verify(recording), path, offset), offset

        flip(path, offset, offset % 8)
    assert verify(recording).is_whole


@pytest.fixture(scope="module")
def closed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    writer = Writer(folder, "learner")
    for request in range(6):
        writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=request))])
        if request % 2:
            writer.rotate()
    writer.stop()
    return folder


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_in_any_segment_is_reported(closed_run: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(segments_of(closed_run)))
    offset = data.draw(st.integers(0, path.stat().st_size - 1))
    bit = data.draw(st.integers(0, 7))

    flip(path, offset, bit)
    found = verify(Recording(closed_run))
    flip(path, offset, bit)

    assert is_reported(found, path, offset)


def test_a_flipped_bit_in_the_last_frame_of_an_open_segment_is_no_unfinished_write(
    run_folder: Path, dream: DreamEntry
) -> None:
    loop = recorded_loop(run_folder, dream, rounds=1, is_closed=False)
    path = loop.dreamer.path
    last = frames_in(path)[-1]

    header = range(last.offset, last.offset + FRAME_HEADER_BYTES)
    rest = range(header.stop, last.end)

    for offset, bit in (*product(header, range(8)), *((offset, offset % 8) for offset in rest)):
        flip(path, offset, bit)

        found = verify(Recording(run_folder))

        flip(path, offset, bit)
        assert is_reported(found, path, offset), (offset, bit)
        assert found.cut_bytes == 0


def test_a_file_cut_at_any_byte_of_its_tail_has_an_unfinished_write_and_no_damage(run_folder: Path) -> None:
    writer = Writer(run_folder, "learner")
    for request in range(2):
        writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=request))])
    writer.crash()
    whole = writer.path.read_bytes()
    ends = [frame.end for frame in frames_in(writer.path)]

    for size in range(ends[0], len(whole)):
        writer.path.write_bytes(whole[:size])

        found = verify(Recording(run_folder))

        last_whole = max(end for end in ends if end <= size)
        (segment,) = found.segments
        assert found.is_whole
        assert segment.cut_bytes == size - last_whole
        assert segment.cut_offset == (last_whole if size > last_whole else None)


@pytest.mark.parametrize("size", [0, 5, 17, 60])
def test_a_segment_that_was_hardly_begun_is_an_unfinished_write(run_folder: Path, size: int) -> None:
    first = Writer(run_folder, "learner")
    first.crash()
    second = Writer(run_folder, "learner", after=first)
    second.crash()
    second.path.write_bytes(second.path.read_bytes()[:size])

    found = verify(Recording(run_folder))

    assert found.is_whole
    assert found.segments[-1].cut_bytes == size


@pytest.mark.parametrize("keep", [0, 40])
def test_a_tail_of_zeros_is_an_unfinished_write(run_folder: Path, keep: int) -> None:
    writer = Writer(run_folder, "learner")
    writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=1))])
    writer.crash()
    last = frames_in(writer.path)[-1]
    whole = writer.path.read_bytes()
    writer.path.write_bytes(whole[: last.offset + keep] + bytes(len(whole) - last.offset - keep))

    found = verify(Recording(run_folder))

    assert found.is_whole
    assert found.segments[0].cut_offset == last.offset


def test_an_unfinished_write_that_was_not_cut_is_damage_once_another_process_follows(run_folder: Path) -> None:
    first = Writer(run_folder, "learner")
    first.crash()
    Writer(run_folder, "learner", after=first).crash()
    torn = segments_of(run_folder)[0]
    size = torn.stat().st_size
    torn.write_bytes(torn.read_bytes() + b"\xd7\x0e\x01")

    segment, finding = only_finding(run_folder)

    assert (segment.segment, finding.kind, finding.offset) == (torn.name, "frame", size)


def test_a_frame_that_is_gone_from_an_open_segment_is_missed_by_its_number(run_folder: Path) -> None:
    writer = Writer(run_folder, "learner")
    for request in range(4):
        writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=request))])
    writer.crash()
    gone = frames_in(writer.path)[3]
    writer.path.write_bytes(without(writer.path, gone))

    _, finding = only_finding(run_folder)

    assert (finding.kind, finding.offset) == ("step", gone.offset)


def test_a_snapshot_that_is_gone_from_a_closed_segment_is_missed_by_its_closing_frame(run_folder: Path) -> None:
    writer = Writer(run_folder, "learner")
    writer.stop()
    snapshot, closing = frames_in(writer.path)[-2:]
    writer.path.write_bytes(without(writer.path, snapshot))

    segment, finding = only_finding(run_folder)

    assert (finding.kind, finding.offset) == ("closing", closing.offset - (snapshot.end - snapshot.offset))
    assert segment.lost_frames == 1


def test_a_closing_frame_with_another_chain_is_damage(run_folder: Path) -> None:
    writer = Writer(run_folder, "learner")
    writer.stop()
    closing = frames_in(writer.path)[-1]
    body = pack({"frames": 3, "last_step": closing.step, "chain": 7})
    buffers, _, _ = frame_buffers(FrameKind.CLOSE, closing.step, closing.wall_ns, body)
    writer.path.write_bytes(writer.path.read_bytes()[: closing.offset] + b"".join(buffers))

    _, finding = only_finding(run_folder)

    assert (finding.kind, finding.offset) == ("closing", closing.offset)
    assert "chain is 7" in finding.text


def test_a_closed_segment_that_lost_its_end_is_damage_when_another_follows(run_folder: Path) -> None:
    writer = Writer(run_folder, "learner")
    writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=1))])
    writer.rotate()
    writer.stop()
    first = segments_of(run_folder)[0]
    closing = frames_in(first)[-1]
    os.truncate(first, closing.offset)

    segment, finding = only_finding(run_folder)

    assert (segment.segment, finding.kind, finding.offset) == (first.name, "closing", closing.offset)


def test_a_segment_that_is_gone_is_missed_by_its_numbers(closed_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / closed_run.name / "learner"
    folder.mkdir(parents=True)
    kept = [path for number, path in enumerate(segments_of(closed_run)) if number != 1]
    for path in kept:
        (folder / path.name).write_bytes(path.read_bytes())

    segment, finding = only_finding(folder.parent)

    assert (segment.segment, finding.kind, finding.offset) == (kept[1].name, "number", 0)


def test_a_process_that_goes_on_after_a_step_that_is_gone_says_so(run_folder: Path) -> None:
    first = Writer(run_folder, "learner")
    first.step(Fired("ask"))
    first.crash()
    Writer(run_folder, "learner", after=first).crash()
    path = segments_of(run_folder)[0]
    os.truncate(path, frames_in(path)[-1].offset)

    segment, finding = only_finding(run_folder)

    assert (segment.segment, finding.kind, finding.offset) == ("e000002-s000000000001.seg", "step", 0)


def test_a_segment_of_another_actor_is_recognised(run_folder: Path) -> None:
    Writer(run_folder, "learner").stop()
    (run_folder / "learner").rename(run_folder / "dreamer")

    _, finding = only_finding(run_folder)

    assert (finding.kind, finding.offset) == ("head", 0)
    assert "'learner'" in finding.text and "'dreamer'" in finding.text


def test_a_journal_goes_on_over_a_crash_and_over_new_segments(run_folder: Path) -> None:
    first = Writer(run_folder, "learner")
    first.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=1))])
    first.rotate()
    first.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=2))])
    first.crash()
    second = Writer(run_folder, "learner", after=first)
    second.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=3))])
    second.stop()

    found = verify(Recording(run_folder))

    assert findings(found) == []
    assert [segment.is_closed for segment in found.segments] == [True, False, True]


def test_a_segment_that_may_not_be_read_is_unreadable_and_not_damaged(run_folder: Path) -> None:
    Writer(run_folder, "learner").stop()
    (path,) = segments_of(run_folder)
    path.unlink()
    path.symlink_to(run_folder / "nowhere")

    found = verify(Recording(run_folder))

    assert not found.is_readable
    assert [finding.kind for _, _, finding in findings(found)] == ["unreadable"]


def test_a_run_without_journals_is_not_readable(run_folder: Path) -> None:
    assert not verify(Recording(run_folder)).is_readable


def test_content_is_checked_where_that_is_asked_for(run_folder: Path, dream: DreamEntry) -> None:
    loop = recorded_loop(run_folder, dream, rounds=1)
    kinds: list[str] = []

    found = verify(Recording(loop.folder), lambda message: kinds.append(message.kind) or f"no {message.kind}")

    assert sorted(kinds) == ["DreamEntry", "LearningBatch", "PoolStats", "PoolStatsRequest"]
    assert {finding.kind for _, _, finding in findings(found)} == {"content"}


def test_the_bytes_that_were_read_are_told(run_folder: Path, dream: DreamEntry) -> None:
    loop = recorded_loop(run_folder, dream, rounds=1)
    read: list[int] = []

    verify(Recording(loop.folder, read.append))

    heads = sum(frames_in(path)[0].offset for path in segments_of(loop.folder))
    assert sum(read) == sum(path.stat().st_size for path in segments_of(loop.folder)) - heads
