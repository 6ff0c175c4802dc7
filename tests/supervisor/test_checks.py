"""The verdicts of `doctor`: pure functions of what was found."""

import pytest

from actors.pool_keeper.schema import APPLICATION_ID
from supervisor import checks


def test_old_python_fails() -> None:
    assert checks.judge_python((3, 10, 12)).verdict == "FAIL"
    assert checks.judge_python((3, 11, 0)).verdict == "PASS"


def test_package_of_another_distribution_fails_and_is_named() -> None:
    finding = checks.judge_packages({"bus": "/ours/bus", "supervisor": "/theirs/supervisor"}, "/ours")

    assert finding.verdict == "FAIL"
    assert "/theirs/supervisor" in finding.text


@pytest.mark.parametrize(
    ("version", "clauses", "expected"),
    [
        ("2.4.6", ">=2.2,<3", True),
        ("3.0", ">=2.2,<3", False),
        ("2.1.9", ">=2.2,<3", False),
        ("2.2.0rc1", ">=2.2", True),
        ("10", ">=9.5", True),
        ("1.0", "==1.0.0", True),
        ("1.0", "", True),
    ],
)
def test_versions_are_compared_by_number(version: str, clauses: str, expected: bool) -> None:
    assert checks.fits(version, clauses) is expected


def test_missing_and_old_dependencies_fail_and_are_all_named() -> None:
    finding = checks.judge_dependencies({"numpy": ">=2.2", "click": ">=8.1"}, {"numpy": None, "click": "7.0"})

    assert finding.verdict == "FAIL"
    assert "numpy is missing" in finding.text and "click is 7.0" in finding.text


def test_disk_warns_before_it_fails() -> None:
    assert [checks.judge_disk_space(free, 2048, 1024).verdict for free in (3000, 1500, 100)] == ["PASS", "WARN", "FAIL"]


def test_home_that_cannot_be_written_fails() -> None:
    assert checks.judge_home("/x", "Permission denied").verdict == "FAIL"


def test_socket_path_over_the_limit_fails() -> None:
    assert checks.judge_runtime("/run/x", 108, 107, None).verdict == "FAIL"
    assert checks.judge_runtime("/run/x", 107, 107, None).verdict == "PASS"


def test_supervisor_that_was_killed_is_a_warning() -> None:
    assert checks.judge_lock(None, 5, False).verdict == "WARN"
    assert checks.judge_lock(7, None, False).verdict == "PASS"
    assert checks.judge_lock(None, None, False).verdict == "PASS"


def test_kernel_without_a_death_signal_fails_and_without_landlock_does_not() -> None:
    assert checks.judge_death_signal(False).verdict == "FAIL"
    assert checks.judge_landlock(0).verdict == "PASS"


def test_few_open_files_warn_and_too_few_fail() -> None:
    assert [checks.judge_open_files(limit).verdict for limit in (40, 63, 64, 255, 256)] == [
        "FAIL",
        "FAIL",
        "WARN",
        "WARN",
        "PASS",
    ]


def test_clock_that_was_never_set_or_fell_back_warns() -> None:
    assert checks.judge_clock(0.0, None).verdict == "WARN"
    assert checks.judge_clock(1_900_000_000.0, 1_900_000_060.0).verdict == "WARN"
    assert checks.judge_clock(1_900_000_000.0, 1_800_000_000.0).verdict == "PASS"


def test_wrong_configuration_fails_with_every_problem() -> None:
    finding = checks.judge_configuration(("one", "two"))

    assert (finding.verdict, finding.text) == ("FAIL", "one; two")


def pool_head(magic: bytes = checks.SQLITE_MAGIC, application: int = checks.POOL_APPLICATION_ID) -> bytes:
    return magic.ljust(68, b"\0") + application.to_bytes(4, "big") + bytes(28)


@pytest.mark.parametrize(
    ("head", "has_log", "expected"),
    [
        (None, False, "PASS"),
        (b"", False, "PASS"),
        (pool_head(), False, "PASS"),
        (pool_head(application=0), True, "PASS"),
        (pool_head(application=0), False, "FAIL"),
        (pool_head(application=7), True, "FAIL"),
        (pool_head(magic=b"PK"), False, "FAIL"),
        (pool_head()[:50], False, "FAIL"),
    ],
    ids=["none", "empty", "pool", "young", "plain", "strange", "no database", "cut"],
)
def test_pool_is_known_by_its_head(head: bytes | None, has_log: bool, expected: str) -> None:
    assert checks.judge_pool("/x", head, has_log, None).verdict == expected


def test_pool_that_cannot_be_read_fails() -> None:
    assert checks.judge_pool("/x", None, False, "Permission denied").verdict == "FAIL"


def test_head_of_a_pool_is_the_one_that_the_keeper_writes() -> None:
    assert checks.POOL_APPLICATION_ID == APPLICATION_ID


def test_socket_that_another_process_serves_fails_and_is_named() -> None:
    assert checks.judge_sockets((), (), None).verdict == "PASS"
    assert checks.judge_sockets(("/run/a.in",), (), 7).verdict == "PASS"
    finding = checks.judge_sockets(("/run/a.in",), (), None)
    assert finding.verdict == "FAIL" and "/run/a.in" in finding.text
    assert checks.judge_sockets((), ("/run/a.in",), 7).verdict == "FAIL"
