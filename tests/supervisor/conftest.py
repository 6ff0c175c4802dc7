"""A supervision turned by hand, with fake processes and a clock of its own."""

import signal
from dataclasses import dataclass, field

import pytest

from schemas.control import Failed, Heartbeat, Ready, Traffic
from schemas.isolation import Rung
from schemas.manifest import Seat
from schemas.roles import Role
from schemas.settings import SupervisorSettings
from supervisor.plan import LOOP, seats_of
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
    isolation="required",
    strongest_box="landlock+seccomp",
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

    def __init__(
        self,
        settings: SupervisorSettings = SETTINGS,
        isolation: Rung = "seccomp-no-open",
        roles: tuple[Role, ...] = LOOP,
    ) -> None:
        self.now_s = 0.0
        self.launcher = FakeLauncher()
        self.events: list[tuple[str, str, Scalar]] = []
        self.crashes: list[tuple[str, int | None, str | None]] = []
        self._epochs: dict[str, int] = {}
        duty = Duty(settings, self.launcher, self._next_epoch, self._say, self._crash, seed=1, isolation=isolation)
        self.roles = roles
        self.supervision = Supervision(seats_of(roles), duty)

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

    def beat(self, name: str, epoch: int | None = None, refused: int = 0) -> None:
        traffic = Traffic(received=1, sent=1, recovered=0, duplicates=0, dropped=0, refused=refused, damaged=0, queue=0)
        epoch = self._epochs[name] if epoch is None else epoch
        beat = Heartbeat(instance=name, epoch=epoch, step=9, traffic=traffic, figures=(), last_refusal=None)
        self.supervision.receive([beat], self.now_s)

    def fail(self, name: str, status: int, reason: str) -> None:
        """Let the process of `name` say why it fails, and end."""
        failed = Failed(instance=name, epoch=self._epochs[name], step=0, input_reference="start", reason=reason)
        self.supervision.receive([failed], self.now_s)
        self.process(name).status = status

    def everything_up(self) -> None:
        for name in self.roles:
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
