"""One home, one supervisor; and who it is can be read."""

import fcntl
import os
from pathlib import Path

import pytest

from supervisor.errors import AlreadyRunningError
from supervisor.home import Home
from supervisor.lock import Holder, find_dead_holder, find_holder, hold_home, is_held_by

HOLDER = Holder(pid=4711, started_at="2030-01-01T00:00:00Z", runtime="/run/dreams")


def test_second_supervisor_is_refused_with_pid_start_and_runtime_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with hold_home(home, HOLDER):
        with pytest.raises(AlreadyRunningError) as refused, hold_home(home, HOLDER):
            pass

    assert refused.value.exit_code == 2
    for fact in ("4711", "2030-01-01T00:00:00Z", "/run/dreams"):
        assert fact in str(refused.value)


def test_holder_is_found_while_it_holds_and_not_afterwards(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert find_holder(home) is None

    with hold_home(home, HOLDER):
        assert find_holder(home) == HOLDER

    assert find_holder(home) is None
    assert find_dead_holder(home) is None


def test_home_can_be_held_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with hold_home(home, HOLDER):
        pass

    with hold_home(home, HOLDER):
        assert find_holder(home) == HOLDER


def test_holder_that_was_killed_is_told_apart_from_one_that_left(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.lock_file.write_text(HOLDER.model_dump_json())

    assert find_holder(home) is None
    assert find_dead_holder(home) == HOLDER


def test_lock_without_facts_is_still_a_lock(tmp_path: Path) -> None:
    home = Home(tmp_path)
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    with pytest.raises(AlreadyRunningError), hold_home(home, HOLDER):
        pass

    os.close(descriptor)


def test_only_the_process_that_has_the_lock_open_holds_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with hold_home(home, HOLDER):
        assert is_held_by(home, os.getpid())
        assert not is_held_by(home, os.getppid())

    assert not is_held_by(home, os.getpid())
