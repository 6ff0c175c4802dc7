"""Payloads that a journal names, read as checked bytes or handed as views of the mapped segment."""

import os
from pathlib import Path
from typing import Any

import pytest

from bus.core import Fired, MessageRef
from bus.errors import MissingInputError
from bus.frame import FrameKind
from bus.journal import Journal, SegmentLimits
from bus.mapping import MOST_MAPS, MappedFiles
from bus.payloads import PayloadStore
from bus.randomness import UNTOUCHED
from bus.step import Numbering, StepRecord, encode_step
from schemas.dreams import DreamEntry
from schemas.errors import TensorRefusedError
from schemas.tensor import decode


class Dreamer:
    """Writes dreams into a journal."""

    def __init__(self, run_folder: Path, segment_bytes: int = 1 << 30) -> None:
        self.folder = run_folder / "dreamer"
        self.journal = Journal(self.folder, {}, 1, "process", SegmentLimits(segment_bytes, 1 << 62))
        self.journal.begin_segment(1, 1)
        self.numbering = Numbering(1)

    def say(self, *dreams: DreamEntry) -> list[MessageRef]:
        refs = []
        for dream in dreams:
            out = self.numbering.outgoing("pool-keeper", dream)
            body, payloads = encode_step(StepRecord(Fired("dream"), UNTOUCHED, (out,), None))
            self.journal.add(FrameKind.STEP, out.seq, 1, body, payloads)
            self.journal.flush()
            refs.append(MessageRef("dreamer", 1, out.seq))
        return refs


@pytest.fixture
def dreamer(run_folder: Path) -> Dreamer:
    return Dreamer(run_folder)


def test_a_view_has_the_bytes_that_reading_gives(run_folder: Path, dreamer: Dreamer, dream: DreamEntry) -> None:
    # issue 5: handles, not bytes
    (ref,) = dreamer.say(dream)

    view = PayloadStore(run_folder, checks_named=False).resolve(ref)

    assert bytes(view) == bytes(PayloadStore(run_folder).resolve(ref)) == bytes(dream.tensor_blob)
    assert isinstance(view, memoryview)
    assert view.readonly


def test_a_view_outlives_the_file_and_the_store(run_folder: Path, dreamer: Dreamer, dream: DreamEntry) -> None:
    # brief of issue 5: compaction and pruning never pull a mapped segment away under a reader
    (ref,) = dreamer.say(dream)
    store = PayloadStore(run_folder, checks_named=False)
    view = store.resolve(ref)

    store.close()
    for path in dreamer.folder.glob("*.seg"):
        path.unlink()

    assert bytes(view) == bytes(dream.tensor_blob)


def test_what_a_growing_segment_got_later_is_found(run_folder: Path, dreamer: Dreamer, dream: DreamEntry) -> None:
    store = PayloadStore(run_folder, checks_named=False)
    (first,) = dreamer.say(dream)
    store.resolve(first)

    later = dreamer.say(dream, dream, dream)

    assert [bytes(store.resolve(ref)) for ref in later] == [bytes(dream.tensor_blob)] * 3


def test_a_segment_that_began_later_is_found(run_folder: Path, dreamer: Dreamer, dream: DreamEntry) -> None:
    store = PayloadStore(run_folder, checks_named=False)
    (first,) = dreamer.say(dream)
    store.resolve(first)
    dreamer.journal.end_segment()
    dreamer.journal.begin_segment(dreamer.numbering.last_seq + 1, 2)

    (second,) = dreamer.say(dream)

    assert bytes(store.resolve(second)) == bytes(store.resolve(first)) == bytes(dream.tensor_blob)


@pytest.mark.parametrize("checks", [True, False])
def test_a_later_process_of_the_sender_is_told_from_the_one_before(
    run_folder: Path, dreamer: Dreamer, dream: DreamEntry, checks: bool
) -> None:
    store = PayloadStore(run_folder, checks_named=checks)
    (first,) = dreamer.say(dream)
    store.resolve(first)
    other = dream.model_copy(update={"tensor_blob": b"another"})

    with pytest.raises(MissingInputError):
        store.resolve(MessageRef("dreamer", 2, 1))
    dreamer.journal.end_segment()
    dreamer.journal = Journal(dreamer.folder, {}, 2, "process", SegmentLimits(1 << 30, 1 << 62))
    dreamer.journal.begin_segment(1, 1)
    dreamer.numbering = Numbering(2)
    dreamer.say(other)

    assert bytes(store.resolve(MessageRef("dreamer", 2, 1))) == b"another"
    assert bytes(store.resolve(first)) == bytes(dream.tensor_blob)


def test_a_changed_bit_is_found_by_reading_and_by_the_hash_of_who_takes_a_view(
    run_folder: Path, dreamer: Dreamer, dream: DreamEntry
) -> None:
    # issue 5, bad input: blob with one flipped bit
    (ref,) = dreamer.say(dream)
    (path,) = dreamer.folder.glob("*.seg")
    data = bytearray(path.read_bytes())
    at = data.rindex(bytes(dream.tensor_blob)) + len(dream.tensor_blob) // 2
    data[at] ^= 1
    path.write_bytes(data)

    with pytest.raises(MissingInputError):
        PayloadStore(run_folder).resolve(ref)
    view: Any = PayloadStore(run_folder, checks_named=False).resolve(ref)

    with pytest.raises(TensorRefusedError):
        decode(view, dream.shape, dream.tensor_sha256)


def test_a_message_that_no_journal_has_is_refused(run_folder: Path, dreamer: Dreamer, dream: DreamEntry) -> None:
    dreamer.say(dream)
    store = PayloadStore(run_folder, checks_named=False)

    for ref in (MessageRef("dreamer", 1, 9), MessageRef("nobody", 1, 1), MessageRef("../dreamer", 1, 1)):
        with pytest.raises(MissingInputError):
            store.resolve(ref)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_frame_that_is_cut_short_is_refused(
    run_folder: Path, dreamer: Dreamer, dream: DreamEntry, share: float
) -> None:
    (first, second) = dreamer.say(dream, dream)
    (path,) = dreamer.folder.glob("*.seg")
    size = path.stat().st_size
    store = PayloadStore(run_folder, checks_named=False)
    store.resolve(first)
    frame = store._known_frame(second) or (path, 0)
    os.truncate(path, frame[1] + int((size - frame[1]) * share))

    fresh = PayloadStore(run_folder, checks_named=False)

    assert bytes(fresh.resolve(first)) == bytes(dream.tensor_blob)
    with pytest.raises(MissingInputError):
        fresh.resolve(second)


def test_no_more_files_are_mapped_than_said(tmp_path: Path) -> None:
    mapped = MappedFiles()
    paths = [tmp_path / f"{number}" for number in range(MOST_MAPS + 3)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 10)

    views = [mapped.view(str(path), 2, 5) for path in paths]

    assert [bytes(view) for view in views] == [bytes([number]) * 3 for number in range(len(paths))]
    assert len(mapped._maps) == MOST_MAPS


@pytest.mark.parametrize(("start", "end"), [(0, 11), (-1, 3), (5, 4), (11, 11)])
def test_a_stretch_that_the_file_does_not_have_is_refused(tmp_path: Path, start: int, end: int) -> None:
    path = tmp_path / "ten"
    path.write_bytes(bytes(10))

    with pytest.raises(ValueError, match="10 bytes"):
        MappedFiles().view(str(path), start, end)


def test_a_link_is_not_mapped(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(bytes(10))
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(OSError, match="link"):
        MappedFiles().view(str(tmp_path / "link"), 0, 5)
