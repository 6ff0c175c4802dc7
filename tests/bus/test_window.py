"""What a core asks of the world is asked after it is journalled, and once; the answers are inputs like others."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bus.core import Actor, Ask, Fired, Input, Observed, Outcome, SetTimer, Started, WriteFile
from bus.effects import EffectRefusedError, write
from bus.memory import MemoryBus
from bus.randomness import RandomSource
from bus.scripted import Later
from bus.simulation.campaign import run_plan
from bus.simulation.company import Company, Part
from bus.simulation.faults import Crash, ListedFaults
from bus.simulation.light_actors import name_of
from bus.simulation.plan import Plan
from bus.window import NoWorldError, Window
from schemas.manifest import Seat

LEARNER = Seat(instance="learner", role="learner")


@dataclass
class Asker:
    """A core that asks for one number after the other, and asks again for what it was not told."""

    limit: int = 5
    heard: list[int] = field(default_factory=list)
    starts: int = 0
    renews_at: int = -1

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        match event:
            case Started():
                self.starts += 1
            case Observed(name="number", data=data):
                self.heard.append(int(data))
                if len(self.heard) == self.renews_at:
                    outcome.wants_successor = True
                    return outcome
            case _:
                return Outcome(refusal="nothing that an asker knows")
        if len(self.heard) < self.limit:
            outcome.asks.append(Ask("number", str(len(self.heard)).encode()))
        return outcome

    def snapshot(self) -> bytes:
        return f"{self.starts};{','.join(map(str, self.heard))}".encode()

    def restore(self, data: bytes) -> None:
        starts, heard = data.decode().split(";")
        self.starts, self.heard = int(starts), [int(each) for each in heard.split(",") if each]

    def figures(self) -> dict[str, int]:
        return {"heard": len(self.heard)}


@dataclass
class Numbers:
    """A world that answers with the square, as long as it is open."""

    asked: list[int]
    is_silent: bool = False
    is_closed: bool = False
    told: list[Observed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bell = os.eventfd(0, os.EFD_NONBLOCK)

    def ask(self, ask: Ask) -> None:
        number = int(ask.data)
        self.asked.append(number)
        if not self.is_silent:
            self.told.append(Observed("number", str(number**2).encode()))
            os.eventfd_write(self.bell, 1)

    def answers(self) -> list[Observed]:
        if not self.told:
            return []
        os.eventfd_read(self.bell)
        told, self.told = self.told, []
        return told

    def fileno(self) -> int:
        return self.bell

    def close(self) -> None:
        self.is_closed = True
        os.close(self.bell)


def asking(worlds: list[Numbers], asked: list[int], silent: bool = False, **how: int) -> Callable[[], Actor]:
    def open_world() -> Numbers:
        worlds.append(Numbers(asked, is_silent=silent))
        return worlds[-1]

    return lambda: Actor(Asker(**how), RandomSource(1, 1, "learner"), open_world=open_world)


def test_answers_of_the_world_are_steps_and_lead_on(stage) -> None:
    worlds, asked = [], []
    learner = stage.enter("learner", asking(worlds, asked))

    stage.play(lambda: len(learner.actor.core.heard) == 5)

    assert learner.actor.core.heard == [0, 1, 4, 9, 16]
    assert asked == [0, 1, 2, 3, 4]


def test_a_repeated_step_asks_nothing_and_the_start_asks_again(stage) -> None:
    worlds, asked = [], []
    first = stage.enter("learner", asking(worlds, asked, silent=True))
    stage.kill(first)

    second = stage.enter("learner", asking(worlds, asked), epoch=2)
    stage.play(lambda: len(second.actor.core.heard) == 5)

    assert asked == [0, 0, 1, 2, 3, 4]
    assert second.actor.core.starts == 2


def test_a_third_process_repeats_all_answers_from_its_journal(stage) -> None:
    worlds, asked = [], []
    first = stage.enter("learner", asking(worlds, asked))
    stage.play(lambda: len(first.actor.core.heard) == 5)
    stage.kill(first)

    second = stage.enter("learner", asking(worlds, asked), epoch=2)

    assert second.actor.core.heard == [0, 1, 4, 9, 16]
    assert asked == [0, 1, 2, 3, 4]


def test_the_world_is_closed_with_its_process(stage) -> None:
    worlds, asked = [], []
    learner = stage.enter("learner", asking(worlds, asked))

    stage.kill(learner)

    assert [world.is_closed for world in worlds] == [True]


def test_a_waiting_process_wakes_for_an_answer(stage) -> None:
    worlds, asked = [], []
    learner = stage.enter("learner", asking(worlds, asked))
    learner.turn()

    learner.inbox.wait(60_000)

    assert worlds[0].told


def test_a_core_that_wants_a_successor_ends_in_order(stage) -> None:
    worlds, asked = [], []
    learner = stage.enter("learner", asking(worlds, asked, renews_at=2))

    learner.run()

    assert learner.wants_successor
    assert learner.actor.core.heard == [0, 1]


def test_what_is_asked_of_no_world_is_an_error() -> None:
    window = Window()

    assert window.open(None) is None
    assert window.answers() == []
    with pytest.raises(NoWorldError, match="'number'"):
        window.ask([Ask("number", b"1")])


def squares(ask: Ask) -> list[Later]:
    return [Later(0.5, Observed("number", str(int(ask.data) ** 2).encode()))]


def test_a_script_answers_on_the_bus_in_memory_after_its_time() -> None:
    core = Asker(renews_at=3)
    bus = MemoryBus({LEARNER: Actor(core, RandomSource(1, 1, "learner"))}, scripts={"learner": squares})

    bus.run(1.2)
    half_way = list(core.heard)
    bus.run(10.0)

    assert half_way == [0, 1]
    assert core.heard == [0, 1, 4, 9, 16]
    assert core.starts == 2


@pytest.mark.parametrize("call", range(2, 30, 3))
def test_a_simulated_process_that_dies_is_told_again_what_it_had_not_journalled(call: int) -> None:
    cores: list[Asker] = []

    def built(_: object) -> Actor:
        cores.append(Asker())
        return Actor(cores[-1], RandomSource(1, 1, "learner"))

    def cast(_seed: int) -> Company:
        return Company((Part(LEARNER, built, squares),), None, frozenset(), name_of)

    faults = ListedFaults((Crash("learner", call, down_ns=1_000_000, tear=0.5),))
    plan = Plan(seed=1, duration_ns=20_000_000_000)

    report = run_plan(plan, cast, faults=faults)

    assert report.violation is None
    assert cores[-1].heard == [0, 1, 4, 9, 16]


def test_a_line_is_appended_once_however_often_it_is_written(tmp_path) -> None:
    write(tmp_path, WriteFile("a/log.jsonl", b"one\n", offset=0))

    for _ in range(3):
        write(tmp_path, WriteFile("a/log.jsonl", b"two\n", offset=4))

    assert (tmp_path / "a" / "log.jsonl").read_bytes() == b"one\ntwo\n"


def test_a_file_that_was_cut_is_gone_on_with_at_its_end(tmp_path) -> None:
    write(tmp_path, WriteFile("log.jsonl", b"line\n", offset=100))

    assert (tmp_path / "log.jsonl").read_bytes() == b"line\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../outside"])
def test_an_effect_stays_inside_the_home(tmp_path, path: str) -> None:
    with pytest.raises(EffectRefusedError, match="inside the home"):
        write(tmp_path / "home", WriteFile(path, b""))


def test_timers_and_answers_live_side_by_side() -> None:
    assert Outcome(asks=[Ask("a", b"")]).has_consequences
    assert Outcome(wants_successor=True).has_consequences
    assert Outcome(timers=[SetTimer("t", 1.0)]).has_consequences
    assert Asker().handle(Fired("t"), 0).refusal is not None


def test_a_private_effect_is_for_the_user_alone_whatever_the_umask_lets_through(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path, WriteFile("data/answers.json", b"{}", is_private=True))
        write(tmp_path, WriteFile("data/public.json", b"{}"))
    finally:
        os.umask(before)

    modes = [(tmp_path / "data" / name).stat().st_mode & 0o777 for name in ("answers.json", "public.json")]
    assert modes == [0o600, 0o666]
