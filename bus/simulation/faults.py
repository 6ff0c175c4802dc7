"""What goes wrong in a simulated run: each seed draws its own mix, and within it each single fault.

In: a seed, or a list of faults. Out: the fate of each transmission, the port call at which a process dies or the
power fails, and what happens at a given time. A list of faults makes exactly those happen: it is how a failing run
becomes short. Rates are drawn on a logarithmic scale, and each kind of fault is left out in a part of the seeds.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, NamedTuple, Protocol

from bus.core import MessageRef

SECOND_NS: Final = 1_000_000_000
HOUR_S: Final = 3600.0
NEVER: Final = -1
"""A port call that does not come."""

TransmissionKind = Literal["drop", "delay", "reorder", "duplicate", "stray"]


class Transmission(NamedTuple):
    """The fate of one message on its way: a copy arrives after each of `delays_ns`; a stray one goes to `astray`."""

    kind: TransmissionKind
    ref: MessageRef
    delays_ns: tuple[int, ...]
    astray: str = ""


class Crash(NamedTuple):
    """The process of `instance` is killed at its `call`-th port call, and starts again after `down_ns`."""

    instance: str
    call: int
    down_ns: int
    tear: float
    """Killed while it writes, it leaves this share of the bytes."""


class PowerCut(NamedTuple):
    """The machine loses power at the `call`-th port call of `instance`; all start again after `down_ns` and more."""

    instance: str
    call: int
    down_ns: int
    salt: int
    """Decides what of the unsynced tails is left."""


class ClockJump(NamedTuple):
    """The wall clock jumps."""

    at_ns: int
    by_ns: int


class DiskFull(NamedTuple):
    """The disk takes nothing for a while."""

    at_ns: int
    for_ns: int
    what: Literal["journals", "store", "both"]


class Stall(NamedTuple):
    """A process does nothing for a while, as under SIGSTOP."""

    at_ns: int
    instance: str
    for_ns: int


Break = Crash | PowerCut
Timed = ClockJump | DiskFull | Stall
Fault = Transmission | Break | Timed


class Faults(Protocol):
    """Where a run gets its faults from."""

    def transmission(self, ref: MessageRef) -> Transmission | None:
        """What happens to message `ref` on its way; None for nothing."""

    def next_break(self, instance: str, calls: int) -> Break | None:
        """The next time, after port call `calls`, that `instance` is the place of a crash or a power cut."""

    def timed(self) -> Sequence[Timed]:
        """What happens at a given time."""


@dataclass(frozen=True)
class FaultMix:
    """How much of each kind of fault a seed gets; 0 is none."""

    drop: float
    delay: float
    reorder: float
    duplicate: float
    stray: float
    calls_between_breaks: float
    power_share: float
    """Share of the breaks that are power cuts."""
    down_s: float
    """A process that died starts again within this time."""
    jump_every_s: float
    full_every_s: float
    stall_every_s: float


def draw_mix(seed: int, can_lose_power: bool = True) -> FaultMix:
    """The mix of `seed`."""
    draws = Random(seed)

    def maybe(low: float, high: float, share: float = 0.6) -> float:
        value = math.exp(draws.uniform(math.log(low), math.log(high)))
        return value if draws.random() < share else 0.0

    return FaultMix(
        drop=maybe(0.002, 0.3),
        delay=maybe(0.002, 0.1),
        reorder=maybe(0.002, 0.3),
        duplicate=maybe(0.002, 0.2),
        stray=maybe(0.002, 0.02, 0.4),
        calls_between_breaks=maybe(400.0, 20_000.0, 0.9),
        power_share=maybe(0.05, 1.0, 0.5) if can_lose_power else 0.0,
        down_s=maybe(0.05, 10.0, 1.0),
        jump_every_s=maybe(120.0, 3600.0, 0.4),
        full_every_s=maybe(120.0, 3600.0, 0.4),
        stall_every_s=maybe(60.0, 3600.0, 0.4),
    )


def dense_mix(kinds: Collection[str]) -> FaultMix:
    """Much of the faults of `kinds` and nothing else."""

    def where(kind: str, value: float) -> float:
        return value if kind in kinds else 0.0

    return FaultMix(
        drop=where("drop", 0.1),
        delay=where("delay", 0.1),
        reorder=where("reorder", 0.1),
        duplicate=where("duplicate", 0.1),
        stray=where("stray", 0.1),
        calls_between_breaks=max(where("Crash", 150.0), where("PowerCut", 150.0)),
        power_share=where("PowerCut", 0.5 if "Crash" in kinds else 1.0),
        down_s=1.0,
        jump_every_s=where("ClockJump", 20.0),
        full_every_s=where("DiskFull", 15.0),
        stall_every_s=where("Stall", 15.0),
    )


class DrawnFaults:
    """Draws faults from a mix; the same seed draws the same."""

    def __init__(self, seed: int, instances: Sequence[str], duration_ns: int, mix: FaultMix) -> None:
        draws = Random(seed)
        self.mix = mix
        self._instances = tuple(instances)
        self._duration_ns = duration_ns
        self._draws = draws
        rates = (mix.drop, mix.delay, mix.reorder, mix.duplicate, mix.stray)
        self._total = min(0.9, sum(rates))
        kinds: tuple[TransmissionKind, ...] = ("drop", "delay", "reorder", "duplicate", "stray")
        self._kinds = tuple(zip(kinds, rates, strict=True))
        self._breaks = {name: Random(draws.getrandbits(64)) for name in self._instances}
        self._timed = tuple(self._draw_timed(Random(draws.getrandbits(64))))

    def transmission(self, ref: MessageRef) -> Transmission | None:
        """What happens to message `ref` on its way."""
        lot = self._draws.random()
        if lot >= self._total:
            return None
        kind = self._kinds[0][0]
        for kind, rate in self._kinds:  # noqa: B007 - the kind is used below
            if lot < rate:
                break
            lot -= rate
        draws = self._draws
        match kind:
            case "drop":
                return Transmission(kind, ref, ())
            case "delay":
                return Transmission(kind, ref, (int(draws.uniform(0.05, 30.0) * SECOND_NS),))
            case "reorder":
                return Transmission(kind, ref, (int(draws.uniform(0.001, 0.5) * SECOND_NS),))
            case "duplicate":
                return Transmission(kind, ref, (0, int(draws.uniform(0.0, 5.0) * SECOND_NS)))
            case "stray":
                return Transmission(kind, ref, (0,), draws.choice(self._instances))

    def next_break(self, instance: str, calls: int) -> Break | None:
        """The next crash or power cut at a port call of `instance`."""
        mean, draws = self.mix.calls_between_breaks, self._breaks[instance]
        if not mean:
            return None
        call = calls + 1 + int(draws.expovariate(1.0 / mean))
        down_ns = int(draws.uniform(0.02, max(0.02, self.mix.down_s)) * SECOND_NS)
        if draws.random() < self.mix.power_share:
            return PowerCut(instance, call, down_ns, draws.getrandbits(32))
        return Crash(instance, call, down_ns, draws.random())

    def timed(self) -> Sequence[Timed]:
        """What happens at a given time."""
        return self._timed

    def _draw_timed(self, draws: Random) -> Iterable[Timed]:
        for at_ns in self._moments(draws, self.mix.jump_every_s):
            yield ClockJump(at_ns, int(draws.uniform(-HOUR_S, HOUR_S) * SECOND_NS))
        for at_ns in self._moments(draws, self.mix.full_every_s):
            for_ns = int(draws.uniform(0.1, 20.0) * SECOND_NS)
            yield DiskFull(at_ns, for_ns, draws.choice(("journals", "store", "both")))
        for at_ns in self._moments(draws, self.mix.stall_every_s):
            yield Stall(at_ns, draws.choice(self._instances), int(draws.uniform(0.05, 5.0) * SECOND_NS))

    def _moments(self, draws: Random, every_s: float) -> Iterable[int]:
        if not every_s:
            return
        at_ns = int(draws.expovariate(1.0 / every_s) * SECOND_NS)
        while at_ns < self._duration_ns:
            yield at_ns
            at_ns += int(draws.expovariate(1.0 / every_s) * SECOND_NS)


class ListedFaults:
    """Makes the faults of a list happen, and no other."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._transmissions: dict[MessageRef, Transmission] = {}
        self._breaks: dict[str, list[Break]] = {}
        self._timed: list[Timed] = []
        for fault in faults:
            match fault:
                case Transmission():
                    self._transmissions[fault.ref] = fault
                case Crash() | PowerCut():
                    self._breaks.setdefault(fault.instance, []).append(fault)
                case _:
                    self._timed.append(fault)

    def transmission(self, ref: MessageRef) -> Transmission | None:
        """What happens to message `ref` on its way."""
        return self._transmissions.get(ref)

    def next_break(self, instance: str, calls: int) -> Break | None:
        """The next crash or power cut at a port call of `instance`."""
        later = [fault for fault in self._breaks.get(instance, ()) if fault.call > calls]
        return min(later, key=lambda fault: fault.call, default=None)

    def timed(self) -> Sequence[Timed]:
        """What happens at a given time."""
        return self._timed


def kind_of(fault: Fault) -> str:
    """The kind of `fault`: drop, delay, ..., Crash, PowerCut, ..."""
    return fault.kind if isinstance(fault, Transmission) else type(fault).__name__


def describe(fault: Fault) -> str:
    """`fault` in words."""
    match fault:
        case Transmission(kind=kind, ref=ref, delays_ns=delays, astray=astray):
            message = "/".join(map(str, ref))
            times = " and ".join(f"{delay / SECOND_NS:.3f} s" for delay in delays)
            texts: Mapping[TransmissionKind, str] = {
                "drop": f"{message} is dropped",
                "delay": f"{message} arrives {times} late",
                "reorder": f"{message} is overtaken for {times}",
                "duplicate": f"{message} arrives twice, after {times}",
                "stray": f"{message} also arrives at {astray}",
            }
            return texts[kind]
        case Crash(instance=instance, call=call, down_ns=down):
            return f"{instance} is killed at its port call {call}, for {down / SECOND_NS:.3f} s"
        case PowerCut(instance=instance, call=call, down_ns=down):
            return f"power fails at port call {call} of {instance}, for {down / SECOND_NS:.3f} s"
        case ClockJump(at_ns=at, by_ns=by):
            return f"at {at / SECOND_NS:.3f} s the wall clock jumps by {by / SECOND_NS:.0f} s"
        case DiskFull(at_ns=at, for_ns=length, what=what):
            return f"at {at / SECOND_NS:.3f} s the disk takes nothing of {what} for {length / SECOND_NS:.3f} s"
        case Stall(at_ns=at, instance=instance, for_ns=length):
            return f"at {at / SECOND_NS:.3f} s {instance} stands still for {length / SECOND_NS:.3f} s"
