"""The conversation of a run: one order for all actors, also while it is written and when clocks jump."""

from pathlib import Path

import pytest

from bus.core import MessageRef
from bus.errors import MissingInputError
from bus.skimming import SkimmedStep
from schemas import Message
from schemas.retrieval import PoolStatsRequest
from supervisor.recorded.conversation import Conversation, follow
from tests.written_run import WrittenRun, time_ns

QUESTION = PoolStatsRequest(request=1)


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    return WrittenRun(tmp_path / "run")


def places(steps: list[SkimmedStep]) -> list[str]:
    return [f"{step.actor} {step.number}" for step in steps]


def test_steps_of_all_actors_are_merged_by_time(run: WrittenRun) -> None:
    for actor, times in {"dreamer": (1, 4), "learner": (2, 3), "pool-keeper": (0, 5)}.items():
        for at_s in times:
            run.step(actor, at_s)

    steps = list(Conversation(run.folder).steps())

    assert [step.wall_ns for step in steps] == [time_ns(at_s) for at_s in range(6)]


def test_no_step_comes_before_the_message_that_it_handles_whatever_the_clock_does(run: WrittenRun) -> None:
    (asked,) = run.step("learner", 10, pool_keeper=QUESTION)
    run.step("learner", 11)
    run.step("pool-keeper", 2, event=asked)
    run.step("dreamer", 5)

    steps = list(Conversation(run.folder).steps())

    assert places(steps) == ["dreamer 1", "learner 1", "pool-keeper 1", "learner 2"]


def test_a_step_waits_once_for_a_message_that_cannot_be_read_yet(run: WrittenRun) -> None:
    asked = MessageRef("learner", 1, 1)
    run.begin("learner")
    run.step("pool-keeper", 2, event=asked)
    conversation = Conversation(run.folder)

    first = list(conversation.steps(is_final=False))
    run.step("learner", 1, pool_keeper=QUESTION)
    second = list(conversation.steps(is_final=False))

    assert (places(first), places(second)) == ([], ["learner 1", "pool-keeper 1"])


def test_a_message_that_never_comes_holds_nobody_up_for_long(run: WrittenRun) -> None:
    run.begin("learner")
    run.step("pool-keeper", 2, event=MessageRef("learner", 1, 1))
    live, recorded = Conversation(run.folder), Conversation(run.folder)

    looks = [places(list(live.steps(is_final=False))) for _ in range(3)]

    assert looks == [[], ["pool-keeper 1"], []]
    assert places(list(recorded.steps())) == ["pool-keeper 1"]


def test_an_actor_that_begins_later_is_heard(run: WrittenRun) -> None:
    run.step("learner", 1)
    conversation = Conversation(run.folder)
    list(conversation.steps())

    run.step("dreamer", 2)

    assert places(list(conversation.steps())) == ["dreamer 1"]


def test_reading_from_now_on_leaves_out_what_was_said_before(run: WrittenRun) -> None:
    (asked,) = run.step("learner", 1, pool_keeper=QUESTION)
    conversation = Conversation(run.folder, is_from_now=True)

    run.step("pool-keeper", 2, event=asked)

    assert places(list(conversation.steps())) == ["pool-keeper 1"]


def test_reading_since_a_time_leaves_out_what_is_older(run: WrittenRun) -> None:
    for at_s in (1, 2, 3):
        run.step("learner", at_s)

    steps = list(Conversation(run.folder, since_ns=time_ns(2)).steps())

    assert places(steps) == ["learner 2", "learner 3"]


def test_following_gives_what_is_written_meanwhile_and_looks_once_more_at_the_end(run: WrittenRun) -> None:
    run.step("learner", 0)
    times = iter((1, 2, 3))

    def is_over() -> bool:
        at_s = next(times)
        run.step("learner", at_s)
        return at_s == 3

    steps = list(follow(Conversation(run.folder), is_over, pause=lambda: run.step("dreamer", 9)))

    assert places(steps) == ["learner 1", "learner 2", "learner 3", "dreamer 1", "learner 4", "dreamer 2"]


def test_damage_is_named_and_the_rest_is_told(run: WrittenRun) -> None:
    run.step("learner", 1)
    end_of_first = run.path("learner").stat().st_size
    run.step("learner", 2)
    run.flip("learner", end_of_first - 1)
    conversation = Conversation(run.folder)

    steps = list(conversation.steps())

    assert places(steps) == ["learner 2"]
    assert [damage.segment for damage in conversation.damages] == [run.path("learner").name]


def test_a_tensor_is_checked_when_it_is_asked_for(run: WrittenRun, examples: dict[str, Message]) -> None:
    run.step("dreamer", 1, pool_keeper=examples["DreamEntry"])
    conversation = Conversation(run.folder)
    (message,) = next(iter(conversation.steps())).messages
    assert [bytes(payload) for payload in conversation.payloads_of(message)] == [bytes(range(32))]

    run.flip("dreamer", -1)

    with pytest.raises(MissingInputError, match="no intact frame"):
        conversation.payloads_of(message)
