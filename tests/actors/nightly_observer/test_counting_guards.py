"""How often each guard acted, of how many times it could have: as the journals and logs of a home tell it."""

from pathlib import Path

import pytest

from actors.nightly_observer.day import DAY_NS, Tally
from bus.core import Fired, MessageRef, Observed
from schemas.regimes import Breach, CapBreached, SafetyVerdict
from tests.actors.nightly_observer.written_home import NOON_NS, WrittenHome, problems, profile, tonight

EPISODE = Fired("episode")
HEARD = MessageRef("pool-keeper", 1, 1)


@pytest.fixture
def home(tmp_path: Path) -> WrittenHome:
    return WrittenHome(tmp_path)


def test_episodes_without_a_dream_are_coherence_rejects(home: WrittenHome) -> None:
    home.manifest()
    home.run.step("dreamer", 0, EPISODE, pool_keeper=profile(1, 0.0))
    home.run.step("dreamer", 1, EPISODE)
    home.run.step("dreamer", 2, EPISODE, refusal="an episode before the start")
    home.run.step("dreamer", 3, HEARD)
    home.run.step("dreamer", 86_400, EPISODE)
    home.copy()

    assert tonight(home.read(), "coherence_reject") == Tally(1, 2)


def test_groups_that_moved_by_the_cap_were_held(home: WrittenHome) -> None:
    home.manifest()
    home.run.step("bias-synthesizer", 0, Observed("previous_profile", b""), dreamer=profile(1, 0.0, (1.0,)))
    home.run.step(
        "bias-synthesizer", 1, HEARD, dreamer=profile(2, 0.1, (0.9, 0.1)), pool_keeper=profile(2, 0.1, (0.9, 0.1))
    )
    home.run.step("bias-synthesizer", 2, HEARD, dreamer=profile(3, 0.15))
    home.copy()

    day = home.read()

    assert tonight(day, "bias_clamp") == Tally(3, 9)
    assert day.floors_applied == 3


def test_trials_that_were_ended_for_a_cap_are_halts_and_breaches_trips(home: WrittenHome) -> None:
    breach = Breach(cap="temp_c", limit=80.0, value=90.0, unit="C", source="sensor")
    home.manifest()
    for number, breaches in enumerate(((), (breach,), ())):
        armed = verdict(number, "armed", {"governor": "clamped", "swap": "applied", "gone": "unsupported"})
        home.run.step("safety-watchdog", 3.0 * number, HEARD, regime_runner=armed)
        home.run.step("safety-watchdog", 3.0 * number, HEARD, regime_runner=armed)
        for each in breaches:
            told = CapBreached(trial_id=f"t{number}", breach=each, killed=1)
            home.run.step("safety-watchdog", 3.0 * number + 1, HEARD, regime_runner=told)
        home.run.step("safety-watchdog", 3.0 * number + 2, HEARD, regime_runner=verdict(number, "final", {}, breaches))
    home.copy()

    day = home.read()

    assert tonight(day, "watchdog_halt") == Tally(1, 3)
    assert tonight(day, "cap_trip") == Tally(1, 3)
    assert tonight(day, "setting_clamp") == Tally(3, 6)


def verdict(number: int, phase: str, applied: dict[str, str], breaches: tuple[Breach, ...] = ()) -> SafetyVerdict:
    return SafetyVerdict(
        trial_id=f"t{number}",
        phase="armed" if phase == "armed" else "final",
        applied=applied,
        unchecked=(),
        safe=None if phase == "armed" else not breaches,
        readings={},
        breaches=breaches,
        injected=False,
    )


def test_those_without_a_right_are_counted_against_those_let_in(home: WrittenHome) -> None:
    home.manifest()
    for number in range(5):
        home.run.step("pool-keeper", number, MessageRef("learner", 1, number + 1))
    home.refusal("DreamEntry", "the topology has no row (learner, DreamEntry, pool-keeper)", left_out_before=2)
    home.refusal("handshake", "no key: it does not speak CURVE")
    home.refusal("DreamEntry", "coherence 0.1 is under the pool's threshold 0.2", left_out_before=7)
    home.copy()

    assert tonight(home.read(), "acl_reject") == Tally(4, 9)


def test_bytes_that_are_not_those_declared_are_sha_rejects(home: WrittenHome) -> None:
    for number in range(3):
        home.dream(number + 1)
    home.log("persist", event="refused", ts_ns=NOON_NS, reason="sha256 of the raw buffer differs from the one declared")
    home.log("persist", event="refused", ts_ns=NOON_NS, reason="coherence is low")
    home.log("persist", event="duplicate", ts_ns=NOON_NS)
    home.copy()

    day = home.read()

    assert tonight(day, "sha_reject") == Tally(1, 4)
    assert "logs/interface/persist.jsonl" not in problems(day)


def test_tallies_of_the_nights_before_are_kept_apart(home: WrittenHome) -> None:
    for days_ago in (8, 7, 3, 0):
        home.dream(10 - days_ago, NOON_NS - days_ago * DAY_NS)
    home.copy()

    (guard,) = (each for each in home.read().guards if each.name == "sha_reject")

    assert [None if night is None else night.n for night in guard.nights] == [1, None, None, None, 1, None, None, 1]
