"""What the watchdog says of trials: one verdict before, one after, and never safe where it could not look."""

import json
import re

import pytest

from actors.safety_watchdog.core import CAPS, CPUS, SafetyWatchdogCore, WatchFailedError
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
    Recovered,
    Watch,
)
from bus.core import Ask, Input, MessageRef, Observed, Outcome, Received, Started
from schemas.base import Message, Record
from schemas.regimes import Breach, CapBreached, PackWritten, Reading, SafetyVerdict, TrialFinished, TrialStarted
from tests.trial_house import ROOT

STARTED = TrialStarted(
    trial_id="trial-1",
    domain="cpu",
    regime="idle",
    guard_pid=100,
    guard_started_ticks=5,
    timeout_s=30.0,
    settings={"swappiness": 10},
)
SENSED = ("temp_peak_c", "watts", "package_power_w", "thermal_throttle_events")


def reading(value: float | None) -> Reading:
    return Reading(value=value, unit="C", source=None if value is None else "a file", reason=None if value else "none")


def good(value: float = 1.0) -> Reading:
    return Reading(value=value, unit="C", source="a file", reason=None)


def sensed(**changes: float | None) -> dict[str, Reading]:
    """What the sensors say of a cool machine, but for some of them."""
    found = dict.fromkeys(SENSED, good(0.0)) | {"temp_peak_c": good(50.0)}
    return found | {name: reading(value) for name, value in changes.items()}


def finished(**changes: float) -> TrialFinished:
    told = {"errors": good(0.0), "oom": good(0.0)} | {name: good(value) for name, value in changes.items()}
    return TrialFinished(trial_id="trial-1", status="done", readings=told)


def armed(**changes: float | None) -> Armed:
    return Armed(trial_id="trial-1", applied={"swappiness": "applied"}, readings=sensed(**changes), injected=True)


def ended(**changes: float | None) -> Ended:
    return Ended(trial_id="trial-1", readings=sensed(**changes), unrestored={}, killed=0, injected=True)


BREACH = Breach(cap="temp_peak_c", limit=90.0, value=95.0, unit="C", source="a file")
BREACHED_BY_95 = Breached(trial_id="trial-1", breach=BREACH, killed=3)


class Play:
    """A core, and what it is told, one input after another; every state goes through its bytes."""

    def __init__(self) -> None:
        self.core = SafetyWatchdogCore()
        self.tell(Started(1))
        self.observe(CAPS, (ROOT / "config" / "caps.yaml").read_bytes())
        self.observe(CPUS, b"4")

    def tell(self, event: Input) -> Outcome:
        """Handle it in a core that was restored from the bytes of the one before."""
        restored = SafetyWatchdogCore()
        restored.restore(self.core.snapshot())
        assert restored.snapshot() == self.core.snapshot()
        self.core = restored
        return self.core.handle(event, 1)

    def hear(self, message: Message) -> Outcome:
        return self.tell(Received(MessageRef("regime-runner", 1, 1), message))

    def observe(self, name: str, data: bytes | Record) -> Outcome:
        return self.tell(Observed(name, data if isinstance(data, bytes) else data.model_dump_json().encode()))


def only_message(outcome: Outcome) -> Message:
    assert len(outcome.sends) == 1, outcome
    return outcome.sends[0].message


def verdict_of(outcome: Outcome) -> SafetyVerdict:
    found = only_message(outcome)
    assert isinstance(found, SafetyVerdict)
    return found


def after_a_trial(play: Play, end: Ended, told: TrialFinished) -> SafetyVerdict:
    play.hear(STARTED)
    play.observe(ARMED, armed())
    play.hear(told)
    return verdict_of(play.observe(ENDED, end))


def test_a_trial_is_armed_with_the_caps_of_its_domain_and_told_of() -> None:
    play = Play()

    asked = play.hear(STARTED)
    told = verdict_of(play.observe(ARMED, armed(package_power_w=None)))

    assert [ask.name for ask in asked.asks] == [ARM] and asked.sends == []
    watch = Watch.model_validate_json(asked.asks[0].data)
    assert watch.caps["temp_peak_c"] == 90.0 and watch.caps["errors"] == 0.0 and watch.settings == {"swappiness": 10}
    assert (told.phase, told.safe, told.injected) == ("armed", None, True)
    assert told.applied == {"swappiness": "applied"}
    assert [missing.cap for missing in told.unchecked] == ["package_power_w"]


def test_a_cap_of_the_load_grows_with_the_machine() -> None:
    play = Play()

    asked = play.hear(STARTED.model_copy(update={"domain": "os_scheduler"}))

    assert Watch.model_validate_json(asked.asks[0].data).caps["load1"] == 8.0


@pytest.mark.parametrize(
    ("end", "told", "safe", "caps"),
    [
        (ended(), finished(), True, []),
        (ended(temp_peak_c=90.0), finished(), True, []),
        (ended(temp_peak_c=90.1), finished(), False, ["temp_peak_c"]),
        (ended(temp_peak_c=None), finished(), None, []),
        (ended(), finished(errors=1.0), False, ["errors"]),
        (ended(temp_peak_c=None), finished(oom=1.0), False, ["oom"]),
        (ended(), TrialFinished(trial_id="trial-1", status="failed", readings={}), None, []),
    ],
    ids=["cool", "at the cap", "beyond", "no sensor", "errors", "oom without a sensor", "told of nothing"],
)
def test_the_last_word_is_safe_unsafe_or_unknown(end: Ended, told: TrialFinished, safe: bool | None, caps) -> None:
    found = after_a_trial(Play(), end, told)

    assert (found.phase, found.safe) == ("final", safe)
    assert [breach.cap for breach in found.breaches] == caps
    assert bool(found.unchecked) is (safe is None or end.readings["temp_peak_c"].value is None)
    assert found.readings == end.readings


def test_a_breach_is_told_at_once_and_stays_in_the_last_word() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())

    at_once = play.observe(BREACHED, BREACHED_BY_95)
    play.observe(ENDED, ended(temp_peak_c=None))
    last = verdict_of(play.hear(finished()))

    assert only_message(at_once) == CapBreached(trial_id="trial-1", breach=BREACH, killed=3)
    assert last.safe is False and last.breaches == (BREACH,)
    assert play.core.figures()["breached"] == 1


def test_a_trial_that_was_ended_before_it_was_armed_is_marked_as_injected_too() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(BREACHED, BREACHED_BY_95)
    play.observe(ENDED, ended())

    found = verdict_of(play.hear(finished()))

    assert found.safe is False and found.injected


def test_a_domain_without_caps_is_never_called_safe() -> None:
    play = Play()
    play.observe(CAPS, re.sub(rb"\n  cpu:(\n    .*)+", b"", (ROOT / "config" / "caps.yaml").read_bytes()))

    found = after_a_trial(play, ended(), finished())

    assert found.safe is None and found.unchecked[0].reason == "caps.yaml has no cap for this domain"


def test_a_guard_that_is_gone_before_its_runner_says_so_is_no_second_end() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())
    quiet = play.observe(ENDED, ended())

    last = play.hear(finished())

    assert quiet.sends == [] and last.asks == []
    assert verdict_of(last).safe is True
    assert play.core.figures()["watching"] is None


def test_a_trial_that_is_announced_again_is_armed_again_unless_it_is_over() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())

    again = play.hear(STARTED)
    play.observe(ENDED, ended())
    too_late = play.hear(STARTED)

    assert [ask.name for ask in again.asks] == [ARM] and too_late.asks == []
    assert play.core.figures()["trials"] == 1


def test_a_watchdog_that_is_started_anew_during_a_trial_calls_it_unknown() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())

    anew = play.tell(Started(2))
    last = play.hear(finished())

    found = verdict_of(last)
    assert anew.asks == [] and last.asks == []
    assert found.safe is None and found.injected
    assert all(reading.reason and "started anew" in reading.reason for reading in found.readings.values())
    assert {"temp_peak_c", "package_power_w"} <= {missing.cap for missing in found.unchecked}


def test_a_trial_that_was_not_armed_yet_is_armed_by_the_next_process() -> None:
    play = Play()
    asked = play.hear(STARTED)

    again = play.tell(Started(2))

    assert again.asks == [Ask(ARM, asked.asks[0].data)]


def test_the_end_of_a_trial_that_the_watchdog_never_heard_of_is_answered() -> None:
    found = verdict_of(Play().hear(finished()))

    assert found.safe is None and "was not told" in found.unchecked[0].reason


def test_the_next_trial_takes_the_place_of_one_that_was_left() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())

    other = play.hear(STARTED.model_copy(update={"trial_id": "trial-2"}))
    late = play.observe(ENDED, ended())

    assert [ask.name for ask in other.asks] == [ARM] and "left without an end" in other.notes[0].text
    assert late.sends == []


def test_disarming_is_asked_when_the_runner_says_that_the_trial_is_over() -> None:
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())

    outcome = play.hear(finished())

    assert [ask.name for ask in outcome.asks] == [DISARM] and outcome.sends == []


def test_what_could_not_be_put_back_is_in_the_log_and_in_the_last_word() -> None:
    why = {"swappiness": "not restored: it says 10", "/sys/other": "/sys/other said 1 before the trial"}
    play = Play()
    play.hear(STARTED)
    play.observe(ARMED, armed())
    noted = play.observe(ENDED, ended().model_copy(update={"unrestored": why}))

    found = verdict_of(play.hear(finished()))

    assert [note.level for note in noted.notes] == ["error", "error"]
    assert found.applied == {"swappiness": "not restored: it says 10"}


def test_what_an_earlier_watchdog_left_is_in_the_log() -> None:
    outcome = Play().observe(RECOVERED, Recovered(lines=("one setting was put back",)))

    assert [note.text for note in outcome.notes] == ["one setting was put back"]


def test_a_world_that_cannot_watch_ends_the_process() -> None:
    with pytest.raises(WatchFailedError, match="no watch"):
        Play().observe(FAILED, Recovered(lines=("no watch",)))


def test_what_it_does_not_know_is_refused_and_a_pack_is_counted() -> None:
    play = Play()
    pack = PackWritten(
        order_id="order",
        domain="cpu",
        cand_id="gen0_00",
        generation=0,
        path="artifacts/x.json",
        sha256="0" * 64,
        is_valid=True,
        safe=True,
        score_v2=1.0,
    )

    assert play.observe("weather", b"rain").refusal is not None
    assert play.hear(pack).refusal is None and play.core.figures()["packs"] == 1


def test_what_is_asked_of_the_world_is_plain_json() -> None:
    asked = Play().hear(STARTED).asks[0]

    assert json.loads(asked.data)["guard_pid"] == 100
