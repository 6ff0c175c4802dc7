"""The bus in memory: the same cores, in virtual time, the same every time."""

from collections.abc import Callable

from bus.core import Actor
from bus.memory import MemoryBus
from schemas.manifest import Seat
from schemas.retrieval import PoolStats, PoolStatsRequest


def a_bus(talker: Callable[[], Actor], answerer: Callable[[], Actor]) -> MemoryBus:
    learner = Seat(instance="learner", role="learner")
    keeper = Seat(instance="pool-keeper", role="pool-keeper")
    return MemoryBus({learner: talker(), keeper: answerer()})


def test_a_conversation_runs_in_virtual_time(talker: Callable[[], Actor], answerer: Callable[[], Actor]) -> None:
    bus = a_bus(talker, answerer)

    bus.run(0.0105)

    requests = [message.request for message in bus.messages(PoolStatsRequest)]
    answers = [message.request for message in bus.messages(PoolStats)]
    assert requests == list(range(1, 12))
    assert answers == requests


def test_the_same_conversation_comes_out_again(talker: Callable[[], Actor], answerer: Callable[[], Actor]) -> None:
    one, other = a_bus(talker, answerer), a_bus(talker, answerer)

    one.run(1.0)
    other.run(0.4)
    other.run(0.6)

    assert one.said == other.said


def test_a_timer_that_is_set_again_fires_once(answerer: Callable[[], Actor], talker: Callable[[], Actor]) -> None:
    bus = a_bus(talker, answerer)
    bus.run(0.0)
    before = len(bus.messages(PoolStatsRequest))

    bus.run(0.001)

    assert len(bus.messages(PoolStatsRequest)) == before + 1
