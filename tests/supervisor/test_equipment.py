"""What processes are handed: keys over a pipe, and for a boxed one the sockets that it cannot make itself."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.inheritance import arguments_for, inherit
from bus.keys import KeyBook
from supervisor.equipment import Equipment
from supervisor.errors import SocketsRefusedError
from supervisor.nursery import PINNED, actor_environment, pinned_environment, replaying_environment
from supervisor.plan import default_seats

SEATS = default_seats()
DREAMER = next(seat for seat in SEATS if seat.role == "dreamer")
KEEPER = next(seat for seat in SEATS if seat.role == "pool-keeper")


@pytest.fixture
def runtime() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="one-") as folder:
        yield Path(folder)


@pytest.fixture
def equipment(runtime: Path) -> Iterator[Equipment]:
    equipment = Equipment(runtime, SEATS, KeyBook())
    yield equipment
    equipment.close()


def test_a_boxed_actor_is_handed_an_inbox_and_an_outlet_to_each_of_its_receivers(equipment: Equipment) -> None:
    with equipment.of(DREAMER) as handed:
        names = set(handed.descriptors)

    assert names == {"inbox", "outlet:pool-keeper", "outlet:supervisor", "keys"}


def test_an_actor_without_a_box_is_handed_keys_alone(equipment: Equipment) -> None:
    with equipment.of(KEEPER) as handed:
        assert set(handed.descriptors) == {"keys"}


def test_what_is_handed_is_inherited_by_name(equipment: Equipment) -> None:
    with equipment.of(DREAMER) as handed:
        words = arguments_for({name: os.dup(fd) for name, fd in handed.descriptors.items()})
    inherited = inherit(words[1::2])

    assert inherited.ring == equipment.ring("dreamer")
    assert inherited.outlets.keys() == {"pool-keeper", "supervisor"}
    for fd in (inherited.inbox, *inherited.outlets.values()):
        with socket.socket(fileno=fd) as listening:
            assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_a_peer_that_calls_while_no_process_serves_waits(equipment: Equipment, runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        assert peer.connect_ex(str(runtime / "dreamer.in")) == 0


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_sockets_that_a_process_has_made_deaf_are_made_anew_for_the_next_one(
    equipment: Equipment, runtime: Path, how: int
) -> None:
    with equipment.of(DREAMER) as handed:
        whole = handed.descriptors["outlet:supervisor"]
        with socket.socket(fileno=os.dup(handed.descriptors["inbox"])) as inbox:
            inbox.shutdown(how)

    with equipment.of(DREAMER) as handed, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        assert peer.connect_ex(str(runtime / "dreamer.in")) == 0
        with socket.socket(fileno=os.dup(handed.descriptors["inbox"])) as inbox:
            inbox.accept()[0].close()
        assert handed.descriptors["outlet:supervisor"] == whole


def test_no_key_is_left_in_the_runtime_folder_and_no_socket_after_the_run(equipment: Equipment, runtime: Path) -> None:
    with equipment.of(DREAMER), equipment.of(KEEPER):
        names = {path.name for path in runtime.iterdir()}
        assert all(path.is_socket() for path in runtime.iterdir())

    equipment.close()

    assert names == {"dreamer.in", "dreamer.pool-keeper.out", "dreamer.supervisor.out"}
    assert not list(runtime.iterdir())


def test_descriptors_made_for_one_process_are_closed_behind_it(equipment: Equipment) -> None:
    with equipment.of(KEEPER) as handed:
        keys = handed.descriptors["keys"]
        os.fstat(keys)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(keys)


def test_a_bus_without_keys_hands_over_none(runtime: Path) -> None:
    equipment = Equipment(runtime, SEATS, None)

    with equipment.of(KEEPER) as handed:
        assert handed.descriptors == {}
    assert equipment.ring("dreamer") is None
    equipment.close()


def test_a_socket_that_is_served_by_another_is_refused_with_the_name_of_the_actor(runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(runtime / "dreamer.supervisor.out"))
        other.listen()

        with pytest.raises(SocketsRefusedError, match=r"dreamer cannot start: .*dreamer.supervisor.out"):
            Equipment(runtime, SEATS, KeyBook())

    assert not (runtime / "dreamer.in").exists()


def test_an_actors_environment_holds_nothing_that_a_shell_keeps_to_itself() -> None:
    ours = {"PATH": "/bin", "LC_ALL": "C", "API_TOKEN": "secret", "OMP_NUM_THREADS": "8", "SSH_AUTH_SOCK": "/tmp/agent"}

    found = actor_environment(ours)

    assert found == {"PATH": "/bin", "LC_ALL": "C", **dict(PINNED)}


def test_a_replay_has_the_arithmetic_of_its_run_and_nothing_of_what_is_set_now() -> None:
    pinned = pinned_environment({"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "8", "HOME": "/there"})

    found = replaying_environment({"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "AVX2"}, pinned)

    assert found == {"OPENBLAS_CORETYPE": "Haswell", **dict(PINNED)}
