"""The guests of one run: seats that are given while it runs.

In: requests of `supervisor attach`, what guests tell of themselves. Out: keys of a new seat, its offer (mode 0600, in
the runtime folder), and the guest book `runs/RUN/guests.json`, which every actor reads that a guest may speak to
(`bus.seating`). Refused: a name that is none, that of an actor of the run, a seat that was given before unless it is
to be replaced, more than `MAX_GUESTS`. The old key of a replaced seat counts no more from the next look of the actors
on.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.files import write_atomically
from bus.keys import SUPERVISOR, KeyBook
from bus.reporting import GUESTS_KNOWN
from bus.seating import FILE_NAME, hears_guests
from bus.segment import list_segments
from bus.topology import accepted_by, peers_of
from schemas.base import Message
from schemas.catalogue import schema_digest
from schemas.control import Failed, Heartbeat, Ready, Stopped
from schemas.guests import MAX_GUESTS, NO_GUESTS, Guest, GuestBook, SeatOffer
from schemas.manifest import Seat
from supervisor import kernel
from supervisor.events import EventSink
from supervisor.guest_process import GuestProcess
from supervisor.home import Home
from supervisor.log_tail import log_file
from supervisor.reports import GuestStatus
from supervisor.restarts import RestartHistory, RestartPolicy
from supervisor.runs import RunFolder
from supervisor.seats import CommandLine, SeatGiven, SeatRequest, fault_of_name
from supervisor.supervised import SupervisedActor

OFFER_SUFFIX: Final = ".seat"


class SeatRefusedError(ValueError):
    """A seat cannot be given; the text says why."""


@dataclass
class GuestSeat:
    """One seat, and who was last heard of in it."""

    guest: Guest
    offer: Path
    book_version: int
    """The guest book in which its present key stands first."""
    pid: int | None = None
    epoch: int = 0
    step: int = 0
    heartbeat: Heartbeat | None = None
    heard_at_s: float | None = None
    """When it was last heard of, monotonic."""
    process: GuestProcess | None = None

    def hear(self, message: Message, now_s: float) -> None:
        """Take what the process in it tells of itself."""
        self.heard_at_s = now_s
        match message:
            case Ready():
                self.pid, self.epoch, self.step = message.pid, message.epoch, message.step
            case Heartbeat() if message.epoch == self.epoch:
                self.step, self.heartbeat = message.step, message
            case Stopped() | Failed() if message.epoch == self.epoch:
                self.step, self.pid = message.step, None
            case _:
                pass

    @property
    def is_taken(self) -> bool:
        """Whether a process sits in it."""
        return self.pid is not None and kernel.is_alive(self.pid)


@dataclass(frozen=True)
class Place:
    """Where a run lives."""

    home: Home
    run: RunFolder
    runtime: Path
    seats: Sequence[Seat]
    """Those of the manifest."""
    keys: KeyBook | None
    policy: RestartPolicy
    say: EventSink


@dataclass
class Guests:
    """The guests of a run, and the processes that are run for them."""

    place: Place
    actors: Callable[[], Sequence[SupervisedActor]]
    """Those of the run: what they tell shows which guest book they know."""
    on_change: Callable[[GuestBook], None]
    """Called with every new guest book: the supervisor hears guests, too."""
    clock_s: Callable[[], float] = time.monotonic
    book: GuestBook = NO_GUESTS
    seats: dict[str, GuestSeat] = field(default_factory=dict)
    _offered: dict[str, int] = field(default_factory=dict)
    """The number of a process start that was offered last, by name."""

    def give(self, request: SeatRequest) -> SeatGiven:
        """Give a seat; raises SeatRefusedError, or OSError when it cannot be written down."""
        self._judge(request)
        name, keys = request.name, self.place.keys
        pair = None if keys is None else keys.renew(name)
        key = None if pair is None else pair.public.decode()
        guest = Guest(instance=name, role=request.role, public_key=key, takes_frames=request.takes_frames)
        others = tuple(other for other in self.book.guests if other.instance != name)
        book = GuestBook(version=self.book.version + 1, guests=(*others, guest))
        write_atomically(self.place.run.path / FILE_NAME, book.model_dump_json(indent=2).encode() + b"\n")
        self.book = book
        self.on_change(book)
        self._vacate(name)
        offer = self.place.runtime / f"{name}{OFFER_SUFFIX}"
        _write_secret(offer, self._offer(guest).model_dump_json().encode())
        seat = self.seats[name] = GuestSeat(guest, offer, book.version)
        if request.command is not None:
            seat.process = self._process(seat, request.command)
        self.place.say("info", "seat given", of=name, role=request.role, replaced=request.is_replacing)
        return SeatGiven(name=name, offer=str(offer), book_version=book.version)

    def hear(self, messages: Sequence[Message]) -> None:
        """Take what guests tell of themselves."""
        for message in messages:
            seat = self.seats.get(getattr(message, "instance", ""))
            if seat is not None:
                seat.hear(message, self.clock_s())

    def turn(self, now_s: float, *, is_stopping: bool) -> None:
        """Do what is due for the processes."""
        for process in self._processes():
            if is_stopping:
                process.stop(now_s)
            process.turn(now_s)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were started here and have not been reaped."""
        return tuple(each.process.pid for each in self._processes() if each.process is not None)

    def close(self) -> None:
        """End what runs in the seats, and withdraw the offers."""
        for process in self._processes():
            process.close()
        for seat in self.seats.values():
            with suppress(OSError):
                seat.offer.unlink(missing_ok=True)

    def describe(self) -> tuple[GuestStatus, ...]:
        """A row for each seat, in the order of their names."""
        return tuple(self._describe(self.seats[name]) for name in sorted(self.seats))

    def is_known(self, seat: GuestSeat) -> bool:
        """Whether every actor that a guest may speak to, and that was not given up, has told that it knows the seat."""
        hearing = [actor for actor in self.actors() if hears_guests(actor.seat.role) and actor.state != "failed"]
        return bool(hearing) and all(_known_version(actor) >= seat.book_version for actor in hearing)

    def _judge(self, request: SeatRequest) -> None:
        name = request.name
        if fault := fault_of_name(name):
            raise SeatRefusedError(fault)
        if name == SUPERVISOR or name in {seat.instance for seat in self.place.seats}:
            raise SeatRefusedError(f"{name} is an actor of this run; choose another name")
        held = self.seats.get(name)
        if held is not None and not request.is_replacing:
            raise SeatRefusedError(
                f"the seat {name} was given before: ONEIROS_SEAT={held.offer}; --replace gives it to another"
            )
        if held is None and len(self.seats) >= MAX_GUESTS:
            raise SeatRefusedError(f"{MAX_GUESTS} seats are given, there are no more; use one of them again")

    def _offer(self, guest: Guest) -> SeatOffer:
        place = self.place
        seat = Seat(instance=guest.instance, role=guest.role)
        tells, hears = peers_of(guest.role), {sender for sender, _ in accepted_by(guest.role)}
        roles = {SUPERVISOR: SUPERVISOR, **{each.instance: each.role for each in place.seats}}
        ring = None if place.keys is None else place.keys.ring(guest.instance, (*place.seats, seat))
        keys = {} if place.keys is None else {name: place.keys.pair(name).public.decode() for name in roles}
        return SeatOffer(
            instance=guest.instance,
            role=guest.role,
            home=str(place.home.root.resolve()),
            run_id=place.run.run_id,
            epoch=self._next_epoch(guest.instance),
            runtime=str(place.runtime),
            schema_sha256=schema_digest(),
            public_key=guest.public_key,
            secret_key=None if ring is None else ring.secret.decode(),
            peers={name: keys.get(name) for name, role in roles.items() if role in tells},
            admitted={name: keys.get(name) for name, role in roles.items() if role in hears},
        )

    def _next_epoch(self, name: str) -> int:
        """A number that no process in the seat has used: of those offered, told by guests, and journalled."""
        told = self.seats[name].epoch if name in self.seats else 0
        journalled = max((segment.epoch for segment, _ in list_segments(self.place.run.journal / name)), default=0)
        self._offered[name] = max(self._offered.get(name, 0), told, journalled) + 1
        return self._offered[name]

    def _process(self, seat: GuestSeat, command: CommandLine) -> GuestProcess:
        name, place = seat.guest.instance, self.place
        log = log_file(place.home, name)
        history = RestartHistory(place.policy, f"{place.run.run_id}/{name}")
        return GuestProcess(name, command, seat.offer, log, history, place.say, lambda: self.is_known(seat))

    def _vacate(self, name: str) -> None:
        held = self.seats.get(name)
        if held is not None and held.process is not None:
            held.process.close()

    def _processes(self) -> list[GuestProcess]:
        return [seat.process for seat in self.seats.values() if seat.process is not None]

    def _describe(self, seat: GuestSeat) -> GuestStatus:
        name, traffic = seat.guest.instance, None if seat.heartbeat is None else seat.heartbeat.traffic
        state = ("attached" if seat.is_taken else "detached") if self.is_known(seat) else "granted"
        process = seat.process
        refused, influence = (self._figures(f"{what}.{name.replace('-', '_')}") for what in ("refused_of", "influence"))
        return GuestStatus(
            name=name,
            role=seat.guest.role,
            state=state,
            pid=seat.pid if seat.is_taken else None,
            epoch=seat.epoch,
            step=seat.step,
            sent=0 if traffic is None else traffic.sent + traffic.dropped,
            received=0 if traffic is None else traffic.received + traffic.recovered,
            refused=int(sum(refused)),
            influence=max(influence, default=None),
            heartbeat_age_s=self._age_s(seat),
            offer=str(seat.offer),
            command=None if process is None else process.command.words,
            process=None if process is None else process.state,
            restarts=0 if process is None else process.restarts,
            reason=None if process is None else process.reason,
        )

    def _figures(self, figure: str) -> list[float]:
        """What the actors tell under one name: each that a guest may speak to counts its own refusals."""
        told = [each.value for actor in self.actors() for each in actor.figures if each.name == figure]
        return [float(value) for value in told if isinstance(value, int | float)]

    def _age_s(self, seat: GuestSeat) -> float | None:
        if seat.heard_at_s is None or not seat.is_taken:
            return None
        return round(self.clock_s() - seat.heard_at_s, 3)


def _known_version(actor: SupervisedActor) -> int:
    found = [figure.value for figure in actor.figures if figure.name == GUESTS_KNOWN]
    return found[0] if found and isinstance(found[0], int) else 0


def _write_secret(path: Path, content: bytes) -> None:
    """Replace the file at `path` by one that we alone may read."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
