"""A throw-away world notices what is done to it."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.probe.attempt import SECRET, told
from supervisor.probe.system_calls import NUMBERS
from supervisor.probe.world import World

UNISTD = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h")

pytestmark = pytest.mark.system


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def test_a_world_that_is_left_alone_has_no_traces(world: World) -> None:
    Path(world.facts.pool_file).read_bytes()

    assert world.traces() == {}


def test_a_change_is_laid_at_the_door_of_its_attempt(world: World) -> None:
    os.chmod(world.facts.victim("pool-chmod"), 0o640)
    Path(world.facts.intruder(world.facts.home, "home-write")).touch()
    Path(world.facts.temporary).touch()

    assert world.traces().keys() == {"pool-chmod", "home-write", "tmp-write"}


def test_an_unexplained_change_is_seen_as_well(world: World) -> None:
    Path(world.facts.pool_file).write_bytes(b"nothing")

    assert world.traces() == {"": "dream_pool.sqlite is changed"}


def test_what_reaches_the_peer_is_heard(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pipe:
        pipe.sendto(b"udp-send", ("127.0.0.1", world.facts.udp_port))
    os.kill(world.facts.peer_pid, signal.SIGTERM)

    assert world.traces().keys() == {"udp-send", "peer-terminate"}


def test_a_dead_peer_is_noticed_and_buried(world: World) -> None:
    os.kill(world.facts.peer_pid, signal.SIGKILL)

    traces = world.traces()
    world.close()

    assert traces == {"": "the peer is dead"}
    assert not list(Path("/dev/shm").glob(f"{world.facts.abstract_name}*"))


def test_each_place_has_a_secret_of_its_own_that_the_facts_do_not_tell(world: World) -> None:
    facts = world.facts
    places = (facts.pool_file, facts.peer_journal, facts.peer_log, facts.key_file, f"/proc/{facts.peer_pid}/environ")

    found = {told(Path(place).read_bytes()) for place in places}

    assert len(found) == len(places)
    assert all(world.holds(secret) for secret in found)
    assert SECRET.search(facts.model_dump_json().encode()) is None


def test_nothing_is_left_when_a_world_ends_by_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), World() as world:
        raise KeyboardInterrupt

    assert not world.root.exists()
    assert not Path(f"/proc/{world.facts.peer_pid}").exists()
    assert world.facts.shared_file is None or not Path(world.facts.shared_file).exists()


@pytest.mark.parametrize(("machine", "header"), [("x86_64", UNISTD[0]), ("aarch64", UNISTD[1])])
def test_the_numbers_of_the_calls_are_those_of_the_kernel(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    lines = [line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR")]
    known = {words[1].removeprefix("__NR3264_").removeprefix("__NR_"): words[2] for words in lines if len(words) > 2}

    assert {name: known[name] for name in NUMBERS[machine]} == {
        name: str(number) for name, number in NUMBERS[machine].items()
    }
