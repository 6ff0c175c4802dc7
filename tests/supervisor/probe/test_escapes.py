"""The battery of escapes, for real, from every box that this machine can close (issue: the box, shown 1)."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bus.box.ladder import offer_of
from bus.box.landlock import landlock_abi
from schemas.isolation import Rung
from supervisor.probe.attempts import ATTEMPTS
from supervisor.probe.needs import needs_of
from supervisor.probe.probing import ProbeReport, probe

pytestmark = pytest.mark.system

NEEDS_ROOT = {
    "pool-open-by-handle",  # CAP_DAC_READ_SEARCH
    "raw-socket",
    "packet-socket",
    "enter-namespace",
    "mount",
    "change-root",
    "bpf",  # kernel.unprivileged_bpf_disabled
}
DEPENDS_ON_MACHINE = {
    "io-uring",  # kernel.io_uring_disabled
    "perf",  # kernel.perf_event_paranoid
    "fault-handler",  # vm.unprivileged_userfaultfd
    "user-namespace",  # user.max_user_namespaces, AppArmor
    "key-add",
    "session-key-read",
    "vsock-socket",
    "pool-setxattr",  # the file system of /tmp
    "pool-handle",
    "message-queue-open",
    "message-queue-make",
    "shared-segment",
    "shared-file-read",
    "shared-file-make",
}
"""What a machine may refuse without any box; all else is possible on every one."""


def skip_without(rung: Rung) -> None:
    offer = offer_of(rung)
    if not offer.is_available:
        pytest.skip(offer.why)


def may_administer() -> bool:
    """Whether this process has CAP_SYS_ADMIN."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:")]
    return bool(int(line.split()[1], 16) >> 21 & 1)


def by_status(report: ProbeReport) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in report.attempts:
        found.setdefault(one.status, set()).add(one.name)
    return found


def assert_only_stat_gets_through(report: ProbeReport) -> None:
    found = by_status(report)
    assert report.ok, [one for one in report.attempts if not one.is_expected]
    assert found["through"] == {"pool-stat"}
    assert found.keys() <= {"through", "blocked", "works", "not possible here"}
    assert found.get("not possible here", set()) <= NEEDS_ROOT | DEPENDS_ON_MACHINE


def test_at_least_thirty_six_ways_out_are_tried_each_under_a_name_of_its_own() -> None:
    names = [attempt.name for attempt in ATTEMPTS]

    assert len(names) == len(set(names)) >= 36
    assert [attempt.name for attempt in ATTEMPTS if attempt.is_conceded] == ["pool-stat"]


@pytest.mark.parametrize("abi", [1, 2, 4, None], ids=lambda abi: f"abi-{abi or 'own'}")
def test_nothing_but_stat_leaves_the_box_whatever_landlock_the_kernel_has(abi: int | None) -> None:
    skip_without("landlock+seccomp")

    report = probe("landlock+seccomp", abi)

    assert_only_stat_gets_through(report)
    assert report.landlock_abi == min(abi or landlock_abi(), landlock_abi())
    assert by_status(report)["works"] == needs_of("landlock+seccomp").keys()


def test_nothing_but_stat_leaves_the_box_without_landlock() -> None:
    skip_without("seccomp-no-open")

    report = probe("seccomp-no-open")

    assert_only_stat_gets_through(report)
    assert by_status(report)["works"] == needs_of("seccomp-no-open").keys()


def test_nothing_outside_is_reached_from_namespaces() -> None:
    skip_without("bwrap")

    report = probe("bwrap")

    assert report.ok, [one for one in report.attempts if not one.is_expected]
    assert "through" not in by_status(report)
    assert by_status(report)["works"] == needs_of("bwrap").keys()


def test_without_a_box_every_attempt_gets_through_so_that_being_blocked_means_something() -> None:
    report = probe("none")

    found = by_status(report)
    impossible = DEPENDS_ON_MACHINE | (set() if may_administer() else NEEDS_ROOT)
    assert not report.ok
    assert {attempt.name for attempt in ATTEMPTS} - found["through"] <= impossible


def test_a_probe_leaves_nothing_behind() -> None:
    places = [Path("/tmp"), Path("/dev/shm")]
    before = {path for place in places if place.is_dir() for path in place.glob("*oneiros-probe*")}

    probe("none")

    after = {path for place in places if place.is_dir() for path in place.glob("*oneiros-probe*")}
    assert after - before == set()
    assert not list(Path("/tmp").glob("intruder-*"))
