"""Rules of the protocol with one bug each: only tests can bring them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bus.core import Cursor, Received, StepPosition
from bus.envelope import Envelope, decode_envelope, encode_envelope
from bus.link import RawMessage
from bus.simulation.campaign import run_plan
from bus.simulation.company import Cast
from bus.simulation.history import MemoryHistory
from bus.simulation.light_keeper import light_company
from bus.simulation.memory_pool import MemoryPool
from bus.simulation.plan import Plan, Policy, Report
from bus.simulation.process import Process, Rules, Waits
from bus.simulation.reading import Journals, MemoryIntake
from bus.step import Numbering


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
    """Starting over, it sets its intake back to what its store holds, and forgets what it has in hand."""

    def start_over(self) -> Waits:
        yield from super().start_over()
        store = self.execution.actor.store
        if store is not None:
            self.intake.restore(store.cursors())




@dataclass(frozen=True)
class Flaw:
    """One planted bug: where it sits, and under which policy it bites."""

    cast: Cast
    rules: Rules
    policy: Policy | None = None

    def run(self, seed: int, duration_ns: int) -> Report:
        """One run with the bug in it."""
        return run_plan(Plan(seed, duration_ns, self.policy), self.cast, self.rules)


def with_pool(pool: Callable[[], MemoryPool]) -> Cast:
    """The light company over another pool."""
    return partial(light_company, pool=pool)


FLAWS: dict[str, Flaw] = {
    "cursor committed after the data": Flaw(with_pool(DataFirstPool), Rules()),
    "cursor committed before the data": Flaw(with_pool(CursorFirstPool), Rules()),
    "no epoch": Flaw(light_company, Rules(next_epoch=lambda _: 1, numbering=numbered_by_journal)),
    "epoch overtaking": Flaw(light_company, Rules(intake=OvertakenIntake)),
    "no gap check": Flaw(light_company, Rules(intake=GapBlindIntake)),
    "messages in hand forgotten on a full store": Flaw(light_company, Rules(process=ForgetfulProcess)),
    "origin named that a power cut took": Flaw(
        light_company, Rules(numbering=lambda epoch, history, journals: Numbering(epoch)), "process"
    ),
}
