"""What counts as getting out is decided from outside, not by who tried."""

import pytest

from bus.box.ladder import Offer
from schemas.isolation import LADDER, Rung
from supervisor.probe.attempts import ATTEMPTS
from supervisor.probe.ladder_finding import judge_ladder
from supervisor.probe.needs import needs_of
from supervisor.probe.prisoner import Told
from supervisor.probe.probing import ProbeReport
from supervisor.probe.report import draw
from supervisor.probe.verdict import Judged, Seen, judge

SECRET = "oneiros-secret-0123456789ab"
NEEDS = needs_of("landlock+seccomp")
EVERY = [*NEEDS, *(attempt.name for attempt in ATTEMPTS)]


def claimed(name: str) -> Told:
    return Told(name=name, claim=f"{name} {SECRET}")


def refused(name: str, reason: str = "EPERM") -> Told:
    return Told(name=name, refusal=reason)


def seen(*told: Told, traces: dict[str, str] | None = None) -> Seen:
    return Seen({one.name: one for one in told}, traces or {}, lambda text: SECRET in text)


def boxed(*differing: Told, traces: dict[str, str] | None = None) -> Seen:
    """A prisoner whose box holds, but for `differing`."""
    usual = [claimed(name) if name in NEEDS or name == "pool-stat" else refused(name) for name in EVERY]
    return seen(*usual, *differing, traces=traces)


FREE = seen(*(claimed(name) for name in EVERY))


def verdict_on(name: str, prisoner: Seen, rung: Rung = "landlock+seccomp", free: Seen = FREE) -> Judged:
    (found,) = [one for one in judge(rung, prisoner, free, NEEDS) if one.name == name]
    return found


def test_a_box_that_holds_is_found_to_hold() -> None:
    judged = judge("landlock+seccomp", boxed(), FREE, NEEDS)

    assert all(one.is_expected for one in judged)
    assert [one.name for one in judged if one.status == "through"] == ["pool-stat"]


def test_an_attempt_that_was_refused_and_left_a_trace_got_through() -> None:
    found = verdict_on("pool-append", boxed(traces={"pool-append": "the pool is changed"}))

    assert (found.status, found.is_expected, found.text) == ("through", False, "the pool is changed")


def test_a_secret_counts_only_when_it_is_told() -> None:
    read = Told(name="pool-read", claim="64 bytes without a secret in them")

    assert verdict_on("pool-read", boxed(claimed("pool-read"))).status == "through"
    assert verdict_on("pool-read", boxed(read)).status == "unclear"
    assert not verdict_on("pool-read", boxed(read)).is_expected


def test_what_is_blocked_without_a_box_as_well_says_nothing_about_the_box() -> None:
    found = verdict_on("mount", boxed(), free=seen(*FREE.told.values(), refused("mount")))

    assert found.status == "not possible here"
    assert "EPERM" in found.text


def test_an_attempt_that_fails_by_itself_is_not_taken_for_a_blocked_one() -> None:
    found = verdict_on("pool-read", boxed(refused("pool-read", "TypeError: no such thing")))

    assert (found.status, found.is_expected) == ("unclear", False)


@pytest.mark.parametrize(
    ("name", "trace", "status"),
    [
        ("key-add", None, "contained"),
        ("key-add", "a key is new outside", "through"),
        ("session-key-read", None, "through"),
        ("vsock-socket", None, "through"),
        ("socket-pair", None, "contained"),
    ],
)
def test_namespaces_contain_only_what_stays_within_them(name: str, trace: str | None, status: str) -> None:
    traces = {} if trace is None else {name: trace}

    found = verdict_on(name, boxed(claimed(name), traces=traces), rung="bwrap")

    assert (found.status, found.is_expected) == (status, status == "contained")


def test_a_prisoner_that_dies_fails_the_box() -> None:
    survivor = seen(*(claimed(name) for name in NEEDS))

    assert verdict_on("pool-read", survivor).status == "untried"
    assert not verdict_on("pool-read", survivor).is_expected


def test_a_change_that_no_attempt_explains_fails_the_box() -> None:
    judged = judge("landlock+seccomp", boxed(traces={"": "the peer is dead"}), FREE, NEEDS)

    assert [one.text for one in judged if not one.is_expected] == ["the peer is dead"]


def test_a_box_in_which_nothing_works_is_no_good_box() -> None:
    found = verdict_on("need-append", boxed(refused("need-append")))

    assert (found.status, found.is_expected) == ("fails", False)


@pytest.mark.parametrize(
    ("name", "status"), [("fork", "contained"), ("udp-send", "contained"), ("peer-exists", "through")]
)
def test_in_namespaces_only_what_reaches_the_outside_counts(name: str, status: str) -> None:
    assert verdict_on(name, boxed(claimed(name)), rung="bwrap").status == status


def test_a_trace_counts_in_namespaces_as_well() -> None:
    prisoner = boxed(claimed("udp-send"), traces={"udp-send": "the peer heard it"})

    assert verdict_on("udp-send", prisoner, rung="bwrap").status == "through"


def test_the_text_has_a_line_for_each_attempt_and_marks_what_got_through() -> None:
    judged = judge("landlock+seccomp", boxed(claimed("pool-read")), FREE, NEEDS)
    report = ProbeReport(ok=False, rung="landlock+seccomp", landlock_abi=4, duration_s=1.0, attempts=judged)

    lines = draw(report).splitlines()

    assert "Landlock ABI 4" in lines[0]
    assert {line.split()[0] for line in lines if " blocked " in line} == {
        one.name for one in judged if one.status == "blocked"
    }
    assert [line.split()[1] for line in lines if line.startswith("!")] == ["pool-read"]
    assert lines[-1] == "the box does not hold, or hinders: pool-read"


def offered(*missing: Rung) -> list[Offer]:
    return [Offer(rung, rung not in missing, f"about {rung}") for rung in LADDER]


def test_doctor_says_which_box_is_used_and_why_none_stronger() -> None:
    finding = judge_ladder(offered("landlock+seccomp"), "landlock+seccomp", "required")

    assert finding.verdict == "PASS"
    assert "under seccomp-no-open" in finding.text
    assert "no landlock+seccomp: about landlock+seccomp" in finding.text


def test_doctor_says_that_the_settings_begin_lower() -> None:
    finding = judge_ladder(offered(), "bwrap", "required")

    assert "under bwrap" in finding.text
    assert "no seccomp-no-open: the settings begin below it" in finding.text


@pytest.mark.parametrize(("demand", "verdict"), [("required", "FAIL"), ("best-effort", "WARN")])
def test_doctor_fails_without_any_box_unless_that_is_wanted(demand: str, verdict: str) -> None:
    missing: tuple[Rung, ...] = ("landlock+seccomp", "seccomp-no-open", "bwrap")

    finding = judge_ladder(offered(*missing), "landlock+seccomp", demand)  # type: ignore[arg-type]  # parametrised

    assert finding.verdict == verdict
    assert "about bwrap" in finding.text
