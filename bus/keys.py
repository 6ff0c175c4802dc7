"""The CURVE keys of one run: who holds which, derived from the topology, and how a process gets its own.

In: the seats of a run. Out: a key ring for each instance, handed over through a pipe that can be read once. Keys are
made at each `up` and live in memory alone: never in the environment, in a file or in a log; a guest's, which cannot
be handed over, is in its offer in the private runtime folder (`bus.seat_offer`). A key that nobody of the run may use
is on no ring.
"""

import errno
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple

import zmq

from bus.codec import pack, unpack
from bus.errors import DecodeError, EndpointError, StartError
from bus.topology import accepted_by, peers_of
from schemas.guests import GuestBook
from schemas.manifest import Seat
from schemas.roles import Role

SUPERVISOR: Final[Role] = "supervisor"
"""The instance of the role of the same name; it has no seat in a manifest."""
KEY_BYTES: Final = 40
"""A key in Z85 text (ZeroMQ RFC 32)."""
READ_BYTES: Final = 65536
"""What a pipe holds by default, and so the largest ring."""


class KeyPair(NamedTuple):
    """A CURVE key pair, both in Z85."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


@dataclass(frozen=True)
class KeyRing:
    """What one process knows of the keys of its run; each key is Z85 text of 40 bytes."""

    instance: str
    public: bytes
    secret: bytes = field(repr=False)
    peers: Mapping[str, bytes]
    """Instance -> public key of each inbox that this one may send to."""
    admitted: Mapping[bytes, str]
    """Public key -> instance of everyone who may send to this inbox."""
    others: Mapping[bytes, str]
    """Public key -> instance of everyone who may not: a refusal calls them by name."""


class KeyBook:
    """All key pairs of one `up`; the supervisor alone has it."""

    def __init__(self) -> None:
        self._pairs: dict[str, KeyPair] = {}

    def pair(self, instance: str) -> KeyPair:
        """The pair of `instance`, made when it is first asked for: a restarted process keeps its keys."""
        if instance not in self._pairs:
            self._pairs[instance] = KeyPair(*zmq.curve_keypair())
        return self._pairs[instance]

    def renew(self, instance: str) -> KeyPair:
        """A new pair for `instance`; the one before is forgotten."""
        self._pairs.pop(instance, None)
        return self.pair(instance)

    def ring(self, instance: str, seats: Iterable[Seat]) -> KeyRing:
        """The ring of `instance` among `seats` and the supervisor; raises EndpointError when it has no seat there."""
        roles: dict[str, Role] = {SUPERVISOR: SUPERVISOR, **{seat.instance: seat.role for seat in seats}}
        if instance not in roles:
            raise EndpointError(f"{instance!r} has no seat in this run and gets no keys; seats are {', '.join(roles)}")
        hears = {sender for sender, _ in accepted_by(roles[instance])}
        tells = peers_of(roles[instance])
        own = self.pair(instance)
        keys = {name: self.pair(name).public for name in roles}
        return KeyRing(
            instance=instance,
            public=own.public,
            secret=own.secret,
            peers={name: key for name, key in keys.items() if roles[name] in tells},
            admitted={key: name for name, key in keys.items() if roles[name] in hears},
            others={key: name for name, key in keys.items() if roles[name] not in hears},
        )

    def __repr__(self) -> str:
        return f"KeyBook({', '.join(self._pairs)})"


def guest_keys(book: GuestBook, roles: Collection[Role]) -> dict[str, bytes | None]:
    """The public key of each guest of `book` that has one of `roles`, by instance; None on a bus without locks."""
    return {
        guest.instance: None if guest.public_key is None else guest.public_key.encode()
        for guest in book.guests
        if guest.role in roles
    }


def hand_over(ring: KeyRing) -> int:
    """The read end of a pipe that holds `ring`; whoever reads it first has it. The caller closes its own copy."""
    data = pack([getattr(ring, each.name) for each in fields(ring)])
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        written = os.write(writer, data)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    if written < len(data):
        os.close(reader)
        raise EndpointError(f"the keys of {ring.instance} have {len(data)} bytes, a pipe holds {READ_BYTES}")
    return reader


def take_over(fd: int) -> KeyRing:
    """The ring that waits in `fd`, read to its end and closed; raises StartError when there is none."""
    parts = []
    try:
        while part := os.read(fd, READ_BYTES):
            parts.append(part)
    except OSError as error:
        raise StartError(f"the keys cannot be read from descriptor {fd}: {error.strerror}") from error
    finally:
        _close(fd)
    try:
        return _ring(unpack(b"".join(parts)))
    except DecodeError as error:
        raise StartError(f"descriptor {fd} holds no key ring; start actors by `supervisor up`") from error


def _close(fd: int) -> None:
    """Close `fd` if it is open: that it is not has been told already."""
    try:
        os.close(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


def _ring(unpacked: object) -> KeyRing:
    """The ring of six `unpacked` fields; raises DecodeError, which shows none of them."""
    match unpacked:
        case (str(instance), bytes(public), bytes(secret), dict(peers), dict(admitted), dict(others)):
            keys = [public, secret, *peers.values(), *admitted, *others]
            names = [*peers, *admitted.values(), *others.values()]
            if all(type(key) is bytes and len(key) == KEY_BYTES for key in keys) and all(
                type(name) is str for name in names
            ):
                return KeyRing(instance, public, secret, peers, admitted, others)
    raise DecodeError("KeyRing", "not the six fields of a key ring")
