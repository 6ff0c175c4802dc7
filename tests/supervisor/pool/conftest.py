"""Homes with a pool that a keeper filled, and the command line on them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.learner.kpis import EpochTally
from schemas.feedback import ArmResult, EpochReport, FeedbackBatch, FeedbackRecord
from schemas.ids import RunId, derived_id
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import default_seats
from supervisor.runs import RunFolder
from tests.actors.pool_keeper.conftest import NOW_NS, Keeper, make_dream, make_query

LEARNER = "learner"


class Filled:
    """A home whose pool is filled by hand."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.home.create()
        self.configuration = load_configuration(Sources(self.home))
        began = datetime(2026, 1, 1, tzinfo=UTC)
        protection = Protection("none", "none")
        manifest = make_manifest(self.configuration, "0" * 64, default_seats(), 1, began, protection)
        self.run = RunFolder(self.home, RunId(manifest.run_id))
        self.run.write_manifest(manifest)
        self.keeper = Keeper(root, run=manifest.run_id)
        self.epochs = 0
        self.queries = 0
        self._tally = EpochTally()
        self._loss = 2.0

    def dream(self, *numbers: int, **changes: Any) -> None:
        """Store the dreams of these numbers."""
        self.keeper.dream(*(make_dream(number, **changes) for number in numbers))

    def ask(self, k: int = 3) -> Any:
        """A query and its answer, counted as a learner counts."""
        self.queries += 1
        answer = self.keeper.ask(make_query(query_id=derived_id("query", self.queries), k=k))
        settings = self.configuration.settings
        self._tally.add_retrieved([entry.facts for entry in answer.entries], NOW_NS, settings)
        return answer

    def judge(self, answer: Any, utility: float) -> None:
        """Feedback on every dream of an answer."""
        ids = [entry.facts.id for entry in answer.entries]
        records = tuple(
            FeedbackRecord(query_id=answer.query_id, entry_id=i, utility=utility, contribution=0.5, notes=None)
            for i in ids
        )
        self.keeper.ask(FeedbackBatch(batch_id=derived_id("batch", self.queries), records=records))
        self._tally.add_judged([utility] * len(ids), 0.0)

    def report(self, **changes: Any) -> None:
        """End the epoch."""
        self.epochs += 1
        start, self._loss = self._loss, self._loss - 0.1 * self.epochs
        fields: dict[str, Any] = {
            "epoch": self.epochs,
            "rounds": 1,
            "feedback_records": self._tally.feedback,
            "kpis": self._tally.kpis(24, start, self._loss),
            "tau": 0.0,
            "recent_days": 1.0,
            "arms": (arm("dreams", self._loss), arm("no-dreams", 2.0)),
            "probe_loss_at_start": start,
        }
        self.keeper.say(EpochReport(**(fields | changes)))
        self.keeper.commit()
        self._tally = EpochTally()

    @property
    def root(self) -> str:
        """The folder, for a command line."""
        return str(self.home.root)


def arm(name: str, loss: float) -> ArmResult:
    """An arm with this loss everywhere."""
    return ArmResult(arm=name, steps=1, train_loss=loss, probe_loss=loss, test_loss=loss, test_accuracy=0.5)


@pytest.fixture
def make_filled(tmp_path: Path) -> Iterator[Callable[[str], Filled]]:
    """Makes homes by name."""
    made: list[Filled] = []

    def make(name: str) -> Filled:
        made.append(Filled(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.keeper.store.close()


@pytest.fixture
def filled(make_filled: Callable[[str], Filled]) -> Filled:
    return make_filled("home")
