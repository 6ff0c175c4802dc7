"""Who may come in: the ZAP handler of a process, and the watch over handshakes that fail before it is asked.

In: ZeroMQ's question about each CURVE handshake (RFC 27), and the failed handshakes of its socket monitors. Out: yes,
with the name of the instance as User-Id of all that it sends, or no; a refusal for the owner of the inbox. Refused and
counted: keys of nobody, keys of instances that the topology keeps out, peers without keys or with the wrong key of
the server; and of one who calls, whoever answers without the right secret. One thread, which ends with its context. A
peer that speaks no ZMTP 3 is cut off by ZeroMQ itself, which tells nobody.
"""

import errno
import signal
import struct
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from queue import SimpleQueue
from types import MappingProxyType
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import zmq
from zmq.utils import z85

from bus.errors import EndpointError
from bus.keys import KEY_BYTES, KeyRing

ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
ORDERS_ADDRESS: Final = "inproc://oneiros.doorkeeper"
UNKNOWN: Final = "unknown"
WITHDRAWN: Final = "(withdrawn)"
"""Who holds a key that counts no more: nobody."""
NOBODY: Final[Mapping[str, bytes | None]] = MappingProxyType({})
MAX_WAITING: Final = 1000
"""Refusals kept with their reasons until the owner takes them; what is more is counted."""
EVENTS: Final = int(
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_MONITOR_STOPPED
)
"""Not HANDSHAKE_FAILED_AUTH: that is our own no."""
EVENT_HEAD: Final = struct.Struct("=Hi")

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]


class Refusal(NamedTuple):
    """A handshake that did not come to its end."""

    sender: str
    """The instance whose key it is, or `unknown`."""
    reason: str


class Door:
    """Who may pass at one socket, and what was refused there; judged by the doorkeeper's thread, read by its owner."""

    def __init__(self, ring: KeyRing, called: str | None = None) -> None:
        """The door of one who listens, or of one who calls `called`, at which nobody comes in."""
        self.refused = 0
        """Refused handshakes since the socket was made."""
        self._called = called
        self._admitted = {z85.decode(key): name for key, name in ring.admitted.items()}
        self._others = {z85.decode(key): name for key, name in ring.others.items()}
        self._guests: dict[bytes, str] = {}
        self._waiting: deque[Refusal] = deque()
        self._left_out = 0
        self._left_out_told = 0

    def admit_guests(self, keys: Mapping[str, bytes | None]) -> None:
        """Let in whoever holds one of `keys`, by instance, and no guest besides; at once, also for open connections."""
        self._guests = {z85.decode(key): name for name, key in keys.items() if key is not None}

    def user_id(self, key: bytes, instance: str) -> str:
        """How what comes under `key` is marked: a guest by its key, which may be withdrawn."""
        return z85.encode(key).decode() if key in self._guests else instance

    def holder(self, user_id: str) -> str:
        """The instance that a mark stands for now."""
        if len(user_id) != KEY_BYTES:
            return user_id
        return self._guests.get(z85.decode(user_id.encode()), WITHDRAWN)

    def judge(self, mechanism: bytes, credentials: tuple[bytes, ...], address: str) -> str | None:
        """The instance that may come in, or None; the refusal is counted."""
        key = credentials[0] if mechanism == b"CURVE" and len(credentials) == 1 else b""
        instance = self._admitted.get(key) or self._guests.get(key)
        if instance is None:
            other = self._others.get(key)
            reason = "wrong key" if other is None else f"the key of {other}, which may not write here"
            self._refuse(UNKNOWN if other is None else other, f"{reason} ({_process(address)})")
        return instance

    def failed(self, event: int, detail: int) -> None:
        """Count a handshake that failed before its key was judged, as the monitor tells it."""
        if self._called is not None:
            if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:  # that nobody answers, or hangs up, is no attack
                self._refuse(self._called, "wrong key: whoever answers in its place does not hold its secret")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self._refuse(UNKNOWN, _fault(detail))
        elif detail != errno.ECONNRESET:
            self._refuse(UNKNOWN, "no key: it hung up or fell silent in the handshake")

    def take_refusals(self) -> list[Refusal]:
        """What was refused since the last call, one item each."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        left_out = self._left_out - self._left_out_told
        self._left_out_told += left_out
        return taken + [Refusal(UNKNOWN, "one of too many failed handshakes to tell them apart")] * left_out

    def _refuse(self, sender: str, reason: str) -> None:
        self.refused += 1
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(Refusal(sender, reason))
        else:
            self._left_out += 1


def _process(address: str) -> str:
    """Who asks, from `localhost:UID:GID:PID`: of a socket that was handed over, the process that made it."""
    pid = address.rpartition(":")[2]
    return f"process {pid}" if pid.isdigit() else "a process of unknown id"


def _fault(detail: int) -> str:
    match detail:
        case zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return "no key: it does not speak CURVE"
        case zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
            return "wrong server key: it was not made for this inbox of this run"
    return f"broken handshake (ZeroMQ protocol error {detail:#x})"


class Doorkeeper:
    """Judges the handshakes at all guarded sockets of one context."""

    def __init__(self, context: Context) -> None:
        # Sockets of a shadow are not closed by `destroy` of the context while the thread uses them; its address alone
        # keeps the context from living for our sake.
        self._shadow: Context = zmq.Context.shadow(int(context.underlying))
        self._doors: dict[bytes, Door] = {}
        self._guarded = 0
        self._handed: SimpleQueue[tuple[Socket, Door]] = SimpleQueue()
        zap, orders = self._shadow.socket(zmq.REP), self._shadow.socket(zmq.PULL)
        try:
            zap.bind(ZAP_ADDRESS)
            orders.bind(ORDERS_ADDRESS)
        except zmq.ZMQError as error:
            zap.close(linger=0)
            orders.close(linger=0)
            raise EndpointError(f"this context has another judge of keys: {error}") from error
        threading.Thread(target=self._serve, args=(zap, orders), name="doorkeeper", daemon=True).start()

    def guard(self, inbox: Socket, ring: KeyRing, guests: Mapping[str, bytes | None] = NOBODY) -> Door:
        """Let nobody into `inbox` but those whom `ring` admits, and `guests` under their keys.

        To be called before it is bound or connected.
        """
        door = Door(ring)
        door.admit_guests(guests)
        return self._lock(inbox, ring, ring.instance, door)

    def guard_outlet(self, outlet: Socket, ring: KeyRing, peer: str) -> Door:
        """Let nobody fetch from `outlet` but `peer`; to be called before it is bound."""
        known = {key: name for key, name in (*ring.admitted.items(), *ring.others.items()) if name != peer}
        door = Door(replace(ring, admitted={ring.peers[peer]: peer}, others=known))
        return self._lock(outlet, ring, f"{ring.instance} to {peer}", door)

    def _lock(self, guarded: Socket, ring: KeyRing, domain: str, door: Door) -> Door:
        self._doors[domain.encode()] = door
        guarded.setsockopt(zmq.CURVE_SERVER, 1)
        guarded.setsockopt(zmq.CURVE_SECRETKEY, ring.secret)
        guarded.setsockopt(zmq.ZAP_DOMAIN, domain.encode())
        guarded.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        return self._watch(guarded, door)

    def watch_call(self, caller: Socket, ring: KeyRing, called: str) -> Door:
        """Hear of it when somebody else answers in the place of `called`; to be called before it is connected."""
        return self._watch(caller, Door(ring, called))

    def _watch(self, watched: Socket, door: Door) -> Door:
        self._handed.put((self._monitor(watched), door))
        order = self._shadow.socket(zmq.PUSH)
        order.connect(ORDERS_ADDRESS)
        order.send(b"monitor")
        order.close()
        return door

    def _monitor(self, inbox: Socket) -> Socket:
        """What tells of failed handshakes of `inbox`.

        It is connected here and not in the thread: ZeroMQ waits for it at the end of the monitoring, and pyzmq lets
        no other thread run meanwhile. Without a bound on what it holds, ZeroMQ waits for nothing before.
        """
        self._guarded += 1
        address = f"inproc://oneiros.handshakes.{self._guarded}"
        inbox.monitor(address, EVENTS)
        monitor = self._shadow.socket(zmq.PAIR)
        monitor.setsockopt(zmq.RCVHWM, 0)
        monitor.connect(address)
        return monitor

    def _serve(self, zap: Socket, orders: Socket) -> None:
        """The thread: until the context is terminated."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the thread that waits for them
        monitors: dict[Socket, Door] = {}
        try:
            self._judge(zap, orders, monitors)
        except zmq.ZMQError as error:
            if error.errno != zmq.ETERM:
                raise
        finally:
            while not self._handed.empty():
                monitors.update([self._handed.get()])
            for socket in (zap, orders, *monitors):
                socket.close(linger=0)

    def _judge(self, zap: Socket, orders: Socket, monitors: dict[Socket, Door]) -> None:
        poller = zmq.Poller()
        poller.register(zap, zmq.POLLIN)
        poller.register(orders, zmq.POLLIN)
        while True:
            for source, _ in poller.poll():
                if source is zap:
                    zap.send_multipart(self._answer(zap.recv_multipart()))
                elif source is orders:
                    orders.recv()
                    monitor, door = self._handed.get()
                    monitors[monitor] = door
                    poller.register(monitor, zmq.POLLIN)
                elif not _hear(source, monitors[source]):
                    poller.unregister(source)
                    del monitors[source]
                    source.close(linger=0)

    def _answer(self, question: list[bytes]) -> list[bytes]:
        """The reply to a ZAP request: version, id, status, text, user id, metadata."""
        version, request, domain, address, _, mechanism, *credentials = question
        door = self._doors.get(domain)
        instance = None if door is None else door.judge(mechanism, tuple(credentials), address.decode())
        if instance is None:
            return [version, request, b"400", b"not admitted", b"", b""]
        mark = door.user_id(credentials[0], instance) if door is not None else instance
        return [version, request, b"200", b"OK", mark.encode(), b""]


def _hear(monitor: Socket, door: Door) -> bool:
    """Take one event of a monitor; False when it was the last."""
    event, detail = EVENT_HEAD.unpack(monitor.recv_multipart()[0])
    if event == zmq.EVENT_MONITOR_STOPPED:
        return False
    door.failed(event, detail)
    return True


_doorkeepers: WeakKeyDictionary[Context, Doorkeeper] = WeakKeyDictionary()


def doorkeeper_of(context: Context) -> Doorkeeper:
    """The doorkeeper of `context`, made when it is first asked for."""
    if context not in _doorkeepers:
        _doorkeepers[context] = Doorkeeper(context)
    return _doorkeepers[context]
