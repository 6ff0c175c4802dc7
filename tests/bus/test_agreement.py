"""Journals that disagree: what one heard and another did not say is reported where it shows."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.core import Fired, MessageRef
from bus.frame import Frame
from bus.journal_check import Finding, SegmentVerdict
from bus.recording import Recording
from bus.segment import SegmentReader
from bus.verification import Verification, verify
from schemas.dreams import DreamEntry
from schemas.retrieval import PoolStatsRequest
from tests.recorded_run import Loop, batch, flip


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


@pytest.fixture
def loop(run_folder: Path, dream: DreamEntry) -> Loop:
    return Loop(run_folder, dream)


def test_a_message_that_was_handled_and_is_not_in_its_journal_is_reported(loop: Loop) -> None:
    loop.turn()
    loop.learner.step(MessageRef("pool-keeper", 1, 3))
    loop.stop()

    segment, finding = only_finding(loop.folder)

    assert (segment.actor, finding.kind) == ("learner", "input")
    assert "pool-keeper/1/3" in finding.text
    assert finding.offset in [frame.offset for frame in frames_in(loop.learner.path)]


def test_a_message_that_was_passed_over_is_reported(loop: Loop) -> None:
    loop.turn(is_answer_taken=False)
    loop.turn()
    loop.stop()

    segment, finding = only_finding(loop.folder)

    assert (segment.actor, finding.kind, finding.text) == ("learner", "input", "passes over pool-keeper/1/2")


def test_a_message_that_was_handled_twice_is_reported(loop: Loop) -> None:
    loop.turn()
    loop.keeper.step(MessageRef("dreamer", 1, 1))
    loop.stop()

    segment, finding = only_finding(loop.folder)

    assert (segment.actor, finding.kind) == ("pool-keeper", "input")
    assert "dreamer/1/1 out of order" in finding.text


def test_a_stream_with_another_predecessor_is_reported(loop: Loop) -> None:
    loop.turn()
    loop.learner._numbering.predecessors.clear()
    loop.learner.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=2))])
    loop.stop()

    segment, finding = only_finding(loop.folder)

    assert (segment.actor, finding.kind) == ("learner", "stream")


def test_a_payload_that_nobody_stores_is_reported(loop: Loop) -> None:
    loop.turn()
    loop.keeper.step(Fired("again"), [("learner", batch(loop.dream), (MessageRef("dreamer", 1, 9),))])
    loop.stop()

    segment, finding = only_finding(loop.folder)

    assert (segment.actor, finding.kind) == ("pool-keeper", "payload")
    assert "dreamer/1/9" in finding.text


def test_messages_that_were_not_taken_are_counted_and_no_damage(loop: Loop) -> None:
    loop.turn(is_answer_taken=False)
    loop.stop()

    found = verify(Recording(loop.folder))

    assert found.is_whole
    assert found.unread == (("pool-keeper", "learner", 1),)


def test_of_a_running_run_what_is_newer_than_the_reading_is_passed_over(loop: Loop) -> None:
    loop.turn()
    size = loop.dreamer.path.stat().st_size
    loop.turn()
    loop.crash()
    os.truncate(loop.dreamer.path, size)

    live, dead = verify(Recording(loop.folder), is_live=True), verify(Recording(loop.folder))

    assert live.is_whole
    assert {finding.kind for _, _, finding in findings(dead)} == {"input", "payload"}


def test_damage_in_one_journal_does_not_make_others_look_bad(loop: Loop) -> None:
    loop.turn()
    loop.turn()
    loop.stop()
    victim = frames_in(loop.learner.path)[2]
    flip(loop.learner.path, victim.offset + 30, 3)

    found = list(_places(verify(Recording(loop.folder))))

    assert ("learner", victim.offset, "frame") in found
    assert {actor for actor, _, kind in found if kind != "input"} == {"learner"}


def _places(verification: Verification) -> Iterator[tuple[str, int, str]]:
    return ((segment.actor, finding.offset, finding.kind) for segment, finding in verification.findings)
