"""How much room is enough."""

from pathlib import Path

import pytest

from supervisor.disk import DiskState, free_mib, judge_disk


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (2048.0, DiskState.OK),
        (2047.9, DiskState.LOW),
        (1023.9, DiskState.FULL),
        (0.0, DiskState.FULL),
    ],
)
def test_state_follows_the_limits(free: float, expected: DiskState) -> None:
    assert judge_disk(free, 2048, 1024, DiskState.OK) is expected


def test_dreamer_goes_on_only_when_clearly_more_than_the_limit_is_free() -> None:
    assert judge_disk(1030.0, 2048, 1024, DiskState.FULL) is DiskState.FULL
    assert judge_disk(1080.0, 2048, 1024, DiskState.FULL) is DiskState.LOW


def test_limit_of_zero_never_holds_the_dreamer() -> None:
    assert judge_disk(0.0, 0, 0, DiskState.OK) is DiskState.OK


def test_free_space_is_told(tmp_path: Path) -> None:
    assert free_mib(tmp_path) > 0.0
