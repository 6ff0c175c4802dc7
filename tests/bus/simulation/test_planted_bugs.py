"""Every planted bug of the protocol is found, and the run that finds it becomes short (dossier of reliability, 3)."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count

import pytest

from bus.core import Cursor, StepPosition
from bus.envelope import decode_envelope, encode_envelope
from bus.link import RawMessage
from bus.simulation.campaign import repeat, run_plan
from bus.simulation.company import Company
from bus.simulation.faults import SECOND_NS
from bus.simulation.history import MemoryHistory
from bus.simulation.light_keeper import light_company
from bus.simulation.memory_pool import MemoryPool
from bus.simulation.plan import Plan, Policy, Report
from bus.simulation.process import Process, Rules, Waits
from bus.simulation.reading import Journals, MemoryIntake
from bus.simulation.shrinking import Shrinking
from bus.step import Numbering
from schemas.retrieval import LearningBatch

MOST_SEEDS = 400
HALF_AN_HOUR_NS = 1800 * SECOND_NS


class DataFirstPool(MemoryPool):
    """Commits the data, then the cursors."""

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        before = self.position()
        super().commit(before or StepPosition(0, 0), self.cursors())
        self.world.call()
        super().commit(position, cursors)


class CursorFirstPool(MemoryPool):
    """Commits the cursors, then the data."""

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        rows = self._rows[self.count() :]
        self._truncate(self.count())
        super().commit(position, cursors)
        self.world.call()
        for taken, dream in rows:
            self.add(taken, dream)
        super().commit(position, cursors)


def numbered_by_journal(epoch: int, history: MemoryHistory, _: Journals) -> Numbering:
    """Numbers that go on from what the journal still holds."""
    numbering = Numbering(epoch)
    numbering.last_seq = max((cursor.seq for cursor in history.predecessors.values()), default=0)
    taken = {file.name.first_seq for file in history.journal.files} if history.journal else set()
    while numbering.last_seq + 1 in taken:
        numbering.last_seq += 1
    return numbering


class RewritingIntake(MemoryIntake):
    """Accepts what it should not, by reading another predecessor than the message names."""

    def offer(self, parts: RawMessage):
        envelope = decode_envelope(parts[0])
        cursor = self.cursor(envelope.sender)
        if self.is_taken(envelope, cursor):
            parts = [encode_envelope(envelope._replace(predecessor_epoch=cursor.epoch, predecessor_seq=cursor.seq))]
            parts += parts_of(envelope, self.last)
        return super().offer(parts)


