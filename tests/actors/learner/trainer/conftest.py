"""Things of the file system that a test of the trainer needs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def make_pipe() -> Callable[[Path], None]:
    """Makes a named pipe that nobody writes to."""
    return os.mkfifo
