"""A friend in memory, and its settings."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.friend.dropin import dream
from schemas.friend_settings import FriendSettings
from tests.actors.friend.company import Company, Host, load_settings
from tests.actors.friend.guest import ORIGIN, README

FEARLESS = {
    "probability": 1.0,
    "least_origin_share": 0.0,
    "max_prompt_echo": 1.0,
    "least_distinct": 0.0,
    "max_bits_excess": 1.0,
}


@pytest.fixture(scope="session")
def settings() -> FriendSettings:
    return load_settings()


@pytest.fixture
def eager() -> Company:
    """A friend that always speaks when a gate is open, and that no instrument silences."""
    return Company(load_settings(**FEARLESS))


@pytest.fixture
def leo(eager: Company) -> Host:
    """A foreign host that has told its origin."""
    host = Host(eager, "learner-2", "leo")
    host.tell_origin()
    return host


@pytest.fixture
def make_company() -> Callable[..., Company]:
    def build(**changes: object) -> Company:
        return Company(load_settings(**changes))

    return build


@pytest.fixture(autouse=True)
def fresh_guest() -> Iterator[None]:
    """What the module remembers of one test is not there in the next."""
    yield
    dream.attach(None)
    dream.serve_dream()
    dream.Guest.calls.clear()
    dream.Guest.declined.clear()
    dream.DREAM_AVAILABLE = True


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of commits cost no disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def store(quick_folder: Path) -> Path:
    path = quick_folder / "dream.sqlite3"
    dream.init_dream(path, ORIGIN, README)
    return path
