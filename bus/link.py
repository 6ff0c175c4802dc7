"""The sockets of one process: an inbox that only pulls and an outlet to each peer that only pushes (design, section 3).

In: frames of peers, frames to send; with a key ring, only of and to those whose keys it holds. Out: whole multipart
messages with the holder of the key that they came under, or word that the socket did not take one. Direction is in
the socket type; who listens is the CURVE server, and knows by its allow-list who calls. (A server that calls can go
deaf: ZeroMQ keeps one handshake for all its connections, and a late answer about one peer meets the next.) Nothing here
waits, but for the
first words to an awaited peer that has to call: queues are bounded, a send that would block is dropped and found in
the journal by its receiver. Payloads travel as raw frames, uncopied where they are not encrypted.
"""

import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import zmq

from bus.codec import MAX_PAYLOADS, BytesLike
from bus.doorkeeper import Door, Refusal, doorkeeper_of
from bus.endpoints import address_of, inbox_address, inbox_path, outlet_address, refuse_if_served
from bus.errors import EndpointError
from bus.keys import KeyRing, guest_keys
from bus.topology import accepted_by, peers_of
from schemas.guests import GuestBook
from schemas.roles import Role

QUEUE_MESSAGES: Final = 100
"""High-water mark of every socket, in messages."""
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""A peer that announces a larger frame is cut off by ZeroMQ itself."""
COPY_BELOW_BYTES: Final = 64 * 1024
MUTE_S: Final = 0.02
BACKLOG: Final = 128
"""Peers that may wait at a handed-over socket while its process is away."""
CALLING_MS: Final = 500
"""How long the first words to an awaited peer wait for its call."""
RECONNECT_MS: Final = 10
RECONNECT_MAX_MS: Final = 200
REDIAL_S: Final = 1.0
"""After which a place is called again in which somebody answered with a wrong key."""
MAX_PARTS: Final = MAX_PAYLOADS + 2

_POLLIN: Final = int(zmq.POLLIN)
_LAST: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)
"""Flags as plain numbers: joining enumeration members costs more than sending."""

RawMessage = list[BytesLike]


class Arrival(NamedTuple):
    """A message as it came in."""

    parts: RawMessage
    holder: str | None
    """The instance whose key it came under; None on a transport without keys."""


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    """The one ZeroMQ context of a process."""
    return zmq.Context()


def listen_at(path: Path) -> socket.socket:
    """A listening, non-blocking unix socket of mode 0600 at `path`, to be handed over to the process that serves it.

    A stale socket file is removed. Raises EndpointError when the path is too long, served, or no place for a socket.
    """
    address_of(path)
    refuse_if_served(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise EndpointError(
            f"cannot listen at {path}: {error.strerror}; clear the place, or use another home"
        ) from error
    return listener


class Inbox:
    """The receiving end of one instance."""

    def __init__(  # noqa: PLR0913 - what a socket is made of, by keyword
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        runtime: Path,
        instance: str,
        *,
        ring: KeyRing | None = None,
        listener: int | None = None,
        callers: Sequence[str] = (),
        guests: Mapping[str, bytes | None] = MappingProxyType({}),
    ) -> None:
        """Listen, on the descriptor `listener` if there is one, and call the out-sockets of the boxed `callers`.

        With `ring`, only those whom it admits come in, and `guests` under their keys. A listener is owned by the socket
        from then on. Raises EndpointError when the place is served or cannot be bound.
        """
        if listener is None:
            refuse_if_served(inbox_path(runtime, instance))
        self._socket = context.socket(zmq.PULL)
        self._called: list[_Call] = []
        self._prefers_called = False
        _bound_queue(self._socket)
        self._door = None if ring is None else doorkeeper_of(context).guard(self._socket, ring, guests)
        try:
            self._listen(runtime, instance, listener)
            for caller in callers:
                self._call(context, ring, caller, outlet_address(runtime, caller, instance))
        except EndpointError:
            self.close()
            raise
        self._wakers: tuple[socket.socket, ...] = ()
        self._poller = zmq.Poller()
        self._sockets = {self._socket, *(call.pipe for call in self._called)}
        for pipe in self._sockets:
            self._poller.register(pipe, zmq.POLLIN)

    def _listen(self, runtime: Path, instance: str, listener: int | None) -> None:
        address = inbox_address(runtime, instance)
        if listener is not None:
            self._socket.setsockopt(zmq.USE_FD, listener)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            raise EndpointError(f"{instance} cannot listen on {address}: {zmq.strerror(error.errno or 0)}") from error
        if listener is None:
            inbox_path(runtime, instance).chmod(0o600)

    def _call(self, context: zmq.Context[zmq.Socket[bytes]], ring: KeyRing | None, caller: str, address: str) -> None:
        """Fetch from `caller`: nobody else holds the secret of the key that is asked for."""
        call = _Call(context.socket(zmq.PULL), caller, address)
        self._called.append(call)
        _bound_queue(call.pipe)
        if ring is not None:
            keys = {name: key for key, name in ring.admitted.items()}
            if caller not in keys:
                raise EndpointError(f"{ring.instance} has no key of {caller}: the topology has no row from it")
            _show_keys(call.pipe, ring, keys[caller])
            call.door = doorkeeper_of(context).watch_call(call.pipe, ring, caller)
        call.pipe.connect(address)

    def wake_on(self, receiver: socket.socket, waker: socket.socket) -> None:
        """Let a byte on `receiver` end the waiting; the signal that wrote it has set what there is to do.

        Both ends stay open as long as the inbox: a signal writes to the number of `waker`, whatever file has it then.
        """
        self._poller.register(receiver.fileno(), zmq.POLLIN)
        self._wakers = (receiver, waker)

    def wake_on_world(self, descriptor: int) -> None:
        """Let `descriptor` end the waiting while it is readable; whoever owns it reads it."""
        self._poller.register(descriptor, zmq.POLLIN)

    def admit_guests(self, role: Role, book: GuestBook) -> None:
        """Let those guests of `book` in who may say something to `role`, under the keys that count now."""
        if self._door is not None:
            self._door.admit_guests(guest_keys(book, {sender for sender, _ in accepted_by(role)}))

    def wait(self, timeout_ms: int) -> None:
        """Wait until something can be received, the time is over or a signal has come."""
        ready = [source for source, _ in self._poller.poll(timeout_ms)]
        if self._wakers and self._wakers[0].fileno() in ready:
            self._wakers[0].recv(64)

    def filenos(self) -> tuple[int, ...]:
        """Descriptors that become readable when something may have arrived; edge-triggered, so drain."""
        return tuple(int(pipe.getsockopt(zmq.FD)) for pipe in self._sockets)

    def receive(self) -> Arrival | None:
        """One whole message, or None when nothing waits; parts beyond `MAX_PARTS` are dropped."""
        if not self._called:
            return self._take(self._socket)
        self._prefers_called = not self._prefers_called
        if self._prefers_called:
            return self._fetch() or self._take(self._socket)
        return self._take(self._socket) or self._fetch()

    def _fetch(self) -> Arrival | None:
        for call in self._called:
            arrival = self._take(call.pipe, call.caller)
            if arrival is not None:
                return arrival
        return None

    def _take(self, pipe: zmq.Socket[bytes], holder: str | None = None) -> Arrival | None:
        try:
            part = pipe.recv(_LAST, copy=False)
        except zmq.Again:
            return None
        if self._door is None:
            holder = None
        elif holder is None:
            holder = self._door.holder(str(part.get("User-Id")))
        parts: RawMessage = [part.bytes]
        while part.more:
            part = pipe.recv(copy=False)
            if len(parts) < MAX_PARTS:
                parts.append(part.bytes if len(part) < COPY_BELOW_BYTES else part.buffer)
        return Arrival(parts, holder)

    def take_refusals(self) -> list[Refusal]:
        """The handshakes refused since the last call, one item each; none on a transport without keys."""
        if self._door is None:
            return []
        refusals = self._door.take_refusals()
        for call in self._called:
            refusals += call.take_refusals()
        return refusals

    def has_more(self) -> bool:
        """Whether a message waits: cheaper than finding out by `receive`, dearer than receiving one."""
        return any(int(pipe.getsockopt(zmq.EVENTS)) & _POLLIN for pipe in self._sockets)

    def close(self) -> None:
        """Close the sockets."""
        if self._door is not None and not self._socket.closed:
            self._socket.disable_monitor()
        self._socket.close()
        for call in self._called:
            call.close()


@dataclass
class _Call:
    """A socket that fetches from one boxed sender."""

    pipe: zmq.Socket[bytes]
    caller: str
    address: str
    door: Door | None = None
    again_at_s: float = 0.0

    def take_refusals(self) -> list[Refusal]:
        """Whoever answered with a wrong key since the last call; ZeroMQ does not call again then, but we do."""
        refusals = [] if self.door is None else self.door.take_refusals()
        if refusals:
            self.again_at_s = time.monotonic() + REDIAL_S
        elif self.again_at_s and time.monotonic() > self.again_at_s:
            self.again_at_s = 0.0
            self.pipe.disconnect(self.address)
            self.pipe.connect(self.address)
        return refusals

    def close(self) -> None:
        """Close the socket."""
        if self.door is not None and not self.pipe.closed:
            self.pipe.disable_monitor()
        self.pipe.close()


def _bound_queue(pipe: zmq.Socket[bytes]) -> None:
    """What every receiving socket has."""
    pipe.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
    pipe.setsockopt(zmq.LINGER, 0)
    pipe.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    pipe.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    pipe.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)


def _show_keys(pipe: zmq.Socket[bytes], ring: KeyRing, server_key: bytes) -> None:
    """Be the CURVE client that holds `ring`, of a server that holds the secret of `server_key`."""
    pipe.setsockopt(zmq.CURVE_SECRETKEY, ring.secret)
    pipe.setsockopt(zmq.CURVE_PUBLICKEY, ring.public)
    pipe.setsockopt(zmq.CURVE_SERVERKEY, server_key)


class Outlet:
    """The sending ends of one instance: a socket for each peer."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        runtime: Path,
        peers: Sequence[str],
        awaited: Collection[str] = (),
        *,
        ring: KeyRing | None = None,
        listeners: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Connect to `peers`, or wait for the call of those in `listeners` on their descriptors, owned from then on.

        What is sent to those in `awaited` before they answer is kept for them. Raises EndpointError when `ring` has no
        key of a peer.
        """
        self._ring = ring
        self._context = context
        self._runtime = runtime
        self._guests: dict[str, bytes | None] = {}
        self._doors: dict[str, Door] = {}
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        try:
            for peer in peers:
                is_called = peer in listeners
                pipe = self._sockets[peer] = self._pipe(context, peer, is_awaited=peer in awaited, is_called=is_called)
                if is_called:
                    if ring is not None:
                        self._doors[peer] = doorkeeper_of(context).guard_outlet(pipe, ring, peer)
                    pipe.setsockopt(zmq.USE_FD, listeners[peer])
                    pipe.bind(f"ipc://{runtime / peer}.out")  # where the socket is, the descriptor knows
                else:
                    pipe.connect(inbox_address(runtime, peer))
        except EndpointError:
            self.close()
            raise
        self._expected = {peer for peer in peers if peer in awaited and peer in listeners}
        self._muted_until = dict.fromkeys(peers, 0.0)
        self.dropped = 0
        self.sent = 0

    def _pipe(
        self, context: zmq.Context[zmq.Socket[bytes]], peer: str, *, is_awaited: bool, is_called: bool = False
    ) -> zmq.Socket[bytes]:
        """A socket for `peer`, with its key unless it is the peer that calls."""
        if self._ring is not None and peer not in self._ring.peers and not self._guests.get(peer):
            raise EndpointError(f"{self._ring.instance} has no key of {peer}: the topology has no row to it")
        pipe = context.socket(zmq.PUSH)
        pipe.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
        pipe.setsockopt(zmq.LINGER, 0)
        pipe.setsockopt(zmq.IMMEDIATE, not is_awaited)
        pipe.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        pipe.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        if self._ring is not None and not is_called:
            _show_keys(pipe, self._ring, self._guests.get(peer) or self._ring.peers[peer])
        return pipe

    def call_guests(self, role: Role, book: GuestBook) -> None:
        """Connect to those guests of `book` whom `role` may say something to; afresh to one whose key has changed.

        What is said to one that takes frames waits for it to listen: it reads no journal.
        """
        reading = {guest.instance for guest in book.guests if not guest.takes_frames}
        for peer, key in guest_keys(book, peers_of(role)).items():
            if peer in self._guests and self._guests[peer] == key:
                continue
            self._guests[peer] = key
            if peer in self._sockets:
                self._sockets[peer].close(linger=0)
            self._sockets[peer] = self._pipe(self._context, peer, is_awaited=peer not in reading)
            self._sockets[peer].connect(inbox_address(self._runtime, peer))
            self._muted_until[peer] = 0.0

    def send(self, peer: str, envelope: bytes, body: bytes, payloads: Sequence[BytesLike] = ()) -> bool:
        """Hand a message to the socket of `peer`; False when its queue is full or nobody listens.

        After a drop the peer is left in peace for `MUTE_S`: it has to read the journal anyway, and what follows a gap
        is of no use to it.
        """
        if self._muted_until[peer] and time.monotonic() < self._muted_until[peer]:
            self.dropped += 1
            return False
        pipe = self._sockets[peer]
        if peer in self._expected:
            self._expected.discard(peer)
            pipe.poll(CALLING_MS, zmq.POLLOUT)
        try:
            pipe.send(envelope, _MORE)
            pipe.send(body, _MORE if payloads else _LAST)
            for left, payload in enumerate(payloads, 1 - len(payloads)):
                pipe.send(payload, _MORE if left else _LAST, copy=len(payload) < COPY_BELOW_BYTES)
        except zmq.Again:
            self.dropped += 1
            self._muted_until[peer] = time.monotonic() + MUTE_S
            return False
        self._muted_until[peer] = 0.0
        self.sent += 1
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Close the sockets, waiting at most `linger_ms` for what is queued."""
        for peer, pipe in self._sockets.items():
            if peer in self._doors and not pipe.closed:
                pipe.disable_monitor()
            pipe.close(linger=linger_ms)

    def take_refusals(self) -> list[Refusal]:
        """The handshakes refused since the last call at the sockets on which peers fetch."""
        return [refusal for door in self._doors.values() for refusal in door.take_refusals()]
