"""An actor that says that it can never start is believed: no retries, and nothing is started without it."""

from bus.host import EXIT_PERMANENT
from supervisor.disk import tells_of_no_space
from supervisor.supervision import EXIT_CANNOT_START

STARTED = ("pool-keeper", "bias-synthesizer", "learner", "dreamer")


def test_exit_code_is_the_one_that_actors_end_with() -> None:
    assert EXIT_CANNOT_START == EXIT_PERMANENT


def test_keeper_that_can_never_start_ends_the_start_at_once(stage) -> None:
    stage.turn()
    stage.fail("pool-keeper", EXIT_CANNOT_START, "cannot start: the pool is damaged")

    stage.turn()

    assert stage.supervision.is_finished
    assert stage.launcher.spawned == [("pool-keeper", 1)]
    assert stage.supervision.cannot_start == {"pool-keeper": "the pool is damaged"}
    assert stage.actor("pool-keeper").history.in_window(stage.now_s) == 0
    assert stage.actor("pool-keeper").restarts == 0


def test_those_that_run_already_are_stopped_in_order_when_a_later_one_can_never_start(stage) -> None:
    for name in STARTED[:2]:
        stage.turn()
        stage.ready(name)
    stage.turn()
    stage.fail("learner", EXIT_CANNOT_START, "the inputs are gone")

    for _ in range(4):
        stage.turn()

    assert stage.supervision.is_finished
    assert ("dreamer", 1) not in stage.launcher.spawned
    assert stage.actor("pool-keeper").exit_status == 0
    assert stage.actor("learner").state == "failed"


def test_once_everything_was_up_the_others_go_on(running) -> None:
    running.process("learner").status = -9
    running.turn()
    running.fail("learner", EXIT_CANNOT_START, "its socket is taken")

    running.turn()

    assert running.supervision.failed == ("learner",)
    assert running.actor("learner").reason == "its socket is taken"
    assert running.supervision.stop_reason is None
    assert running.launcher.spawned[-1] == ("learner", 2)


def test_reason_of_an_ordinary_failure_is_the_actors_own(running) -> None:
    running.fail("learner", 70, "ValueError: x")

    running.turn()

    assert running.crashes == [("learner", 70, "ValueError: x")]


def test_who_was_never_ready_is_known(stage) -> None:
    stage.turn()
    stage.ready("pool-keeper")
    stage.turn()

    assert stage.supervision.never_ready == STARTED[1:]


def test_actors_that_wanted_room_are_tried_again_when_there_is_room(running) -> None:
    for name, reason in (("learner", "OSError: No space left on device"), ("dreamer", "its socket is taken")):
        running.process(name).status = -9
        running.turn()
        running.fail(name, EXIT_CANNOT_START, reason)
        running.turn()

    running.supervision.revive(running.now_s, tells_of_no_space)
    running.turn()

    assert running.actor("learner").state == "starting"
    assert running.actor("dreamer").state == "failed"
    assert running.supervision.cannot_start == {"dreamer": "its socket is taken"}
