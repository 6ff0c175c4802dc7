"""Keys follow the topology, reach one process each, and are shown to nobody."""

import os
from dataclasses import replace

import pytest

from bus.errors import EndpointError, StartError
from bus.keys import SUPERVISOR, KeyBook, hand_over, take_over
from bus.topology import TOPOLOGY
from schemas.manifest import Seat
from schemas.roles import ACTOR_ROLES

SEATS = tuple(Seat(instance=role, role=role) for role in ACTOR_ROLES)
INSTANCES = (*ACTOR_ROLES, SUPERVISOR)


@pytest.mark.parametrize("instance", INSTANCES)
def test_a_ring_holds_the_inboxes_that_the_topology_lets_it_write_to(instance: str) -> None:
    book = KeyBook()

    ring = book.ring(instance, SEATS)

    receivers = {row.receiver for row in TOPOLOGY if row.sender == instance}
    assert ring.peers == {name: book.pair(name).public for name in receivers}


@pytest.mark.parametrize("instance", INSTANCES)
def test_a_ring_admits_those_whom_the_topology_lets_write_to_it(instance: str) -> None:
    book = KeyBook()

    ring = book.ring(instance, SEATS)

    senders = {row.sender for row in TOPOLOGY if row.receiver == instance}
    assert ring.admitted == {book.pair(name).public: name for name in senders}
    assert ring.others == {book.pair(name).public: name for name in INSTANCES if name not in senders}


def test_only_the_bias_synthesizer_is_admitted_by_the_dreamer(seats: tuple[Seat, ...]) -> None:
    # design: the dreamer only ever receives BiasProfile
    ring = KeyBook().ring("dreamer", seats)

    assert list(ring.admitted.values()) == ["bias-synthesizer"]


def test_a_second_instance_of_a_role_has_keys_of_its_own_and_the_rights_of_its_role(seats: tuple[Seat, ...]) -> None:
    book = KeyBook()
    more = (*seats, Seat(instance="learner-2", role="learner"))

    first, second = book.ring("learner", more), book.ring("learner-2", more)

    assert first.secret != second.secret
    assert first.peers == second.peers
    assert {"learner", "learner-2"} <= set(book.ring("pool-keeper", more).admitted.values())


def test_a_process_that_starts_again_gets_the_same_keys(seats: tuple[Seat, ...]) -> None:
    book = KeyBook()

    rings = [book.ring("learner", seats) for _ in range(2)]

    assert rings[0] == rings[1]


def test_every_up_has_keys_of_its_own(seats: tuple[Seat, ...]) -> None:
    rings = [KeyBook().ring("learner", seats) for _ in range(2)]

    assert rings[0].public != rings[1].public
    assert rings[0].peers["pool-keeper"] != rings[1].peers["pool-keeper"]


def test_who_has_no_seat_gets_no_keys(seats: tuple[Seat, ...]) -> None:
    with pytest.raises(EndpointError, match="'stranger' has no seat in this run"):
        KeyBook().ring("stranger", seats)


def test_a_ring_that_is_handed_over_arrives_whole(seats: tuple[Seat, ...]) -> None:
    ring = KeyBook().ring("pool-keeper", seats)

    taken = take_over(hand_over(ring))

    assert taken == ring


def test_a_ring_can_be_taken_over_once(seats: tuple[Seat, ...]) -> None:
    fd = hand_over(KeyBook().ring("learner", seats))
    copy = os.dup(fd)
    take_over(fd)

    with pytest.raises(StartError, match="holds no key ring"):
        take_over(copy)


def test_a_ring_that_was_taken_over_leaves_no_descriptor_behind(seats: tuple[Seat, ...]) -> None:
    fd = hand_over(KeyBook().ring("learner", seats))

    take_over(fd)

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_descriptor_that_is_not_open_holds_no_keys(seats: tuple[Seat, ...]) -> None:
    fd = hand_over(KeyBook().ring("learner", seats))
    os.close(fd)

    with pytest.raises(StartError, match="cannot be read"):
        take_over(fd)


def test_a_handed_over_descriptor_goes_to_no_other_child(seats: tuple[Seat, ...]) -> None:
    fd = hand_over(KeyBook().ring("learner", seats))

    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x96\xa1x\xc4\x01y\xc4\x01z\x80\x80\x80"])
def test_what_is_no_ring_is_refused(content: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)

    with pytest.raises(StartError, match="holds no key ring"):
        take_over(reader)


def test_a_ring_too_large_for_a_pipe_is_refused_and_blocks_nobody(seats: tuple[Seat, ...]) -> None:
    ring = KeyBook().ring("pool-keeper", seats)
    crowded = replace(ring, peers={f"learner-{number}": ring.public for number in range(2000)})

    with pytest.raises(EndpointError, match="a pipe holds 65536"):
        hand_over(crowded)


def test_secrets_are_never_shown(seats: tuple[Seat, ...]) -> None:
    book = KeyBook()
    ring = book.ring("learner", seats)

    shown = f"{ring!r} {ring} {book!r} {book.pair('learner')!r} {book.pair('learner')}"

    assert ring.public.decode() in shown
    assert ring.secret.decode() not in shown
