"""Rules of the protocol with one bug each: only tests can bring them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from bus.codec import decode_body
from bus.core import Actor, Core, Cursor, Input, Outcome, Received, StepPosition
from bus.envelope import Envelope, decode_envelope, encode_envelope
from bus.journalled_cursors import JournalledCursors
from bus.link import RawMessage
from bus.readback import Accepted
from bus.simulation.campaign import SOUND, run_plan
from bus.simulation.company import Cast, Company, Part, Surroundings
from bus.simulation.faults import DrawnFaults, FaultMix, dense_mix
from bus.simulation.history import MemoryHistory
from bus.simulation.light_actors import LightDreamer, LightLearner, LightSynthesizer
from bus.simulation.light_keeper import LightKeeper, light_company
from bus.simulation.memory_pool import MemoryPool
from bus.simulation.plan import Plan, Policy, Report
from bus.simulation.process import Process, Rules, Waits
from bus.simulation.reading import NOWHERE, Journals, MemoryIntake, MemoryRedelivery
from bus.step import MAX_EPOCH, MAX_SEQ, Numbering
from schemas.catalogue import CATALOGUE
from schemas.ids import derived_id
from schemas.roles import Role


class DataFirstPool(MemoryPool):
    """Commits the data, then the cursors."""

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        super().commit(self.position() or StepPosition(0, 0), self.cursors())
        self.world.call()
        super().commit(position, cursors)


class CursorFirstPool(MemoryPool):
    """Commits the cursors, then the data."""

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        rows = self.uncommitted()
        self.close()
        super().commit(position, cursors)
        self.world.call()
        for taken, dream in rows:
            self.add(taken, dream)
        super().commit(position, cursors)


def numbered_by_journal(epoch: int, history: MemoryHistory, journals: Journals) -> Numbering:
    """Numbers that go on from what the journal still holds."""
    numbering = Numbering(epoch)
    numbering.last_seq = max((cursor.seq for cursor in history.predecessors.values()), default=0)
    taken = {file.name.first_seq for file in history.journal.files} if history.journal else set()
    while numbering.last_seq + 1 in taken:
        numbering.last_seq += 1
    return numbering


class TrustingIntake(MemoryIntake):
    """Accepts some messages whatever they name as their predecessor."""

    def offer(self, parts: RawMessage) -> Received | None:
        envelope = decode_envelope(parts[0])
        cursor = self.cursor(envelope.sender)
        if self.trusts(envelope, cursor):
            believed = envelope._replace(predecessor_epoch=cursor.epoch, predecessor_seq=cursor.seq)
            parts = [encode_envelope(believed), *parts[1:]]
        return super().offer(parts)

    def trusts(self, envelope: Envelope, cursor: Cursor) -> bool:
        raise NotImplementedError


class GapBlindIntake(TrustingIntake):
    """Looks for no gap: whatever is newer is accepted."""

    def trusts(self, envelope: Envelope, cursor: Cursor) -> bool:
        return True


class OvertakenIntake(TrustingIntake):
    """Accepts the first message of a later epoch without asking what came before."""

    def trusts(self, envelope: Envelope, cursor: Cursor) -> bool:
        return envelope.predecessor_epoch < envelope.epoch and cursor.epoch < envelope.epoch


class ForgetfulProcess(Process):
    """Starting over, it goes back to the cursors of its store and forgets what it has in hand."""

    def start_over(self) -> Waits:
        yield from super().start_over()
        self.is_rewound = False


class HastyProcess(Process):
    """Lets messages out before they are synced."""

    def wait_for_sync(self) -> Waits:
        yield from ()


class HurriedProcess(Process):
    """Begins a segment while the last one is not synced."""

    def settle(self) -> Waits:
        yield from ()


class TrustedReceiver(JournalledCursors):
    """Is taken to have heard everything."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)

    def look(self) -> dict[str, Cursor]:
        return {"bias-synthesizer": Cursor(MAX_EPOCH, MAX_SEQ)}


class TrustingRedelivery(MemoryRedelivery):
    """Believes of a receiver that shows nothing that it misses nothing."""

    def journal_of(self, receiver: str) -> JournalledCursors:
        return TrustedReceiver()


class TrustingProcess(Process):
    """Looks for the cursors of a boxed receiver in their file alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.redelivery = TrustingRedelivery(self.seat, self.seats, self.journals)


class OpenIntake(MemoryIntake):
    """Hands a dreamer whatever arrives, without asking the topology."""

    def offer(self, parts: RawMessage, holder: str | None = None) -> Accepted | None:
        envelope = decode_envelope(parts[0])
        if self.streams or envelope.kind == "BiasProfile":
            return super().offer(parts, holder)
        message = decode_body(CATALOGUE[envelope.kind], parts[1], parts[2:], envelope.version)
        return Received(envelope.ref, message)


class SilentKeeper(LightKeeper):
    """Leaves every twentieth message without an answer."""

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = super().handle(event, now_ns)
        return Outcome() if self.pool.position() and self.pool.count() % 20 == 19 else outcome


class LooseSynthesizer(LightSynthesizer):
    """Hints beyond all bounds."""

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = super().handle(event, now_ns)
        for at, send in enumerate(outcome.sends):
            outcome.sends[at] = send._replace(message=send.message.model_copy(update={"hue_concentration": 2.0}))
        return outcome


class MoodyDreamer(LightDreamer):
    """Dreams by a count that is no part of its state."""

    moods = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        MoodyDreamer.moods += 1
        self.profile_id = derived_id("mood", MoodyDreamer.moods)
        return super().handle(event, now_ns)


@dataclass(frozen=True)
class Flaw:
    """One planted bug, and what finds it."""

    invariant: str
    """The invariant that it breaks; ` or ` stands between several."""
    cast: Cast = light_company
    rules: Rules = SOUND
    policy: Policy | None = None
    mix: FaultMix | None = None
    """Faults that bring it out; None for what each seed draws."""

    def run(self, seed: int, duration_ns: int) -> Report:
        """One run with the bug in it."""
        plan = Plan(seed, duration_ns, self.policy)
        if self.mix is None:
            return run_plan(plan, self.cast, self.rules)
        names = [seat.instance for seat in self.cast(seed).seats]
        faults = DrawnFaults(seed, names, duration_ns, self.mix)
        return run_plan(plan, self.cast, self.rules, faults)


def with_pool(pool: Callable[[], MemoryPool]) -> Cast:
    """The light company over another pool."""
    return partial(light_company, pool=pool)


def with_core(role: Role, change: Callable[[Core], Core]) -> Cast:
    """The light company with another core in one place."""

    def cast(seed: int) -> Company:
        company = light_company(seed)

        def changed(part: Part) -> Part:
            if part.seat.role != role:
                return part

            def build(world: Surroundings) -> Actor:
                actor = part.build(world)
                return replace(actor, core=change(actor.core))

            return Part(part.seat, build)

        return replace(company, parts=tuple(changed(part) for part in company.parts))

    return cast


PROTOCOL: dict[str, Flaw] = {
    "cursor committed after the data": Flaw("cursor or exactly once", with_pool(DataFirstPool)),
    "cursor committed before the data": Flaw("cursor", with_pool(CursorFirstPool)),
    "no epoch": Flaw("exactly once", rules=Rules(next_epoch=lambda _: 1, numbering=numbered_by_journal)),
    "epoch overtaking": Flaw("exactly once", rules=Rules(intake=OvertakenIntake)),
    "no gap check": Flaw("exactly once", rules=Rules(intake=GapBlindIntake)),
}
"""The planted bugs of the dossier of reliability, section 5; the cursor apart from the data in both orders."""

OTHERS: dict[str, Flaw] = {
    "sent before it is synced": Flaw("sync before send", rules=Rules(process=HastyProcess), policy="power"),
    "inputs in hand forgotten when the store is full": Flaw("cursor", rules=Rules(process=ForgetfulProcess)),
    "origin named that a power cut has taken": Flaw(
        "payload",
        with_core("learner", lambda _: LightLearner(2.0)),
        Rules(numbering=lambda epoch, history, journals: Numbering(epoch)),
        policy="process",
        mix=dense_mix({"PowerCut"}),
    ),
    "segment begun before the last is synced": Flaw(
        "hole", rules=Rules(process=HurriedProcess), policy="process", mix=dense_mix({"Crash", "PowerCut"})
    ),
    "cursors sought in their file alone": Flaw(
        "delivery", rules=Rules(process=TrustingProcess), mix=dense_mix({"PowerCut", "drop"})
    ),
    "topology not asked": Flaw("the law", rules=Rules(intake=OpenIntake)),
    "request without an answer": Flaw("answer", with_core("pool-keeper", lambda core: SilentKeeper(core.pool))),
    "profile out of bounds": Flaw("bounded", with_core("bias-synthesizer", lambda _: LooseSynthesizer())),
    "state outside the state": Flaw("repeat", with_core("dreamer", lambda core: MoodyDreamer(core.period_s))),
}
"""Bugs that show that each invariant can break."""
