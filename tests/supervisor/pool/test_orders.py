"""What the user wants of the pool-keeper is a journal like any actor's: all of it is said, or nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bus.core import Cursor, Received
from bus.frame import Frame, FrameKind
from bus.payloads import PayloadStore
from bus.readback import Admission
from bus.recording import Recording
from bus.recovery import frames_of
from bus.segment import list_segments
from bus.step import decode_step
from bus.stream import Journalled, SenderStream
from bus.verification import verify
from schemas.base import Message
from schemas.pool import AdoptDream, PinDreams
from supervisor.errors import ControlError
from supervisor.pool.orders import STAGED, Staged, publish, stage, writing_orders
from tests.actors.pool_keeper.conftest import make_dream
from tests.scripted_trials import order_of

PIN = PinDreams(dream_ids=(make_dream(1).id,), is_pinned=True)


def heard(filled: Any) -> list[Message]:
    """What the pool-keeper reads."""
    stream = SenderStream(filled.run.journal, "supervisor", "pool-keeper", PayloadStore(filled.run.journal))
    admission = Admission("pool-keeper", filled.run.read_manifest().seats)
    items = list(stream.after(Cursor(0, 0)))
    stream.close()
    assert all(isinstance(item, Journalled) for item in items)
    return [admission.judge(item).message for item in items]  # type: ignore[union-attr,arg-type]


def say(filled: Any, *orders: Message, is_published: bool = True) -> Staged:
    with writing_orders(filled.run):
        staged = stage(filled.run, filled.run.read_manifest(), orders, lambda _count: None)
        if is_published:
            publish(filled.run, staged.segment)
    return staged


def test_orders_are_heard_in_order_with_their_tensors(filled: Any) -> None:
    adopt = AdoptDream(**make_dream(2).__dict__)

    first, second = say(filled, PIN, adopt), say(filled, PIN)

    assert heard(filled) == [PIN, adopt, PIN]
    assert (first.last, second.last) == (Cursor(1, 2), Cursor(2, 1))


def test_what_was_never_published_is_never_heard_and_leaves_nothing(filled: Any) -> None:
    say(filled, PIN)

    say(filled, PIN, PIN, is_published=False)

    assert heard(filled) == [PIN]
    assert not (filled.run.journal / "supervisor" / STAGED).exists()


def test_a_writer_that_dies_half_way_leaves_nothing_and_hinders_nobody(filled: Any) -> None:
    def broken() -> Iterator[Message]:
        yield PIN
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), writing_orders(filled.run):
        stage(filled.run, filled.run.read_manifest(), broken(), lambda _count: None)
    half = filled.run.journal / "supervisor" / STAGED / "e000001-s000000000001.seg"
    half.parent.mkdir()
    half.write_bytes(b"half written by one that was killed")

    say(filled, PIN)

    assert heard(filled) == [PIN]


def test_the_journal_is_whole_after_many_writers(filled: Any) -> None:
    for count in (3, 1, 2):
        say(filled, *[PIN] * count)

    verification = verify(Recording(filled.run.journal))

    assert list(verification.findings) == []


@pytest.mark.parametrize("name", ["e000009-s000000000001.seg", "../../manifest.json", ""])
def test_a_segment_that_nobody_staged_cannot_be_published(filled: Any, name: str) -> None:
    with pytest.raises(ControlError, match="no staged segment"):
        publish(filled.run, name)


def test_only_published_segments_are_actors_of_a_recording(filled: Any, tmp_path: Path) -> None:
    say(filled, PIN, is_published=False)

    assert Recording(filled.run.journal).actors() == []


def test_orders_to_two_actors_reach_each_in_order(filled: Any) -> None:
    evaluate = [order_of(order_id=f"o{number}") for number in range(3)]
    staged = [say(filled, PIN), tell_runner(filled, evaluate[0], evaluate[1]), say(filled, PIN)]
    staged.append(tell_runner(filled, evaluate[2]))

    stream = SenderStream(filled.run.journal, "supervisor", "regime-runner", PayloadStore(filled.run.journal))
    admission = Admission("regime-runner", ())
    received = [admission.judge(item) for item in stream.after(Cursor(0, 0)) if isinstance(item, Journalled)]
    stream.close()

    assert heard(filled) == [PIN, PIN]
    assert [item.message for item in received if isinstance(item, Received)] == evaluate
    assert [each.last for each in staged] == [Cursor(1, 1), Cursor(2, 2), Cursor(3, 1), Cursor(4, 1)]
    assert predecessors(filled, "pool-keeper") == [Cursor(0, 0), Cursor(1, 1)]
    assert predecessors(filled, "regime-runner") == [Cursor(0, 0), Cursor(2, 1), Cursor(2, 2)]


def predecessors(filled: Any, receiver: str) -> list[Cursor]:
    """What each message to `receiver` says comes before it: a receiver accepts it only then."""
    frames = [frame for _, path in list_segments(filled.run.journal / "supervisor") for frame in frames_of(path)]
    steps = [decode_step(frame) for frame in frames if isinstance(frame, Frame) and frame.kind is FrameKind.STEP]
    return [out.predecessor for step in steps for out in step.outgoing if out.receiver == receiver]


def tell_runner(filled: Any, *orders: Message) -> Staged:
    with writing_orders(filled.run):
        staged = stage(filled.run, filled.run.read_manifest(), orders, lambda _count: None, "regime-runner")
        publish(filled.run, staged.segment)
    return staged
