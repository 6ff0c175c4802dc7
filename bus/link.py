"""The sockets of one process: an inbox that only pulls and an outlet to each peer that only pushes (design, section 3).

In: frames of peers, frames to send; with a key ring, only of and to those whose keys it holds. Out: whole multipart
messages with the holder of the key that they came under, or word that the socket did not take one. Direction is in
the socket type; the inbox is the CURVE server, whoever listens and whoever calls. Nothing here waits, but for the
first words to an awaited peer that has to call: queues are bounded, a send that would block is dropped and found in
the journal by its receiver. Payloads travel as raw frames, uncopied where they are not encrypted.
"""

import socket
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import zmq

from bus.codec import MAX_PAYLOADS, BytesLike
from bus.doorkeeper import Refusal, doorkeeper_of
from bus.endpoints import address_of, inbox_address, inbox_path, outlet_address, refuse_if_served
from bus.errors import EndpointError
from bus.keys import KeyRing

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

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        runtime: Path,
        instance: str,
        *,
        ring: KeyRing | None = None,
        listener: int | None = None,
        callers: Sequence[str] = (),
    ) -> None:
        """Listen, on the descriptor `listener` if there is one, and call the out-sockets of the boxed `callers`.

        With `ring`, only those whom it admits come in. A listener is owned by the socket from then on. Raises
        EndpointError when the place is served or cannot be bound.
        """
        if listener is None:
            refuse_if_served(inbox_path(runtime, instance))
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        self._door = None if ring is None else doorkeeper_of(context).guard(self._socket, ring)
        try:
            self._listen(runtime, instance, listener)
            for caller in callers:
                self._call(caller, outlet_address(runtime, caller, instance))
        except EndpointError:
            self.close()
            raise
        self._wakers: tuple[socket.socket, ...] = ()
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

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

    def _call(self, caller: str, address: str) -> None:
        self._socket.setsockopt(zmq.USE_FD, -1)
        if self._door is not None:
            self._door.expect(address, caller)
        self._socket.connect(address)

    def wake_on(self, receiver: socket.socket, waker: socket.socket) -> None:
        """Let a byte on `receiver` end the waiting; the signal that wrote it has set what there is to do.

        Both ends stay open as long as the inbox: a signal writes to the number of `waker`, whatever file has it then.
        """
        self._poller.register(receiver.fileno(), zmq.POLLIN)
        self._wakers = (receiver, waker)

    def wait(self, timeout_ms: int) -> None:
        """Wait until something can be received, the time is over or a signal has come."""
        if any(source is not self._socket for source, _ in self._poller.poll(timeout_ms)):
            self._wakers[0].recv(64)

    def fileno(self) -> int:
        """A descriptor that becomes readable when something may have arrived; edge-triggered, so drain."""
        return int(self._socket.getsockopt(zmq.FD))

    def receive(self) -> Arrival | None:
        """One whole message, or None when nothing waits; parts beyond `MAX_PARTS` are dropped."""
        try:
            part = self._socket.recv(_LAST, copy=False)
        except zmq.Again:
            return None
        holder = None if self._door is None else str(part.get("User-Id"))
        parts: RawMessage = [part.bytes]
        while part.more:
            part = self._socket.recv(copy=False)
            if len(parts) < MAX_PARTS:
                parts.append(part.bytes if len(part) < COPY_BELOW_BYTES else part.buffer)
        return Arrival(parts, holder)

    def take_refusals(self) -> list[Refusal]:
        """The handshakes refused since the last call, one item each; none on a transport without keys."""
        return [] if self._door is None else self._door.take_refusals()

    def has_more(self) -> bool:
        """Whether a message waits: cheaper than finding out by `receive`, dearer than receiving one."""
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & _POLLIN)

    def close(self) -> None:
        """Close the socket."""
        if self._door is not None and not self._socket.closed:
            self._socket.disable_monitor()
        self._socket.close()


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
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        try:
            for peer in peers:
                pipe = self._sockets[peer] = self._pipe(context, peer, peer in awaited)
                if peer in listeners:
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

    def _pipe(self, context: zmq.Context[zmq.Socket[bytes]], peer: str, is_awaited: bool) -> zmq.Socket[bytes]:
        """A socket for `peer`, with its key."""
        if self._ring is not None and peer not in self._ring.peers:
            raise EndpointError(f"{self._ring.instance} has no key of {peer}: the topology has no row to it")
        pipe = context.socket(zmq.PUSH)
        pipe.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
        pipe.setsockopt(zmq.LINGER, 0)
        pipe.setsockopt(zmq.IMMEDIATE, not is_awaited)
        pipe.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        pipe.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        if self._ring is not None:
            pipe.setsockopt(zmq.CURVE_SECRETKEY, self._ring.secret)
            pipe.setsockopt(zmq.CURVE_PUBLICKEY, self._ring.public)
            pipe.setsockopt(zmq.CURVE_SERVERKEY, self._ring.peers[peer])
        return pipe

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
        for pipe in self._sockets.values():
            pipe.close(linger=linger_ms)
