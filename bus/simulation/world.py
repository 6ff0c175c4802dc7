"""A world in virtual time: processes, a network, a disk and a clock, and what goes wrong with them.

In: a plan, a company, faults. Out: a `Report`: the trace hash, what happened, and the first broken invariant. After
the plan's duration nothing goes wrong any more; after a quiet time the timers stop, everything runs out, and all that
was said must have arrived.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from bus.box.profiles import is_boxed
from bus.core import Fired, Input, MessageRef, Observed
from bus.journal import GROUP_SYNC_S
from bus.link import RawMessage
from bus.memory import START_NS
from bus.simulation.company import Company
from bus.simulation.disk import GroupSync, MemoryJournal
from bus.simulation.faults import (
    NEVER,
    SECOND_NS,
    ClockJump,
    Crash,
    DiskFull,
    Fault,
    Faults,
    ListedFaults,
    PowerCut,
    Stall,
    Timed,
    describe,
    kind_of,
)
from bus.simulation.invariants import InvariantBroken, Witness
from bus.simulation.plan import Plan, Report, Violation, draw_setting
from bus.simulation.ports import Crashed
from bus.simulation.process import Process, Rules, Waits
from bus.simulation.station import Station
from bus.simulation.trace import Trace
from bus.step import Outgoing
from bus.topology import is_allowed, senders_to
from schemas.manifest import Seat

QUIET_NS: Final = 100 * SECOND_NS
"""Without faults, before the end: longer than anybody's patience."""
MAX_INBOX: Final = 100
"""A socket drops what is more."""


@dataclass
class World:
    """One simulated run."""

    plan: Plan
    company: Company
    faults: Faults
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        self.now_ns = 0
        self.wall_offset_ns = START_NS
        self.journals_full_until_ns = 0
        self.store_full_until_ns = 0
        self.complaints: list[str] = []
        self.setting = draw_setting(self.plan)
        interval_ns = 0 if self.setting.is_power_safe else int(GROUP_SYNC_S * SECOND_NS)
        sync_ns, names = self.setting.sync_ns, [seat.instance for seat in self.company.seats]
        self.journals = {name: MemoryJournal(name, GroupSync(interval_ns, sync_ns)) for name in names}
        self.stations = {part.seat.instance: Station(self, part) for part in self.company.parts}
        boxed = (seat for seat in self.company.seats if is_boxed(seat.role))
        self._senders_to = {seat.instance: self._all_senders_to(seat) for seat in boxed}
        """Of each boxed actor those who look after it."""
        self._trace = Trace()
        window_ns = GroupSync(interval_ns, sync_ns).window_ns
        self._witness = Witness(self.company, self._trace, self.setting.is_power_safe, window_ns)
        self._heap: list[tuple[int, int, Callable[..., None], Any, Any]] = []
        self._number = 0
        self._current = 0
        self._events = 0
        self._applied: list[Fault] = []
        self._is_ending = False

    def run(self) -> Report:
        """Live through the whole plan, or to the first broken invariant."""
        violation = None
        try:
            self._begin()
            self._run_until(self.plan.duration_ns)
            self._end_faults()
            self._run_until(self.plan.duration_ns + QUIET_NS)
            self._is_ending = True
            while self._heap:
                self._run_until(self._heap[0][0])
            self._witness.finish(self.complaints)
        except InvariantBroken as broken:
            violation = Violation(self.now_ns, broken.invariant, broken.text)
        except Exception as error:  # a core or the bus itself has failed: a finding with a seed, not a traceback
            violation = Violation(self.now_ns, "no error", f"{type(error).__name__}: {error}")
        return self._report(violation)

    # -- what stations ask for (bus.simulation.station.Surface) --

    def after(self, delay_ns: int, what: Callable[..., None], one: object, other: object) -> int:
        """Have `what` happen; the number of the event."""
        self._number = number = self._number + 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, number, what, one, other))
        return number

    def transmit(self, station: Station, out: Outgoing, parts: RawMessage) -> None:
        """Carry a message, or let the fault that befalls it happen."""
        epoch, latency_ns, receiver = station.epoch, self.setting.latency_ns, self.stations[out.receiver]
        self._witness.sent(station.instance, epoch, out.seq)
        fault = None if self._is_ending else self.faults.transmission(MessageRef(station.instance, epoch, out.seq))
        if fault is None:
            self.after(latency_ns, self._deliver, receiver, parts)
            return
        self._note(fault)
        for delay_ns in fault.delays_ns:
            self.after(latency_ns + delay_ns, self._deliver, receiver, parts)
        if fault.astray and not is_allowed(
            station.part.seat.role, out.kind, self.stations[fault.astray].part.seat.role
        ):
            self.after(latency_ns, self._deliver, self.stations[fault.astray], parts)

    def transmit_again(self, receiver: str, parts: RawMessage) -> None:
        """Carry a message that was carried before; no fault befalls it but that nobody is there."""
        self.after(self.setting.latency_ns, self._deliver, self.stations[receiver], parts)

    def announce(self, sender: str, receiver: str) -> None:
        """The journal of `sender` holds something new for `receiver`; its sender looks after a boxed one."""
        self.plan_look_back(sender if receiver in self._senders_to else receiver)

    def announce_start(self, instance: str) -> None:
        """A process of `instance` shows what it has heard, and can see what others have."""
        for sender in (instance, *self._senders_to.get(instance, ())):
            self.plan_look_back(sender)

    def plan_look_back(self, instance: str) -> None:
        """Have `instance` look into the journals by and by, unless that is planned."""
        station = self.stations[instance]
        process = station.process
        if process is not None and not process.is_looking_back:
            process.is_looking_back = True
            self.after(self.setting.look_back_ns, self._look_back, station, process)

    def fire(self, process: Process, name: str) -> None:
        """A timer has run out, unless it was set again or its process is gone."""
        station = self.stations[process.seat.instance]
        if station.process is not process or process.timers.get(name) != self._current or self._is_ending:
            return
        del process.timers[name]
        self._meet(station, process, Fired(name))

    def answer(self, process: Process, observation: Observed) -> None:
        """The world has answered, unless the process that asked is gone."""
        station = self.stations[process.seat.instance]
        if station.process is process:
            self._meet(station, process, observation)

    # -- events --

    def _meet(self, station: Station, process: Process, event: Input) -> None:
        process.due.append(event)
        if process.is_free:
            self._work(station, process, process.turn())

    def _deliver(self, station: Station, parts: RawMessage) -> None:
        process = station.process
        if process is None or len(process.inbox) >= MAX_INBOX:
            return
        process.inbox.append(parts)
        if process.is_free:
            self._work(station, process, process.turn())

    def _look_back(self, station: Station, process: Process) -> None:
        if station.process is not process:
            return
        process.is_looking_back = False
        if not process.is_free:
            self.plan_look_back(station.instance)
            return
        process.look_back()
        if process.redelivery.owes:
            self.plan_look_back(station.instance)
        if process.has_work:
            self._work(station, process, process.turn())

    def _go_on(self, station: Station, process: Process) -> None:
        if station.process is process and process.working is not None:
            self._work(station, process, process.working)

    def _wake(self, station: Station, process: Process) -> None:
        process.is_stalled = False
        if station.process is process and process.is_free and process.has_work:
            self._work(station, process, process.turn())

    def _start(self, station: Station, _: object) -> None:
        station.epoch = self.rules.next_epoch(station.epoch)
        seat, seats = station.part.seat, self.company.seats
        process = self.rules.process(
            seat, seats, station.epoch, station.build, station, self._witness, self.journals, self.setting, self.rules
        )
        station.process = process
        self._work(station, process, process.resume())

    def _happen(self, fault: Timed, _: object) -> None:
        self._note(fault)
        match fault:
            case ClockJump(by_ns=by_ns):
                self.wall_offset_ns = max(0, self.wall_offset_ns + by_ns)
            case DiskFull(for_ns=for_ns, what=what):
                if what != "store":
                    self.journals_full_until_ns = self.now_ns + for_ns
                if what != "journals":
                    self.store_full_until_ns = self.now_ns + for_ns
            case Stall(instance=instance, for_ns=for_ns):
                station = self.stations[instance]
                if station.process is not None:
                    station.process.is_stalled = True
                    self.after(for_ns, self._wake, station, station.process)

    # -- inside --

    def _all_senders_to(self, receiver: Seat) -> tuple[str, ...]:
        roles = senders_to(receiver.role)
        return tuple(seat.instance for seat in self.company.seats if seat.role in roles)

    def _begin(self) -> None:
        for fault in self.faults.timed():
            self.after(fault.at_ns, self._happen, fault, None)
        for station in self.stations.values():
            station.await_break(self.faults)
            self.after(0, self._start, station, None)

    def _run_until(self, end_ns: int) -> None:
        heap, witness = self._heap, self._witness
        while heap and heap[0][0] <= end_ns:
            at_ns, self._current, what, one, other = heapq.heappop(heap)
            self.now_ns = witness.now_ns = at_ns
            self._events += 1
            what(one, other)
            heap = self._heap
        self.now_ns = witness.now_ns = max(self.now_ns, end_ns)

    def _end_faults(self) -> None:
        self.journals_full_until_ns = self.store_full_until_ns = 0
        self.faults = ListedFaults(())
        for station in self.stations.values():
            station.break_at = NEVER

    def _work(self, station: Station, process: Process, working: Waits) -> None:
        """Let `process` work until it waits, has nothing to do, or dies."""
        while True:
            process.working = working
            try:
                wait_ns = next(working, None)
            except Crashed as crash:
                self._break(station, crash.fault)
                return
            if wait_ns is not None:
                self.after(wait_ns, self._go_on, station, process)
                return
            process.working = None
            if process.is_stalled or not process.has_work:
                return
            working = process.turn()

    def _break(self, station: Station, fault: Crash | PowerCut) -> None:
        self._note(fault)
        if isinstance(fault, Crash):
            self._end_process(station)
            self.after(fault.down_ns, self._start, station, None)
        else:
            self._cut_power(fault)
        station.await_break(self.faults)

    def _cut_power(self, fault: PowerCut) -> None:
        draws = Random(fault.salt)
        self._heap = [event for event in self._heap if event[2] == self._happen]
        heapq.heapify(self._heap)
        for station in self.stations.values():
            self._end_process(station)
            self.after(fault.down_ns + int(draws.random() * SECOND_NS), self._start, station, None)
        cuts = {name: journal.cut_power(self.now_ns, draws) for name, journal in self.journals.items()}
        if self.company.archive is not None:
            self.company.archive.cut_power(self.now_ns, draws)
        self._witness.power_cut(cuts)

    def _end_process(self, station: Station) -> None:
        process, station.process = station.process, None
        if process is not None:
            process.end()

    def _note(self, fault: Fault) -> None:
        self._applied.append(fault)
        self._trace.event(self.now_ns, describe(fault))

    def _report(self, violation: Violation | None) -> Report:
        return Report(
            plan=self.plan,
            policy="power" if self.setting.is_power_safe else "process",
            trace_sha256=self._trace.hexdigest(),
            simulated_ns=self.now_ns,
            events=self._events,
            steps=self._trace.steps,
            faults=dict(sorted(Counter(kind_of(fault) for fault in self._applied).items())),
            cut_bytes=self._witness.cut_bytes,
            losses=self._witness.losses,
            window_ns=self._witness.window_ns,
            violation=violation,
            applied=tuple(self._applied),
        )
