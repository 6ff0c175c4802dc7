"""The loop of an actor over real sockets and journals: exactly once, in order, after any kind of loss."""

from collections.abc import Callable

import pytest

from bus.codec import encode_body
from bus.core import Actor, Outcome, Send, Started
from bus.envelope import Envelope, encode_envelope
from bus.execution import Execution, UndeclaredMessageError
from bus.link import Outlet
from bus.randomness import RandomSource
from bus.step import Numbering
from bus.topology import TOPOLOGY
from schemas.base import Message
from schemas.dreams import DreamEntry
from schemas.manifest import Seat
from schemas.retrieval import PoolStatsRequest


def test_every_request_is_answered_once_and_in_order(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor]
) -> None:
    keeper = stage.enter("pool-keeper", answerer)
    learner = stage.enter("learner", talker)

    stage.play(lambda: len(learner.actor.core.answers) >= 50)

    assert learner.actor.core.answers[:50] == list(range(1, 51))
    assert keeper.actor.core.seen[:50] == list(range(1, 51))


def test_what_was_said_before_the_receiver_came_is_read_from_the_journal(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor]
) -> None:
    learner = stage.enter("learner", talker)
    stage.play(lambda: learner.actor.core.asked >= 30)

    keeper = stage.enter("pool-keeper", answerer)
    stage.play(lambda: len(learner.actor.core.answers) >= 40)

    assert keeper.intake.recovered >= 30
    assert keeper.actor.core.seen == list(range(1, len(keeper.actor.core.seen) + 1))


@pytest.mark.parametrize("victim", ["learner", "pool-keeper"])
def test_a_killed_actor_comes_back_and_nothing_is_lost_or_doubled(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor], victim: str
) -> None:
    builds = {"learner": talker, "pool-keeper": answerer}
    playing = {name: stage.enter(name, build) for name, build in builds.items()}

    for epoch in range(2, 8):
        goal = playing["learner"].actor.core.asked + 10
        stage.play(lambda goal=goal: playing["learner"].actor.core.asked >= goal)
        stage.kill(playing[victim])
        playing[victim] = stage.enter(victim, builds[victim], epoch)
    goal = playing["learner"].actor.core.asked + 10
    stage.play(lambda: len(playing["learner"].actor.core.answers) >= goal)

    answers = playing["learner"].actor.core.answers
    seen = playing["pool-keeper"].actor.core.seen
    assert answers == list(range(1, len(answers) + 1))
    assert seen == list(range(1, len(seen) + 1))


def test_a_full_send_queue_loses_nothing(stage, answerer: Callable[[], Actor], talker: Callable[[], Actor]) -> None:
    learner = stage.enter("learner", talker)
    learner.actor.core.burst = 500
    keeper = stage.enter("pool-keeper", answerer)

    stage.play(lambda: len(keeper.actor.core.seen) >= 5000)

    assert keeper.actor.core.seen[:5000] == list(range(1, 5001))


def forged(sender: str, message: Message, seq: int = 1) -> tuple[bytes, bytes]:
    envelope = Envelope(message.kind, 1, sender, 1, seq, 0, 0, 0, "", 0, 0, 0, 0)
    return encode_envelope(envelope), encode_body(message)


def test_what_the_topology_does_not_name_is_refused_and_counted(
    stage, answerer: Callable[[], Actor], dream: DreamEntry
) -> None:
    keeper = stage.enter("pool-keeper", answerer)
    outlet = Outlet(stage.context, stage.runtime, ["pool-keeper"])
    wrong = [
        forged("bias-synthesizer", PoolStatsRequest(request=1)),
        forged("dreamer", PoolStatsRequest(request=1)),
        forged("stranger", PoolStatsRequest(request=1)),
        forged("learner", dream),
        (b"\xc1", b""),
        (b"x" * 10_000, b""),
    ]

    stage.play(lambda: outlet.send("pool-keeper", *wrong[0]))
    for parts in wrong[1:]:
        outlet.send("pool-keeper", *parts)
    stage.play(lambda: keeper.refusals.count >= len(wrong))
    outlet.close()

    assert keeper.actor.core.seen == []
    assert (stage.home / "logs" / "refusals" / "pool-keeper.jsonl").read_text().count("\n") == len(wrong)


def test_a_bad_body_moves_no_cursor(stage, answerer: Callable[[], Actor], talker: Callable[[], Actor]) -> None:
    keeper = stage.enter("pool-keeper", answerer)
    outlet = Outlet(stage.context, stage.runtime, ["pool-keeper"])
    head, body = forged("learner", PoolStatsRequest(request=1))

    stage.play(lambda: outlet.send("pool-keeper", head, body[:-1]))
    stage.play(lambda: keeper.refusals.count == 1)
    outlet.close()
    learner = stage.enter("learner", talker)
    stage.play(lambda: len(learner.actor.core.answers) >= 5)

    assert keeper.actor.core.seen[:5] == [1, 2, 3, 4, 5]


def test_the_dreamers_inbox_knows_one_row() -> None:
    # design: the dreamer only ever receives BiasProfile
    rows = {(row.sender, row.message.kind) for row in TOPOLOGY if row.receiver == "dreamer"}

    assert rows == {("bias-synthesizer", "BiasProfile")}


class Liar:
    """A keeper that asks what only a learner may ask."""

    def handle(self, event: object, now_ns: int) -> Outcome:
        return Outcome(sends=[Send(PoolStatsRequest(request=1))])


def test_a_core_cannot_say_what_the_topology_does_not_allow(seats: tuple[Seat, ...]) -> None:
    keeper = next(seat for seat in seats if seat.role == "pool-keeper")
    execution = Execution(Actor(Liar(), RandomSource(1, 1, "pool-keeper")), keeper, seats, Numbering(1))

    with pytest.raises(UndeclaredMessageError, match="no row for PoolStatsRequest from pool-keeper"):
        execution.handle(Started(1), 0)
