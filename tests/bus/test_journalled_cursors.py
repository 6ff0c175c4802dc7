"""What an actor has heard is told by its journal: followed as it grows, in parts, and past what is damaged."""

from pathlib import Path

import pytest

from bus.codec import pack
from bus.core import Cursor, Fired, MessageRef
from bus.frame import FrameKind
from bus.journal import Journal, SegmentLimits
from bus.journalled_cursors import JournalledCursors
from bus.step import Heard, Outgoing, SnapshotRecord, StepRecord, encode_snapshot, encode_step

SENDER, DREAMER = "bias-synthesizer", "dreamer"


class DreamerJournal:
    """What a dreamer leaves behind: a snapshot with what it had heard, and steps."""

    def __init__(self, run_folder: Path, cursors: dict[str, Cursor], epoch: int = 1) -> None:
        self._journal = Journal(run_folder / DREAMER, {}, epoch, "process", SegmentLimits(1 << 30, 1 << 60))
        self._journal.begin_segment(1, 0)
        self._journal.add(FrameKind.SNAPSHOT, 0, 1, encode_snapshot(SnapshotRecord(b"", cursors, {})))
        self._journal.flush()

    def hear(self, *numbers: int) -> None:
        for number in numbers:
            heard = Heard("BiasProfile", 1, b"body")
            body, _ = encode_step(StepRecord(MessageRef(SENDER, 1, number), bytes(8), (), None, heard))
            self._journal.add(FrameKind.STEP, number, 1, body)
        self._journal.flush()

    def dream(self, number: int, payload: bytes) -> None:
        out = Outgoing("pool-keeper", "DreamEntry", 1, number, Cursor(0, 0), b"", (payload,), (None,))
        body, payloads = encode_step(StepRecord(Fired("episode"), bytes(8), (out,), None))
        self._journal.add(FrameKind.STEP, number, 1, body, payloads)
        self._journal.flush()

    def garble(self) -> None:
        """Write frames that are none under a good checksum."""
        self._journal.add(FrameKind.SNAPSHOT, 9, 1, pack((b"", {SENDER: ("a", "b")}, {})))
        self._journal.add(FrameKind.STEP, 9, 1, pack((("m", SENDER, "a", "b"), b"", (), None)))
        self._journal.flush()

    def close(self) -> None:
        self._journal.close()


def test_the_journal_is_followed_while_it_grows(run_folder: Path) -> None:
    journal = DreamerJournal(run_folder, {})
    teller = JournalledCursors(run_folder / DREAMER)

    seen = [teller.look()]
    journal.hear(1)
    seen.append(teller.look())
    journal.garble()
    journal.hear(2)
    seen.append(teller.look())
    journal.close()
    later = DreamerJournal(run_folder, {SENDER: Cursor(1, 3)}, epoch=2)
    seen.append(teller.look())
    later.close()

    assert seen == [{}, *({SENDER: Cursor(1, number)} for number in (1, 2, 3))]


def test_a_long_journal_is_read_a_bit_at_each_look(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.journalled_cursors.FRAMES_AT_ONCE", 4)
    journal = DreamerJournal(run_folder, {})
    journal.hear(*range(1, 9))
    teller = JournalledCursors(run_folder / DREAMER)

    seen = [teller.look() for _ in range(3)]
    journal.close()

    assert seen == [None, None, {SENDER: Cursor(1, 8)}]


def test_without_any_journal_nothing_is_told(run_folder: Path) -> None:
    assert JournalledCursors(run_folder / DREAMER).look() is None
