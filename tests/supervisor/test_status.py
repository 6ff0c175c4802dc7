"""What `status` shows of the processes."""

import os

from schemas.control import Heartbeat, Ready, Traffic
from schemas.manifest import Seat
from supervisor.describing import OwnFigures, describe_actors
from supervisor.processes import ChildProcess
from supervisor.rendering import draw_status, duration_text
from supervisor.reports import StatusReport
from supervisor.restarts import RestartHistory, RestartPolicy
from supervisor.supervised import SupervisedActor

OWN = OwnFigures(pid=os.getpid(), zygote_pid=os.getpid(), is_stopping=False, received=5, refused=1, last_refusal="odd")
POLICY = RestartPolicy(0.2, 30.0, 5, 60.0)


def make_actor() -> SupervisedActor:
    return SupervisedActor(Seat(instance="learner", role="learner"), RestartHistory(POLICY, "seed"))


def make_running() -> SupervisedActor:
    actor = make_actor()
    actor.began(ChildProcess(os.getpid()), 2, 100.0)
    actor.heard(Ready(instance="learner", epoch=2, pid=1, step=4, recovered_steps=0, cut_bytes=0), 100.5)
    traffic = Traffic(received=7, sent=8, recovered=1, duplicates=0, dropped=0, refused=2, damaged=0, queue=3)
    beat = Heartbeat(instance="learner", epoch=2, step=11, traffic=traffic, figures=(), last_refusal="PoolStats: bad")
    actor.heard(beat, 101.0)
    return actor


def make_report(*actors: SupervisedActor) -> StatusReport:
    return StatusReport(
        running=True,
        run_id="20300101T000000Z-0001",
        home="/home/dreams",
        runtime="/run/dreams",
        started_at="2030-01-01T00:00:00Z",
        uptime_s=61.0,
        stopping=None,
        isolation="none",
        keys="none",
        fsync="process",
        disk="low",
        disk_free_mib=1500.0,
        inputs_refused=("broken.png: not a picture",),
        pictures_left_out=1,
        facts_left_out=0,
        actors=describe_actors(actors, OWN, 103.0),
    )


def test_supervisor_is_one_of_the_processes() -> None:
    supervisor, learner = describe_actors([make_running()], OWN, 103.0)

    assert (supervisor.name, supervisor.pid, supervisor.state, supervisor.refused) == (
        "supervisor",
        OWN.pid,
        "ready",
        1,
    )
    assert learner.name == "learner"


def test_actor_is_shown_as_it_was_last_heard_of() -> None:
    (_, learner) = describe_actors([make_running()], OWN, 103.0)

    assert (learner.state, learner.epoch, learner.step) == ("ready", 2, 11)
    assert (learner.received, learner.sent, learner.queue, learner.refused) == (7, 8, 3, 2)
    assert learner.heartbeat_age_s == 2.0
    assert learner.last_refusal == "PoolStats: bad"
    assert learner.memory_bytes is not None and learner.memory_bytes > 1_000_000


def test_actor_without_a_process_has_no_pid_no_memory_and_no_heartbeat_age() -> None:
    (_, learner) = describe_actors([make_actor()], OWN, 103.0)

    assert (learner.pid, learner.memory_bytes, learner.heartbeat_age_s) == (None, None, None)
    assert learner.state == "stopped"


def test_table_names_every_process_and_all_that_needs_attention() -> None:
    failed = make_actor()
    failed.state, failed.reason, failed.crash_report = "failed", "killed by SIGSEGV", "/home/dreams/crash.json"

    text = draw_status(make_report(make_running(), failed), is_coloured=False)

    assert "\x1b" not in text
    for wanted in (
        "supervisor",
        "learner",
        "is failed: killed by SIGSEGV",
        "PoolStats: bad",
        "the disk is low",
        "/home/dreams/crash.json",
        "`supervisor restart learner --home /home/dreams` tries again",
    ):
        assert wanted in text
    assert "broken.png: not a picture" in text


def test_what_is_shown_cannot_steer_the_terminal() -> None:
    actor = make_actor()
    actor.state, actor.reason = "failed", "no \x1b[31m such file"

    text = draw_status(make_report(actor), is_coloured=False)

    assert "\x1b" not in text and r"no \x1b[31m such file" in text


def test_report_survives_its_way_over_the_socket() -> None:
    report = make_report(make_running())

    assert StatusReport.model_validate_json(report.model_dump_json()) == report


def test_durations_are_told_in_two_units() -> None:
    assert [duration_text(seconds) for seconds in (0.4, 61.0, 3720.0)] == ["0 s", "1 min 1 s", "1 h 2 min"]
