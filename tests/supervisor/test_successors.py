"""An actor that may not open the next segment of its journal ends in order, and another process goes on."""

from bus.host import EXIT_SUCCESSOR as ACTORS_EXIT
from supervisor.supervision import EXIT_SUCCESSOR


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

    assert running.actor("dreamer").state == "ready"
    assert running.crashes == []


def test_an_actor_that_ends_so_while_everything_stops_is_stopped(running) -> None:
    running.supervision.request_stop("down", running.now_s)
    running.process("dreamer").status = EXIT_SUCCESSOR

    for _ in range(8):
        running.turn()

    assert running.supervision.is_finished
    assert running.launcher.spawned[-1] == ("dreamer", 1)
