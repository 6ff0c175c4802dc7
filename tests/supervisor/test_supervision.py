"""What becomes of actors that start, die and hang."""

import signal

STARTED = ("pool-keeper", "bias-synthesizer", "learner", "dreamer")


def test_each_actor_starts_only_when_the_one_before_is_ready(stage) -> None:
    stage.turn()
    stage.turn()
    assert stage.launcher.spawned == [("pool-keeper", 1)]

    stage.ready("pool-keeper")
    stage.turn()

    assert stage.launcher.spawned == [("pool-keeper", 1), ("bias-synthesizer", 1)]


def test_all_are_ready_at_the_end_of_the_start(stage) -> None:
    stage.everything_up()

    assert [name for name, _ in stage.launcher.spawned] == list(STARTED)
    assert stage.supervision.is_settled
    assert {actor.state for actor in stage.supervision.actors.values()} == {"ready"}


def test_heartbeat_makes_up_for_a_ready_that_was_lost(stage) -> None:
    stage.turn()

    stage.beat("pool-keeper")

    assert stage.actor("pool-keeper").state == "ready"


def test_words_of_an_earlier_process_are_passed_over(running) -> None:
    running.process("learner").status = -9
    running.turn()

    running.beat("learner", epoch=1)

    assert running.actor("learner").epoch == 2
    assert running.actor("learner").state == "starting"


def test_death_of_a_healthy_actor_restarts_that_one_alone_at_once(running) -> None:
    running.process("learner").status = -9

    running.turn()

    assert running.launcher.spawned[4:] == [("learner", 2)]
    assert running.actor("learner").restarts == 1
    assert running.crashes == [("learner", -9, "killed by SIGKILL")]


def test_actor_that_keeps_dying_early_is_given_up_and_the_others_go_on(stage) -> None:
    stage.turn()
    while stage.actor("pool-keeper").state != "failed":
        if stage.actor("pool-keeper").process is not None:
            stage.process("pool-keeper").status = 70
        stage.turn()

    for name in STARTED[1:]:
        stage.turn()
        stage.ready(name)
    stage.turn()

    assert stage.launcher.spawned[:6] == [("pool-keeper", epoch) for epoch in range(1, 7)]
    assert stage.supervision.failed == ("pool-keeper",)
    assert stage.supervision.is_settled


def test_restart_by_hand_works_for_an_actor_that_was_given_up_and_never_counts(stage) -> None:
    stage.turn()
    while stage.actor("pool-keeper").state != "failed":
        if stage.actor("pool-keeper").process is not None:
            stage.process("pool-keeper").status = 70
        stage.turn()
    counted = stage.actor("pool-keeper").restarts

    refusal = stage.supervision.request_restart("pool-keeper", stage.now_s)
    stage.turn()

    assert refusal is None
    assert stage.actor("pool-keeper").state == "starting"
    assert stage.actor("pool-keeper").restarts == counted
    assert stage.actor("pool-keeper").history.in_window(stage.now_s) == 0


def test_restart_by_hand_ends_the_process_in_order_first(running) -> None:
    before = running.process("dreamer")

    running.supervision.request_restart("dreamer", running.now_s)
    running.turn()

    assert before.signals[0] == signal.SIGTERM
    assert running.actor("dreamer").epoch == 2
    assert running.actor("dreamer").restarts == 0
    assert running.crashes == []


def test_restart_of_an_unknown_actor_is_refused_with_the_names_there_are(running) -> None:
    refusal = running.supervision.request_restart("lerner", running.now_s)

    assert refusal is not None and "lerner" in refusal and "bias-synthesizer" in refusal


def test_actor_that_is_not_ready_in_time_is_ended_and_counts_as_early(stage) -> None:
    stage.turn()

    stage.turn(after_s=30.1)
    stage.turn()

    assert signal.SIGTERM in stage.process("pool-keeper").signals
    assert stage.actor("pool-keeper").history.in_window(stage.now_s) == 1
    assert stage.crashes[0][2] == "not ready after 30 s"


def test_silent_actor_gets_sigterm_then_sigkill_two_seconds_later_and_is_restarted(running) -> None:
    process = running.process("learner")
    process.heeds = False

    for name in STARTED:
        running.turn(after_s=1.3)
        if name != "learner":
            running.beat(name)
    running.turn()
    assert process.signals == [signal.SIGTERM]

    running.turn(after_s=1.9)
    assert process.signals == [signal.SIGTERM]
    running.turn(after_s=0.2)
    running.turn()

    assert process.signals[1] == signal.SIGKILL
    assert running.actor("learner").epoch == 2
    assert running.actor("learner").history.in_window(running.now_s) == 0


def test_silence_while_starting_is_no_missing_heartbeat(stage) -> None:
    stage.turn()

    stage.turn(after_s=29.0)

    assert stage.process("pool-keeper").signals == []
