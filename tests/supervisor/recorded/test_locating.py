"""What cannot be read back is found where it stood."""

from pathlib import Path

import pytest

from bus.core import MessageRef
from bus.recording import Recording
from bus.recovery import frames_of
from schemas.base import Message
from schemas.dreams import DreamEntry
from supervisor.recorded.locating import locate
from tests.recorded_run import Loop, flip, recorded_loop


@pytest.fixture
def loop(tmp_path: Path, examples: dict[str, Message]) -> Loop:
    dream = examples["DreamEntry"]
    assert isinstance(dream, DreamEntry)
    return recorded_loop(tmp_path / "20260101T000000Z-0001", dream, rounds=3)


def damage_dream(loop: Loop, number: int) -> int:
    """Flip a bit in the frame of a dream; the offset of that frame."""
    frames = [frame for frame in frames_of(loop.dreamer.path) if frame.payload]
    flip(loop.dreamer.path, frames[number - 1].offset + 60, 1)
    return int(frames[number - 1].offset)


def test_a_damaged_message_is_found_in_the_journal_of_its_sender(loop: Loop) -> None:
    offset = damage_dream(loop, 2)

    found = locate(Recording(loop.folder), MessageRef("dreamer", 1, 2))

    assert found is not None
    assert (found.actor, found.segment, found.offset) == ("dreamer", loop.dreamer.path.name, offset)


def test_a_damaged_payload_is_found_where_it_is_held(loop: Loop) -> None:
    offset = damage_dream(loop, 2)

    found = locate(Recording(loop.folder), MessageRef("pool-keeper", 1, 4))

    assert found is not None
    assert (found.actor, found.offset) == ("dreamer", offset)


def test_a_whole_message_is_nowhere_damaged(loop: Loop) -> None:
    damage_dream(loop, 2)

    assert locate(Recording(loop.folder), MessageRef("dreamer", 1, 3)) is None
    assert locate(Recording(loop.folder), MessageRef("pool-keeper", 1, 6)) is None


def test_a_message_beyond_the_end_is_missing_there(loop: Loop) -> None:
    loop.dreamer.path.write_bytes(loop.dreamer.path.read_bytes()[: damage_dream(loop, 3)])

    found = locate(Recording(loop.folder), MessageRef("dreamer", 1, 3))

    assert found is not None
    assert (found.offset, found.reason) == (loop.dreamer.path.stat().st_size, "the journal ends here")


def test_a_message_of_a_journal_that_is_not_there_is_missing_altogether(loop: Loop) -> None:
    found = locate(Recording(loop.folder), MessageRef("nobody", 1, 1))

    assert found is not None
    assert (found.actor, found.segment) == ("nobody", "")


def test_an_unfinished_write_is_told_with_its_place(loop: Loop) -> None:
    whole = loop.dreamer.path.read_bytes()
    loop.dreamer.path.write_bytes(whole[:-3])

    found = locate(Recording(loop.folder), MessageRef("dreamer", 1, 99))

    assert found is not None
    assert found.reason == "no whole frame to the end of the file"
