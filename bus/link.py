"""The sockets of one process: an inbox that only pulls and an outlet to each peer that only pushes (design, section 3).

In: frames of peers, frames to send. Out: whole multipart messages, or word that the socket did not take one.
Direction is in the socket type. Nothing here waits: queues are bounded, a send that would block is dropped and found
in the journal by its receiver. Payloads travel as raw frames, uncopied.
"""

import socket
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import zmq

from bus.codec import MAX_PAYLOADS, BytesLike
from bus.endpoints import inbox_address, inbox_path
from bus.errors import EndpointError

QUEUE_MESSAGES: Final = 100
"""High-water mark of every socket, in messages."""
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""A peer that announces a larger frame is cut off by ZeroMQ itself."""
COPY_BELOW_BYTES: Final = 64 * 1024
MUTE_S: Final = 0.02
CLOSING_S: Final = 0.5
RECONNECT_MS: Final = 10
RECONNECT_MAX_MS: Final = 200
MAX_PARTS: Final = MAX_PAYLOADS + 2

_POLLIN: Final = int(zmq.POLLIN)
_LAST: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT | zmq.SNDMORE)
"""Flags as plain numbers: joining enumeration members costs more than sending."""

RawMessage = list[BytesLike]


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    """The one ZeroMQ context of a process."""
    return zmq.Context()


class Inbox:
    """The receiving end of one instance."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], runtime: Path, instance: str) -> None:
        address = inbox_address(runtime, instance)
        _refuse_if_served(inbox_path(runtime, instance))
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            raise EndpointError(f"{instance} cannot listen on {address}: {zmq.strerror(error.errno or 0)}") from error
        inbox_path(runtime, instance).chmod(0o600)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def watch(self, fd: int) -> None:
        """Let `wait` return when `fd` becomes readable, too."""
        self._poller.register(fd, zmq.POLLIN)

    def wait(self, timeout_ms: int) -> bool:
        """Wait until something can be received or the time is over; whether a watched descriptor is readable."""
        return any(source is not self._socket for source, _ in self._poller.poll(timeout_ms))

    def fileno(self) -> int:
        """A descriptor that becomes readable when something may have arrived; edge-triggered, so drain."""
        return int(self._socket.getsockopt(zmq.FD))

    def receive(self) -> RawMessage | None:
        """One whole message, or None when nothing waits; parts beyond `MAX_PARTS` are dropped."""
        try:
            part = self._socket.recv(_LAST, copy=False)
        except zmq.Again:
            return None
        parts: RawMessage = [part.bytes]
        while part.more:
            part = self._socket.recv(copy=False)
            if len(parts) < MAX_PARTS:
                parts.append(part.bytes if len(part) < COPY_BELOW_BYTES else part.buffer)
        return parts

    def has_more(self) -> bool:
        """Whether a message waits: cheaper than finding out by `receive`, dearer than receiving one."""
        return bool(int(self._socket.getsockopt(zmq.EVENTS)) & _POLLIN)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _refuse_if_served(path: Path) -> None:
    """Raise EndpointError when somebody listens at `path`: ZeroMQ would silently take the place over.

    A predecessor that is just closing gets `CLOSING_S` to be gone.
    """
    patience = time.monotonic() + CLOSING_S
    while _is_served(path):
        if time.monotonic() > patience:
            raise EndpointError(f"{path} is served by another process; stop it, or use another home")
        time.sleep(CLOSING_S / 50)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


class Outlet:
    """The sending ends of one instance: a socket for each peer, made when first needed."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        runtime: Path,
        peers: Sequence[str],
        awaited: Collection[str] = (),
    ) -> None:
        """Connect to `peers`; what is sent to those in `awaited` before they answer is kept for them."""
        self._sockets = {p: self._connect(context, inbox_address(runtime, p), p in awaited) for p in peers}
        self._muted_until = dict.fromkeys(peers, 0.0)
        self.dropped = 0
        self.sent = 0

    @staticmethod
    def _connect(context: zmq.Context[zmq.Socket[bytes]], address: str, is_awaited: bool) -> zmq.Socket[bytes]:
        pipe = context.socket(zmq.PUSH)
        pipe.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
        pipe.setsockopt(zmq.LINGER, 0)
        pipe.setsockopt(zmq.IMMEDIATE, not is_awaited)
        pipe.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        pipe.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        pipe.connect(address)
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
