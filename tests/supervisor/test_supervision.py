"""What becomes of actors that start, die, hang, and are stopped; turned by hand, with a clock of its own."""

import signal
from dataclasses import dataclass, field

import pytest

from schemas.control import Failed, Heartbeat, Ready, Traffic
from schemas.manifest import Seat
from schemas.settings import SupervisorSettings
from supervisor.plan import default_seats
from supervisor.stats import Scalar
from supervisor.supervised import SupervisedActor
from supervisor.supervision import Duty, Supervision

SETTINGS = SupervisorSettings(
    ready_deadline_s=30.0,
    heartbeat_late_s=5.0,
    stop_deadline_s=5.0,
    backoff_first_s=0.2,
    backoff_max_s=30.0,
    max_restarts=5,
    restart_window_s=60.0,
    disk_warn_mib=2048,
    disk_stop_mib=1024,
)
STARTED = ("pool-keeper", "bias-synthesizer", "learner", "dreamer")


@dataclass
class FakeProcess:
    """A process that lives until it is told otherwise."""

    pid: int
    status: int | None = None
    signals: list[int] = field(default_factory=list)
    heeds: bool = True
    """Whether SIGTERM ends it."""

    def has_ended(self) -> bool:
        return self.status is not None

    def signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGTERM and self.heeds:
            self.status = 0

    def kill_group(self) -> None:
        self.signals.append(signal.SIGKILL)
        if self.status is None:
            self.status = -signal.SIGKILL

    def reap(self) -> int:
        assert self.status is not None
        return self.status


@dataclass
class FakeLauncher:
    """Hands out processes, and remembers the order."""

    spawned: list[tuple[str, int]] = field(default_factory=list)
    processes: dict[str, FakeProcess] = field(default_factory=dict)
    is_broken: bool = False

    def spawn(self, seat: Seat, epoch: int) -> FakeProcess:
        if self.is_broken:
            raise OSError("no more processes")
        self.spawned.append((seat.instance, epoch))
        self.processes[seat.instance] = FakeProcess(1000 + len(self.spawned))
        return self.processes[seat.instance]


class Stage:
    """A supervision with its fakes and its clock."""

    def __init__(self, settings: SupervisorSettings = SETTINGS) -> None:
        self.now_s = 0.0
        self.launcher = FakeLauncher()
        self.events: list[tuple[str, str, Scalar]] = []
        self.crashes: list[tuple[str, int | None, str | None]] = []
        self._epochs: dict[str, int] = {}
        duty = Duty(settings, self.launcher, self._next_epoch, self._say, self._crash, seed=1)
        self.supervision = Supervision(default_seats(), duty)

    def actor(self, name: str) -> SupervisedActor:
        return self.supervision.actors[name]

    def process(self, name: str) -> FakeProcess:
        return self.launcher.processes[name]

    def turn(self, after_s: float = 0.05) -> None:
        self.now_s += after_s
        self.supervision.turn(self.now_s)

    def ready(self, name: str) -> None:
        message = Ready(instance=name, epoch=self._epochs[name], pid=1, step=1, recovered_steps=0, cut_bytes=0)
        self.supervision.receive([message], self.now_s)

    def beat(self, name: str, epoch: int | None = None, queue: int = 0, refused: int = 0) -> None:
        traffic = Traffic(
            received=1, sent=1, recovered=0, duplicates=0, dropped=0, refused=refused, damaged=0, queue=queue
        )
        epoch = self._epochs[name] if epoch is None else epoch
        beat = Heartbeat(instance=name, epoch=epoch, step=9, traffic=traffic, figures=(), last_refusal=None)
        self.supervision.receive([beat], self.now_s)

    def everything_up(self) -> None:
        for name in STARTED:
            self.turn()
            self.ready(name)
        self.turn()

    def _next_epoch(self, instance: str) -> int:
        self._epochs[instance] = self._epochs.get(instance, 0) + 1
        return self._epochs[instance]

    def _say(self, level: str, event: str, **fields: Scalar) -> None:
        self.events.append((level, event, fields.get("of")))

    def _crash(self, actor: SupervisedActor, now_s: float) -> None:
        self.crashes.append((actor.instance, actor.exit_status, actor.reason))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def running() -> Stage:
    stage = Stage()
    stage.everything_up()
    stage.now_s += 10.0
    for name in STARTED:
        stage.beat(name)
    return stage


def test_each_actor_starts_only_when_the_one_before_is_ready(stage: Stage) -> None:
    stage.turn()
    stage.turn()
    assert stage.launcher.spawned == [("pool-keeper", 1)]

    stage.ready("pool-keeper")
    stage.turn()

    assert stage.launcher.spawned == [("pool-keeper", 1), ("bias-synthesizer", 1)]


def test_all_are_ready_at_the_end_of_the_start(stage: Stage) -> None:
    stage.everything_up()

    assert [name for name, _ in stage.launcher.spawned] == list(STARTED)
    assert stage.supervision.is_settled
    assert {actor.state for actor in stage.supervision.actors.values()} == {"ready"}


def test_heartbeat_makes_up_for_a_ready_that_was_lost(stage: Stage) -> None:
    stage.turn()

    stage.beat("pool-keeper")

    assert stage.actor("pool-keeper").state == "ready"


def test_words_of_an_earlier_process_are_passed_over(running: Stage) -> None:
    running.process("learner").status = -9
    running.turn()

    running.beat("learner", epoch=1)

    assert running.actor("learner").epoch == 2
    assert running.actor("learner").state == "starting"


def test_death_of_a_healthy_actor_restarts_that_one_alone_at_once(running: Stage) -> None:
    running.process("learner").status = -9

    running.turn()

    assert running.launcher.spawned[4:] == [("learner", 2)]
    assert running.actor("learner").restarts == 1
    assert running.crashes == [("learner", -9, "killed by SIGKILL")]


def test_actor_that_keeps_dying_early_is_given_up_and_the_others_go_on(stage: Stage) -> None:
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


def test_restart_by_hand_works_for_an_actor_that_was_given_up_and_never_counts(stage: Stage) -> None:
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


def test_restart_by_hand_ends_the_process_in_order_first(running: Stage) -> None:
    before = running.process("dreamer")

    running.supervision.request_restart("dreamer", running.now_s)
    running.turn()

    assert before.signals[0] == signal.SIGTERM
    assert running.actor("dreamer").epoch == 2
    assert running.actor("dreamer").restarts == 0
    assert running.crashes == []


def test_restart_of_an_unknown_actor_is_refused_with_the_names_there_are(running: Stage) -> None:
    refusal = running.supervision.request_restart("lerner", running.now_s)

    assert refusal is not None and "lerner" in refusal and "bias-synthesizer" in refusal


def test_actor_that_is_not_ready_in_time_is_ended_and_counts_as_early(stage: Stage) -> None:
    stage.turn()

    stage.turn(after_s=30.1)
    stage.turn()

    assert signal.SIGTERM in stage.process("pool-keeper").signals
    assert stage.actor("pool-keeper").history.in_window(stage.now_s) == 1
    assert stage.crashes[0][2] == "not ready after 30 s"


def test_silent_actor_gets_sigterm_then_sigkill_two_seconds_later_and_is_restarted(running: Stage) -> None:
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


def test_silence_while_starting_is_no_missing_heartbeat(stage: Stage) -> None:
    stage.turn()

    stage.turn(after_s=29.0)

    assert stage.process("pool-keeper").signals == []


def test_actors_stop_one_after_the_other_and_the_keeper_last(running: Stage) -> None:
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


def test_actor_that_does_not_stop_in_time_is_killed_with_its_group_and_the_stop_goes_on(running: Stage) -> None:
    running.process("dreamer").heeds = False
    running.supervision.request_stop("down", running.now_s)

    running.turn(after_s=5.1)
    for _ in range(4):
        running.turn()

    assert running.process("dreamer").status == -signal.SIGKILL
    assert running.supervision.is_finished
    assert running.actor("pool-keeper").exit_status == 0


def test_whom_a_stop_waits_for_is_said(running: Stage) -> None:
    running.process("dreamer").heeds = False

    running.supervision.request_stop("down", running.now_s)

    assert ("info", "waiting", "dreamer") in running.events


def test_nothing_is_restarted_once_a_stop_was_asked_for(running: Stage) -> None:
    running.process("dreamer").heeds = False
    running.supervision.request_stop("down", running.now_s)
    spawned = len(running.launcher.spawned)

    running.process("learner").status = -9
    running.turn()
    refusal = running.supervision.request_restart("learner", running.now_s)
    running.turn()

    assert len(running.launcher.spawned) == spawned
    assert refusal == "everything is being stopped"


def test_group_of_a_dead_actor_is_killed_so_that_nothing_of_it_survives(running: Stage) -> None:
    process = running.process("learner")
    process.status = 1

    running.turn()

    assert signal.SIGKILL in process.signals


def test_second_stop_kills_every_group_at_once(running: Stage) -> None:
    for name in STARTED:
        running.process(name).heeds = False
    running.supervision.request_stop("interrupted", running.now_s)

    running.supervision.kill_all()
    running.turn()
    running.turn()

    assert running.supervision.is_finished
    assert running.actor("pool-keeper").exit_status == -signal.SIGKILL


def test_held_actor_stops_stays_stopped_and_starts_again_when_released(running: Stage) -> None:
    running.supervision.hold("dreamer", "disk", running.now_s)
    running.turn()
    running.turn()
    assert (running.actor("dreamer").state, running.actor("dreamer").reason) == ("stopped", "disk")
    assert running.supervision.request_restart("dreamer", running.now_s) is not None

    running.supervision.release("dreamer", running.now_s)
    running.turn()

    assert running.actor("dreamer").state == "starting"
    assert running.actor("dreamer").restarts == 0


def test_actor_that_is_held_before_its_start_is_not_waited_for(stage: Stage) -> None:
    stage.supervision.hold("dreamer", "disk", stage.now_s)

    for name in STARTED[:3]:
        stage.turn()
        stage.ready(name)
    stage.turn()

    assert stage.supervision.is_settled
    assert ("dreamer", 1) not in stage.launcher.spawned


def test_process_that_cannot_be_started_is_tried_again_later(stage: Stage) -> None:
    stage.launcher.is_broken = True
    stage.turn()
    reason = stage.actor("pool-keeper").reason
    stage.launcher.is_broken = False

    stage.turn(after_s=0.3)

    assert reason is not None and "no more processes" in reason
    assert stage.actor("pool-keeper").state == "starting"


def test_reason_that_an_actor_gives_for_its_death_is_kept(running: Stage) -> None:
    said = Failed(instance="learner", epoch=1, step=7, input_reference="PoolStats k/1/5", reason="ValueError: x")
    running.supervision.receive([said], running.now_s)

    assert running.actor("learner").failed == said
    assert running.actor("learner").step == 7


def test_refusals_are_counted_over_all_processes_of_an_actor(running: Stage) -> None:
    running.beat("learner", refused=3)
    running.process("learner").status = -9
    running.turn()

    assert running.actor("learner").refused_before == 3


def test_quiet_heartbeats_are_counted_in_a_row(running: Stage) -> None:
    running.beat("pool-keeper", queue=0)
    running.beat("pool-keeper", queue=4)
    running.beat("pool-keeper", queue=0)

    assert running.actor("pool-keeper").idle_beats == 1
