"""An actor that may not open the next segment of its journal ends in order, and another process goes on."""

import pytest

from bus.host import EXIT_SUCCESSOR as ACTORS_EXIT
from schemas.isolation import Rung
from supervisor.plan import PAIR
from supervisor.supervision import EXIT_SUCCESSOR
from tests.supervisor.conftest import Stage


def test_exit_code_is_the_one_that_actors_end_with() -> None:
    assert EXIT_SUCCESSOR == ACTORS_EXIT


def test_a_successor_is_started_at_once_and_counts_as_no_restart(running) -> None:
    running.process("dreamer").status = EXIT_SUCCESSOR

    running.turn()
    running.turn(0.0)

    assert running.launcher.spawned[-1] == ("dreamer", 2)
    assert running.crashes == []
    assert running.actor("dreamer").restarts == 0
    assert running.actor("dreamer").history.in_window(running.now_s) == 0


def test_any_number_of_successors_is_no_reason_to_give_up(running) -> None:
    for _ in range(50):
        running.process("dreamer").status = EXIT_SUCCESSOR
        running.turn()
        running.turn(0.0)
        running.ready("dreamer")
        running.beat("dreamer")

    assert running.actor("dreamer").state == "ready"
    assert running.crashes == []


def test_one_that_has_not_come_further_than_where_it_was_ready_has_died(stage) -> None:
    stage.everything_up()

    for _ in range(200):
        if (process := stage.actor("dreamer").process) is not None:
            stage.ready("dreamer")
            process.status = EXIT_SUCCESSOR
        stage.turn(0.5)

    assert stage.actor("dreamer").state == "failed"
    assert stage.crashes[0] == ("dreamer", EXIT_SUCCESSOR, "exited with 75")


@pytest.mark.parametrize("name", ["learner", "pool-keeper"])
def test_one_that_is_not_boxed_has_no_successor(running, name: str) -> None:
    running.process(name).status = EXIT_SUCCESSOR

    running.turn()

    assert [crash[0] for crash in running.crashes] == [name]


@pytest.mark.parametrize("rung", ["landlock+seccomp", "bwrap", "none"])
def test_where_the_next_segment_can_be_opened_nobody_has_a_successor(rung: Rung) -> None:
    stage = Stage(isolation=rung)
    stage.everything_up()
    stage.beat("dreamer")
    stage.process("dreamer").status = EXIT_SUCCESSOR

    stage.turn()

    assert [crash[0] for crash in stage.crashes] == ["dreamer"]


def test_an_actor_that_ends_so_while_everything_stops_is_stopped(running) -> None:
    running.supervision.request_stop("down", running.now_s)
    running.process("dreamer").status = EXIT_SUCCESSOR

    for _ in range(8):
        running.turn()

    assert running.supervision.is_finished
    assert running.launcher.spawned[-1] == ("dreamer", 1)


def test_a_runner_that_wants_a_fresh_process_gets_one_at_once() -> None:
    stage = Stage(roles=PAIR)
    stage.everything_up()
    stage.beat("regime-runner")
    stage.process("regime-runner").status = EXIT_SUCCESSOR

    stage.turn()
    stage.turn(0.0)

    assert stage.launcher.spawned[-1] == ("regime-runner", 2)
    assert stage.crashes == []
    assert stage.actor("regime-runner").restarts == 0
