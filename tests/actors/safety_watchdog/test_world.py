"""The watch itself, over real trials: it ends what is too hot, it is the switch, it leaves the machine as it was."""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.safety_watchdog.vigil import Place
from actors.safety_watchdog.watching import (
    ARM,
    ARMED,
    BREACHED,
    DISARM,
    ENDED,
    FAILED,
    RECOVERED,
    Armed,
    Breached,
    Ended,
    Watch,
)
from actors.safety_watchdog.world import WatchdogWorld
from bus.core import Ask, Observed
from bus.descendants import Process, descendants_of, is_alive
from schemas.tiers import DEADMAN_PATH
from tests.trial_house import DEADLINE_S, ROOT, Guarded, SensorFiles, TrialHouse, until

SWAPPINESS = "proc/sys/vm/swappiness"
TEMPERATURE = "class/hwmon/coretemp/temp1_input"
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; (trap '' TERM; exec setsid sleep 60) & sleep 61; sleep 62"]
WATCHER = """
import sys, time
from pathlib import Path
from actors.safety_watchdog.vigil import Place
from actors.safety_watchdog.world import WatchdogWorld
from bus.core import Ask
world = WatchdogWorld(Place(Path(sys.argv[1]), Path(sys.argv[2]), ("swappiness",)))
print("ready", flush=True)
for line in sys.stdin:
    name, _, data = line.partition(" ")
    world.ask(Ask(name, data.encode()))
    while not (answers := world.answers()):
        time.sleep(0.01)
    for answer in answers:
        print(answer.name, answer.data.decode(), flush=True)
"""
"""A watchdog that is nothing but its world: it hands asks on, until it is killed."""


class Watched:
    """A world over a house, and what it has answered."""

    def __init__(self, house: TrialHouse, files: SensorFiles) -> None:
        self.world = WatchdogWorld(Place(house.home, files.root, ("swappiness",)))
        self.heard: list[Observed] = []

    def ask(self, name: str, watch: Watch) -> None:
        self.world.ask(Ask(name, watch.model_dump_json().encode()))

    def hear(self, name: str) -> bytes:
        """The next answer of this name."""
        end = time.monotonic() + DEADLINE_S
        while not any(answer.name == name for answer in self.heard):
            assert select.select([self.world.fileno()], [], [], end - time.monotonic())[0], f"no {name}: {self.heard}"
            self.heard += self.world.answers()
            assert name == FAILED or not any(answer.name == FAILED for answer in self.heard), self.heard
        found = next(answer for answer in self.heard if answer.name == name)
        self.heard.remove(found)
        return found.data


def watch_of(guarded: Guarded, caps: dict[str, float], **changes: object) -> Watch:
    plain = Watch(
        trial_id="trial-1",
        domain="cpu",
        guard_pid=guarded.guard.pid,
        guard_started_ticks=guarded.guard.started_ticks,
        timeout_s=60.0,
        settings={"swappiness": 10},
        caps=caps,
        margins={},
    )
    return plain.model_copy(update=changes)


@pytest.fixture
def files(tmp_path: Path) -> SensorFiles:
    built = SensorFiles(tmp_path / "machine").everything()
    built.write(SWAPPINESS, 60)
    return built


@pytest.fixture
def watched(unwatched_house: TrialHouse, files: SensorFiles) -> Iterator[Watched]:
    built = Watched(unwatched_house, files)
    yield built
    built.world.close()


def said(files: SensorFiles) -> str:
    return (files.root / SWAPPINESS).read_text()


def running(guarded: Guarded, count: int) -> Callable[[], list[Process]]:
    return lambda: found if len(found := descendants_of(guarded.guard.pid)) >= count else []


def test_a_trial_is_watched_from_its_arming_to_its_end(watched, unwatched_house, files) -> None:
    guarded = unwatched_house.prepare("/bin/sleep", "0.5")
    watch = watch_of(guarded, {"temp_peak_c": 90.0, "errors": 0.0})
    watched.ask(ARM, watch)
    armed = Armed.model_validate_json(watched.hear(ARMED))
    during = said(files)
    guarded.say("go")
    until(running(guarded, 1), "the load")
    files.chip("coretemp", 77_000)

    result = guarded.result()
    ended = Ended.model_validate_json(watched.hear(ENDED))

    assert armed.applied == {"swappiness": "applied"} and armed.injected and during == "10"
    assert armed.readings["temp_peak_c"].value == 50.0
    assert result.status == "done"
    assert ended.readings["temp_peak_c"].value == 77.0 and ended.killed == 0 and ended.unrestored == {}
    assert said(files) == "60\n"


def test_a_breach_ends_a_trial_within_a_second_by_the_watchdogs_own_hand(watched, unwatched_house, files) -> None:
    guarded = unwatched_house.prepare(*STUBBORN)
    watched.ask(ARM, watch_of(guarded, {"temp_peak_c": 90.0}))
    watched.hear(ARMED)
    guarded.say("go")
    met = until(running(guarded, 2), "the load")
    os.kill(guarded.guard.pid, signal.SIGSTOP)

    files.chip("coretemp", 95_000)
    began = time.monotonic()
    breached = Breached.model_validate_json(watched.hear(BREACHED))
    took_s = time.monotonic() - began

    assert [process for process in met if is_alive(process)] == [] and took_s < 1.0
    assert breached.breach.value == 95.0 and breached.breach.limit == 90.0 and breached.killed >= 2
    os.kill(guarded.guard.pid, signal.SIGCONT)
    assert guarded.result().status == "killed"
    assert Ended.model_validate_json(watched.hear(ENDED)).readings["temp_peak_c"].value == 95.0
    assert said(files) == "60\n" and list(unwatched_house.scratch.iterdir()) == []


def test_a_trial_equal_to_its_cap_goes_on(watched, unwatched_house, files) -> None:
    files.chip("coretemp", 90_000)
    guarded = unwatched_house.prepare("/bin/sleep", "0.3")
    watched.ask(ARM, watch_of(guarded, {"temp_peak_c": 90.0}))
    watched.hear(ARMED)
    guarded.say("go")

    assert guarded.result().status == "done"


def test_a_margin_ends_a_trial_below_its_cap(watched, unwatched_house, files) -> None:
    files.chip("coretemp", 88_500)
    guarded = unwatched_house.prepare("/bin/sleep", "60")
    watched.ask(ARM, watch_of(guarded, {"temp_peak_c": 90.0}, margins={"temp_peak_c": 2.0}))

    breached = Breached.model_validate_json(watched.hear(BREACHED))

    assert breached.breach.value == 88.5 and guarded.result().status == "killed"


def test_a_trial_whose_runner_dies_is_not_watched_on_and_the_machine_is_put_back(
    watched, unwatched_house, files
) -> None:
    guarded = unwatched_house.prepare(*STUBBORN)
    watched.ask(ARM, watch_of(guarded, {"temp_peak_c": 90.0}))
    watched.hear(ARMED)
    guarded.say("go")
    met = until(running(guarded, 2), "the load")

    guarded.process.kill()

    ended = Ended.model_validate_json(watched.hear(ENDED))
    assert [process for process in met if is_alive(process)] == [] and ended.killed >= 1
    assert said(files) == "60\n"


def test_disarming_puts_the_machine_back_at_once(watched, unwatched_house, files) -> None:
    guarded = unwatched_house.prepare("/bin/sleep", "60")
    watch = watch_of(guarded, {"temp_peak_c": 90.0})
    watched.ask(ARM, watch)
    watched.hear(ARMED)
    watched.ask(DISARM, watch)

    ended = Ended.model_validate_json(watched.hear(ENDED))

    assert ended.unrestored == {} and said(files) == "60\n"


def test_a_guard_that_was_stopped_and_given_up_leaves_nothing_running(watched, unwatched_house, files) -> None:
    guarded = unwatched_house.prepare(*STUBBORN)
    watch = watch_of(guarded, {"temp_peak_c": 90.0})
    watched.ask(ARM, watch)
    watched.hear(ARMED)
    guarded.say("go")
    met = until(running(guarded, 2), "the load")
    os.kill(guarded.guard.pid, signal.SIGSTOP)

    watched.ask(DISARM, watch)
    ended = Ended.model_validate_json(watched.hear(ENDED))

    assert [process for process in (*met, guarded.guard) if is_alive(process)] == [] and ended.killed >= 2


def test_arming_again_reads_anew_and_changes_nothing(watched, unwatched_house, files) -> None:
    guarded = unwatched_house.prepare("/bin/sleep", "60")
    watch = watch_of(guarded, {"temp_peak_c": 90.0})
    files.chip("coretemp", 80_000)
    watched.ask(ARM, watch)
    first = Armed.model_validate_json(watched.hear(ARMED))
    files.chip("coretemp", 60_000)
    watched.ask(ARM, watch)

    second = Armed.model_validate_json(watched.hear(ARMED))

    assert [armed.readings["temp_peak_c"].value for armed in (first, second)] == [80.0, 60.0]
    assert second.applied == {"swappiness": "applied"} and said(files) == "10"


def is_locked(file: Path) -> bool:
    if not file.exists():
        return False
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_second_watchdog_of_one_home_says_why_it_cannot_be(watched, unwatched_house, files, monkeypatch) -> None:
    until(lambda: is_locked(unwatched_house.home / DEADMAN_PATH), "the first watchdog")
    monkeypatch.setattr("actors.safety_watchdog.deadman.PATIENCE_S", 0.1)
    second = Watched(unwatched_house, files)

    lines = json.loads(second.hear(FAILED))["lines"]
    second.world.close()

    assert "another watchdog watches this home" in lines[0]


def test_closing_the_world_puts_the_machine_back_and_ends_the_trial(unwatched_house, files) -> None:
    watched = Watched(unwatched_house, files)
    guarded = unwatched_house.prepare("/bin/sleep", "60")
    watched.ask(ARM, watch_of(guarded, {"temp_peak_c": 90.0}))
    watched.hear(ARMED)
    guarded.say("go")
    until(running(guarded, 1), "the load")

    watched.world.close()

    assert said(files) == "60\n"
    assert guarded.result().status == "watchdog-gone"


@pytest.fixture
def watcher(unwatched_house: TrialHouse, files: SensorFiles) -> Iterator["subprocess.Popen[str]"]:
    """A watchdog in a process of its own."""
    command = [sys.executable, "-c", WATCHER, str(unwatched_house.home), str(files.root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_trial_outlives_its_watchdog(watcher, unwatched_house, files, number: signal.Signals) -> None:
    guarded = unwatched_house.prepare("/bin/sleep", "60")
    watcher.stdin.write(f"{ARM} {watch_of(guarded, {'temp_peak_c': 90.0}).model_dump_json()}\n")
    watcher.stdin.flush()
    assert watcher.stdout.readline().startswith(ARMED)
    guarded.say("go")
    until(running(guarded, 1), "the load")
    assert said(files) == "10"

    watcher.send_signal(number)
    began = time.monotonic()

    assert guarded.result().status == "watchdog-gone"
    assert time.monotonic() - began < 2.5
    watcher.kill()
    watcher.wait()
    after = Watched(unwatched_house, files)
    lines = json.loads(after.hear(RECOVERED))["lines"]
    after.world.close()
    assert "were left changed" in lines[0] and said(files) == "60\n"
