"""What the processes of a run are handed: their keys, and for a boxed one the sockets that it cannot make itself.

In: the seats of a run, the runtime folder. Out: open descriptors by name for each process start. The sockets of a boxed
seat are bound here and stay open as long as the run, so that whoever connects while its process is being started
again waits and is not refused. Keys are in memory alone; each process gets its own over a pipe.
"""

import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bus.box.profiles import is_boxed
from bus.endpoints import inbox_path, outlet_path
from bus.errors import EndpointError
from bus.inheritance import INBOX, KEYS, OUTLET_PREFIX
from bus.keys import KeyBook, KeyRing, hand_over
from bus.link import listen_at
from bus.reporting import SUPERVISOR
from bus.topology import peers_of
from schemas.manifest import Seat
from supervisor.errors import SocketsRefusedError


@dataclass
class Handed:
    """What one process is handed. Used as a context: what was made for this process alone is closed behind it."""

    descriptors: dict[str, int]
    own: tuple[int, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.own:
            os.close(fd)


def is_deaf(listener: socket.socket) -> bool:
    """Whether nobody can connect to `listener` any more: shutdown(2) by one process is for all that share it."""
    watch = select.poll()
    watch.register(listener, select.POLLRDHUP)
    return bool(watch.poll(0))


@dataclass
class Equipment:
    """The keys and sockets of one run."""

    runtime: Path
    seats: Sequence[Seat]
    book: KeyBook | None
    """None for a bus without locks."""
    _sockets: dict[str, dict[str, socket.socket]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            for seat in self.boxed:
                self._bind(seat)
        except EndpointError as error:
            self.close()
            raise SocketsRefusedError(seat.instance, str(error)) from error

    @property
    def boxed(self) -> tuple[Seat, ...]:
        """The seats whose processes run in a box."""
        return tuple(seat for seat in self.seats if is_boxed(seat.role))

    def of(self, seat: Seat) -> Handed:
        """What a process of `seat` is handed; sockets that an earlier one has made deaf are made anew.

        Raises OSError when that cannot be done.
        """
        self._mend(seat)
        descriptors = {name: held.fileno() for name, held in self._sockets.get(seat.instance, {}).items()}
        ring = self.ring(seat.instance)
        if ring is None:
            return Handed(descriptors, ())
        keys = hand_over(ring)
        return Handed({**descriptors, KEYS: keys}, (keys,))

    def ring(self, instance: str) -> KeyRing | None:
        """The keys of `instance`; None on a bus without locks."""
        return None if self.book is None else self.book.ring(instance, tuple(self.seats))

    def close(self) -> None:
        """Close the sockets and remove their files."""
        for held in self._sockets.values():
            for each in held.values():
                path = each.getsockname()
                each.close()
                with suppress(OSError):
                    os.unlink(path)
        self._sockets.clear()

    def _mend(self, seat: Seat) -> None:
        made = self._sockets.get(seat.instance, {})
        for name, held in made.items():
            if is_deaf(held):
                path = Path(held.getsockname())
                path.unlink(missing_ok=True)
                try:
                    made[name] = listen_at(path)
                except EndpointError as error:
                    raise OSError(str(error)) from error
                held.close()

    def _bind(self, seat: Seat) -> None:
        roles = peers_of(seat.role)
        receivers = (*(other.instance for other in self.seats if other.role in roles), SUPERVISOR)
        made = self._sockets[seat.instance] = {INBOX: listen_at(inbox_path(self.runtime, seat.instance))}
        for receiver in receivers:
            made[OUTLET_PREFIX + receiver] = listen_at(outlet_path(self.runtime, seat.instance, receiver))
