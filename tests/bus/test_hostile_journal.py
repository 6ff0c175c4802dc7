"""Whatever stands in another's journal under a good checksum, its readers live: it is damage, said and skipped."""

import os
from pathlib import Path
from typing import Any

import pytest

from bus.actor_log import ActorLog
from bus.codec import pack
from bus.core import Cursor, MessageRef
from bus.errors import JournalError, MissingInputError
from bus.frame import MARK, Frame, FrameKind
from bus.intake import Intake
from bus.journal import Journal, SegmentLimits
from bus.payloads import PayloadStore
from bus.recording import Recording
from bus.recovery import ORIGIN, read_history
from bus.refusals import Refusals
from bus.segment import MOST_NAMES, SegmentName, SegmentReader, list_segments
from bus.skimming import JournalSkim
from bus.step import MAX_EPOCH, MAX_SEQ, decode_snapshot, decode_step
from bus.stream import Damage, Journalled, Pause, SenderStream
from bus.tally import count
from schemas.dreams import DreamEntry
from tests.written_run import WrittenRun

KEEPER = "pool-keeper"
EVENT, DIGEST = ("t", "episode"), bytes(8)
ROW = (KEEPER, "DreamEntry", 1, 1, 0, 0, b"body", ())


def step_of(rows: Any = (), event: Any = EVENT, digest: Any = DIGEST, refusal: Any = None) -> bytes:
    return pack((event, digest, rows, refusal))


def row(**changes: Any) -> bytes:
    """A step with one message, of which some fields are others."""
    names = ("receiver", "kind", "version", "seq", "epoch", "last", "body", "held")
    return step_of((tuple({**dict(zip(names, ROW, strict=True)), **changes}.values()),))


HOSTILE: dict[str, bytes] = {
    "no step": pack((KEEPER, 1)),
    "no array": pack({KEEPER: 1}),
    "nothing": pack(None),
    "no msgpack": KEEPER.encode() + b"\xc1",
    "nested without end": KEEPER.encode() + b"\x91" * 5000,
    "a map of four": pack({KEEPER: 1, "b": 2, "c": 3, "d": 4}),
    "rows that are none": step_of(KEEPER),
    "rows that are a map": step_of({KEEPER: 1}),
    "a row too short": step_of(((KEEPER,),)),
    "a row that is text": step_of(("pool-kee",), refusal=KEEPER),
    "seq of text": row(seq="1"),
    "seq of a float": row(seq=1.0),
    "seq none": row(seq=None),
    "seq true": row(seq=True),
    "seq nought": row(seq=0),
    "seq negative": row(seq=-1),
    "seq huge": row(seq=2**63),
    "seq too large": row(seq=MAX_SEQ + 1),
    "predecessor negative": row(epoch=-1, last=-1),
    "predecessor huge": row(epoch=MAX_EPOCH + 1),
    "predecessor of text": row(last="0"),
    "version of text": row(version="1"),
    "version negative": row(version=-1),
    "receiver of bytes": row(receiver=KEEPER.encode()),
    "kind none": row(kind=None, body=KEEPER.encode()),
    "kind without end": row(kind="k" * 5000),
    "body of text": row(body="body"),
    "payloads none": row(held=None),
    "payload larger than the frame": row(held=(1 << 40,)),
    "payload of negative size": row(held=(-4, 4)),
    "payload named by text": row(held=("dreamer",)),
    "origin too short": row(held=(("dreamer", 1),)),
    "origin of text": row(held=(("dreamer", "1", "2"),)),
    "origin negative": row(held=(("dreamer", -1, 2),)),
    "event none": step_of((ROW,), event=None),
    "event unknown": step_of((ROW,), event=("x", 1)),
    "event empty": step_of((ROW,), event=()),
    "event of text": step_of((ROW,), event="mabc"),
    "event names no sender": step_of((ROW,), event=("m", 1, 2, 3)),
    "event of a negative epoch": step_of((ROW,), event=("m", "learner", -1, 3)),
    "heard without body": step_of((ROW,), event=("m", "learner", 1, 3, "kind", 1)),
    "heard of text": step_of((ROW,), event=("m", "learner", 1, 3, "kind", "1", b"")),
    "digest of text": step_of((ROW,), digest="digest"),
    "refusal of a number": step_of((ROW,), refusal=7),
}


def journal_of(run_folder: Path, epoch: int = 1) -> Journal:
    journal = Journal(run_folder / "dreamer", {}, epoch, "process", SegmentLimits(1 << 30, 1 << 60))
    journal.begin_segment(1, 0)
    return journal


def write(run_folder: Path, *bodies: bytes, payload: bytes = b"") -> None:
    """A journal of the dreamer with these steps, each under a good checksum."""
    journal = journal_of(run_folder)
    for number, body in enumerate(bodies, 1):
        journal.add(FrameKind.STEP, number, 1, body, (payload,) if payload else ())
    journal.flush()
    journal.close()


def good(seq: int) -> bytes:
    return row(seq=seq, last=seq - 1, epoch=min(1, seq - 1))


def read_all(run_folder: Path) -> list[Journalled | Damage | Pause]:
    stream = SenderStream(run_folder, "dreamer", KEEPER, PayloadStore(run_folder))
    found = list(stream.after(Cursor(0, 0)))
    stream.close()
    return found


@pytest.fixture
def intake(run_folder: Path, seats, tmp_path: Path):
    """The way into the pool-keeper."""
    refusals = Refusals(tmp_path / "refusals", KEEPER)
    seat = next(seat for seat in seats if seat.instance == KEEPER)
    intake = Intake(seat, seats, run_folder, refusals, ActorLog(KEEPER))
    yield intake
    intake.close()
    refusals.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_step_that_is_none_is_damage_and_what_follows_is_served(run_folder: Path, name: str) -> None:
    naming = step_of((), refusal=KEEPER)
    write(run_folder, good(1), HOSTILE[name], naming, good(2))

    found = read_all(run_folder)

    damages = [item for item in found if isinstance(item, Damage)]
    assert [item.ref.seq for item in found if isinstance(item, Journalled)] == [1, 2]
    assert len(damages) == (1 if KEEPER.encode() in HOSTILE[name] else 0)
    assert all(len(damage.reason) < 400 for damage in damages)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_step_that_is_none_is_named_as_unreadable(name: str) -> None:
    frame = Frame(FrameKind.STEP, 1, 1, HOSTILE[name], memoryview(b""), 0, 0)

    with pytest.raises(JournalError, match="not readable"):
        decode_step(frame)


def test_sizes_that_do_not_fit_the_payload_are_damage(run_folder: Path) -> None:
    write(run_folder, row(held=(3,)), row(held=(5,)), row(held=()), payload=b"four")

    reasons = [item.reason for item in read_all(run_folder) if isinstance(item, Damage)]

    assert [reason.split(": ")[1] for reason in reasons] == [
        f"it holds 4 bytes of payload, its messages have {size}" for size in (3, 5, 0)
    ]


def test_the_keeper_counts_it_and_goes_on(run_folder: Path, intake: Intake) -> None:
    write(run_folder, *HOSTILE.values(), good(1))

    intake.look_back_everywhere()
    turns = 0
    while intake.has_backlog:
        intake.backlog(64)
        turns += 1

    assert intake.damaged == sum(KEEPER.encode() in body for body in HOSTILE.values())
    assert intake.cursor("dreamer") == Cursor(1, 1)
    assert turns > intake.damaged, "each damage lets others have their turn"


@pytest.mark.parametrize("name", HOSTILE)
def test_every_other_reader_lives_as_well(run_folder: Path, name: str) -> None:
    write(run_folder, HOSTILE[name], payload=b"four")
    origin = MessageRef("dreamer", 1, 1)

    skimmed = list(JournalSkim(run_folder, "dreamer").news())
    recorded = list(Recording(run_folder).steps("dreamer"))
    tally = count(Recording(run_folder), "dreamer")
    history = read_history(run_folder / "dreamer")
    with pytest.raises(MissingInputError):
        PayloadStore(run_folder).resolve(origin)

    assert [type(item) for item in (*skimmed, *recorded, *history.damages)] == [Damage] * 3
    assert (tally.steps, history.last.step) == (1, 1)
    assert len(list(history.steps_after(ORIGIN))) == 1


@pytest.mark.parametrize("name", ["seq of text", "seq negative", "seq huge", "seq none", "a row too short"])
def test_an_index_of_payloads_passes_over_what_is_none(run_folder: Path, name: str, dream: DreamEntry) -> None:
    write(run_folder, HOSTILE[name], row(held=(4,)), payload=b"four")

    assert bytes(PayloadStore(run_folder).resolve(MessageRef("dreamer", 1, 1))) == b"four"


def test_a_number_that_comes_twice_serves_no_empty_payload(run_folder: Path) -> None:
    twice = step_of((ROW, (*ROW[:-1], (4,))))
    write(run_folder, twice, payload=b"four")

    with pytest.raises(MissingInputError, match="holds no payload"):
        PayloadStore(run_folder).resolve(MessageRef("dreamer", 1, 1))


def test_an_origin_outside_of_the_run_is_not_looked_for(run_folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", row(held=(4,)), payload=b"four")

    with pytest.raises(MissingInputError):
        PayloadStore(run_folder).resolve(MessageRef(str(tmp_path / "elsewhere" / "dreamer"), 1, 1))


@pytest.mark.parametrize(
    "body",
    [
        pack((1, 2)),
        pack((b"", {"a": ("b", "c")}, {})),
        pack((b"", {"a": 1}, {})),
        pack((b"", (), {})),
        pack(("", {}, {})),
    ],
)
def test_a_snapshot_that_is_none_is_named(body: bytes) -> None:
    frame = Frame(FrameKind.SNAPSHOT, 1, 1, body, memoryview(b""), 0, 0)

    with pytest.raises(JournalError, match="not readable"):
        decode_snapshot(frame)


def test_an_own_snapshot_that_is_none_is_passed_over(run_folder: Path) -> None:
    journal = journal_of(run_folder)
    journal.add(FrameKind.SNAPSHOT, 1, 1, pack((b"", {"a": ("b", "c")}, {})))
    journal.flush()
    journal.close()

    history = read_history(run_folder / "dreamer")

    assert history.snapshot is None
    assert len(history.damages) == 1


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_no_regular_file_hangs_nobody_and_is_said_once(run_folder: Path, kind: str) -> None:
    write(run_folder, good(1))
    path = run_folder / "dreamer" / SegmentName(2, 1).file_name()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    stream = SenderStream(run_folder, "dreamer", KEEPER, PayloadStore(run_folder))

    looks = [list(stream.after(Cursor(0, 0))) for _ in range(3)]
    skimmed = list(JournalSkim(run_folder, "dreamer").news())
    tally = count(Recording(run_folder), "dreamer")
    stream.close()

    assert [[type(item) for item in look] for look in looks] == [[Journalled, Damage], [], []]
    assert isinstance(skimmed[-1], Damage)
    assert tally.messages == 1


def make_segments(folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    for at in range(number):
        os.close(os.open(folder / SegmentName(1, at + 1).file_name(), os.O_WRONLY | os.O_CREAT))


def test_thousands_of_empty_segments_are_passed_in_parts(run_folder: Path, intake: Intake) -> None:
    make_segments(run_folder / "dreamer", 3000)
    journal = journal_of(run_folder, epoch=2)
    journal.add(FrameKind.STEP, 1, 1, row())
    journal.flush()
    journal.close()
    intake.look_back_everywhere()

    accepted = []
    parts = 0
    while intake.has_backlog:
        accepted += intake.backlog(64)
        parts += 1

    assert [item.ref for item in accepted] == [MessageRef("dreamer", 2, 1)]
    assert parts == 4


def test_the_folder_is_not_listed_for_every_segment(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_segments(run_folder / "dreamer", 50)
    stream = SenderStream(run_folder, "dreamer", KEEPER, PayloadStore(run_folder))
    listed = []
    monkeypatch.setattr(
        "bus.stream.list_segments", lambda *given, **more: listed.append(given) or list_segments(*given, **more)
    )

    list(stream.after(Cursor(0, 0)))
    stream.close()

    assert len(listed) <= 4


def test_a_folder_with_names_without_end_is_said_and_not_looked_through(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_segments(run_folder / "dreamer", 30)
    monkeypatch.setattr("bus.stream.MOST_NAMES", 20)
    stream = SenderStream(run_folder, "dreamer", KEEPER, PayloadStore(run_folder))

    looks = [list(stream.after(Cursor(0, 0))) for _ in range(2)]

    assert MOST_NAMES > 20
    assert [[type(item) for item in look] for look in looks] == [[Damage], []]
    assert "more than 20 names" in looks[0][0].reason
    assert len(list_segments(run_folder / "dreamer")) == 30, "who starts an actor sees them all"


def test_a_long_stretch_for_others_is_read_in_parts(run_folder: Path) -> None:
    write(run_folder, *[step_of()] * 2500, good(1))

    found = read_all(run_folder)

    assert [type(item) for item in found] == [Pause, Pause, Journalled]


def test_bytes_full_of_false_beginnings_are_passed_in_one_go(run_folder: Path) -> None:
    write(run_folder, good(1))
    (_, path) = list_segments(run_folder / "dreamer")[0]
    room = 1 << 20
    false = b"".join(
        MARK + bytes([1, 0]) + (room - at - 32).to_bytes(4, "little") + bytes(24) for at in range(0, room, 32)
    )
    with path.open("ab") as file:
        file.write(b"\0" + false)
    reader = SegmentReader(path)

    found = list(reader.frames(reader.first_frame, reader.size()))
    reader.close()

    assert [type(item).__name__ for item in found] == ["Frame", "Fault"]
    assert (found[1].is_torn, found[1].reason.endswith("too many of them look like frames")) == (False, True)


@pytest.mark.parametrize("field", ["step", "wall_ns"])
def test_a_frame_whose_numbers_no_store_can_hold_is_none(run_folder: Path, field: str) -> None:
    journal = journal_of(run_folder)
    numbers = {"step": 1, "wall_ns": 1, field: 2**64 - 1}
    journal.add(FrameKind.STEP, numbers["step"], numbers["wall_ns"], good(1))
    journal.add(FrameKind.STEP, 2, 1, good(2))
    journal.flush()
    journal.close()

    found = read_all(run_folder)

    assert [type(item) for item in found] == [Damage, Journalled]
    assert isinstance(found[1], Journalled)
    assert found[1].ref.seq == 2


def test_a_step_that_the_recorder_wrote_is_read(run_folder: Path, dream: DreamEntry) -> None:
    run = WrittenRun(run_folder)
    run.step("dreamer", 1, pool_keeper=dream)

    (item,) = read_all(run_folder)

    assert isinstance(item, Journalled)
    assert item.payloads == (dream.tensor_blob,)
