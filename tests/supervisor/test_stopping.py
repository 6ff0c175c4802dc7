"""How actors are stopped, held and counted."""

import signal

from schemas.control import Failed

STARTED = ("pool-keeper", "bias-synthesizer", "learner", "dreamer")


def test_actors_stop_one_after_the_other_and_the_keeper_last(running) -> None:
    for name in STARTED:
        running.process(name).heeds = False

    running.supervision.request_stop("down", running.now_s)

    order = []
    for name in reversed(STARTED):
        order.append([other for other in STARTED if signal.SIGTERM in running.process(other).signals])
        running.process(name).status = 0
        running.turn()
    assert [names[0] for names in order] == list(reversed(STARTED))
    assert running.supervision.is_finished
    assert {actor.state for actor in running.supervision.actors.values()} == {"stopped"}


def test_actor_that_does_not_stop_in_time_is_killed_with_its_group_and_the_stop_goes_on(running) -> None:
    running.process("dreamer").heeds = False
    running.supervision.request_stop("down", running.now_s)

    running.turn(after_s=5.1)
    for _ in range(4):
        running.turn()

    assert running.process("dreamer").status == -signal.SIGKILL
    assert running.supervision.is_finished
    assert running.actor("pool-keeper").exit_status == 0


def test_whom_a_stop_waits_for_is_said(running) -> None:
    running.process("dreamer").heeds = False

    running.supervision.request_stop("down", running.now_s)

    assert ("debug", "waiting", "dreamer") in running.events


def test_nothing_is_restarted_once_a_stop_was_asked_for(running) -> None:
    running.process("dreamer").heeds = False
    running.supervision.request_stop("down", running.now_s)
    spawned = len(running.launcher.spawned)

    running.process("learner").status = -9
    running.turn()
    refusal = running.supervision.request_restart("learner", running.now_s)
    running.turn()

    assert len(running.launcher.spawned) == spawned
    assert refusal == "everything is being stopped"


def test_group_of_a_dead_actor_is_killed_so_that_nothing_of_it_survives(running) -> None:
    process = running.process("learner")
    process.status = 1

    running.turn()

    assert signal.SIGKILL in process.signals


def test_second_stop_kills_every_group_at_once(running) -> None:
    for name in STARTED:
        running.process(name).heeds = False
    running.supervision.request_stop("interrupted", running.now_s)

    running.supervision.kill_all()
    running.turn()
    running.turn()

    assert running.supervision.is_finished
    assert running.actor("pool-keeper").exit_status == -signal.SIGKILL


def test_held_actor_stops_stays_stopped_and_starts_again_when_released(running) -> None:
    running.supervision.hold("dreamer", "disk", running.now_s)
    running.turn()
    running.turn()
    assert (running.actor("dreamer").state, running.actor("dreamer").reason) == ("stopped", "disk")
    assert running.supervision.request_restart("dreamer", running.now_s) is not None

    running.supervision.release("dreamer", running.now_s)
    running.turn()

    assert running.actor("dreamer").state == "starting"
    assert running.actor("dreamer").restarts == 0


def test_actor_that_is_held_before_its_start_is_not_waited_for(stage) -> None:
    stage.supervision.hold("dreamer", "disk", stage.now_s)

    for name in STARTED[:3]:
        stage.turn()
        stage.ready(name)
    stage.turn()

    assert stage.supervision.is_settled
    assert ("dreamer", 1) not in stage.launcher.spawned


def test_process_that_cannot_be_started_is_tried_again_later(stage) -> None:
    stage.launcher.is_broken = True
    stage.turn()
    reason = stage.actor("pool-keeper").reason
    stage.launcher.is_broken = False

    stage.turn(after_s=0.3)

    assert reason is not None and "no more processes" in reason
    assert stage.actor("pool-keeper").state == "starting"


def test_reason_that_an_actor_gives_for_its_death_is_kept(running) -> None:
    said = Failed(instance="learner", epoch=1, step=7, input_reference="PoolStats k/1/5", reason="ValueError: x")
    running.supervision.receive([said], running.now_s)

    assert running.actor("learner").failed == said
    assert running.actor("learner").step == 7


def test_refusals_are_counted_over_all_processes_of_an_actor(running) -> None:
    running.beat("learner", refused=3)
    running.process("learner").status = -9
    running.turn()

    assert running.actor("learner").refused_before == 3
