"""A home in which trials are run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trial_house import TrialHouse


@pytest.fixture
def house(tmp_path: Path) -> Iterator[TrialHouse]:
    """A home whose trials a hand on the switch allows."""
    built = TrialHouse(tmp_path / "home").watched()
    yield built
    built.close()


@pytest.fixture
def unwatched_house(tmp_path: Path) -> Iterator[TrialHouse]:
    """A home without a watchdog."""
    built = TrialHouse(tmp_path / "home")
    yield built
    built.close()
