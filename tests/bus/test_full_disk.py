"""A full disk makes an actor wait; it neither dies, nor loses, nor doubles."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bus import effects
from bus.core import (
    Actor,
    Cursor,
    Fired,
    Input,
    Outcome,
    Received,
    SetTimer,
    Started,
    StepPosition,
    StoreFullError,
    WriteFile,
)
from bus.randomness import RandomSource


@dataclass
class Ledger:
    """A durable state on a shelf that outlives the actor: the requests that were committed, with their cursors."""

    shelf: dict[str, object]
    fails_at: int
    pending: list[int] = field(default_factory=list)

    def add(self, request: int) -> None:
        if len(self.kept) + len(self.pending) + 1 == self.fails_at and not self.shelf.get("failed"):
            self.shelf["failed"] = True
            self.pending.clear()
            raise StoreFullError("the shelf is full")
        self.pending.append(request)

    @property
    def kept(self) -> list[int]:
        return self.shelf.setdefault("kept", [])

    def position(self) -> StepPosition | None:
        return self.shelf.get("position")

    def cursors(self) -> dict[str, Cursor]:
        return self.shelf.get("cursors", {})

    def commit(self, position: StepPosition, cursors: dict[str, Cursor]) -> None:
        self.kept.extend(self.pending)
        self.pending.clear()
        self.shelf.update(position=position, cursors=dict(cursors))

    def maintain(self) -> None: ...

    def close(self) -> None:
        self.pending.clear()


@dataclass
class Bookkeeper:
    """A keeper's shape that writes every request into its ledger."""

    ledger: Ledger

    def handle(self, event: Input, now_ns: int) -> Outcome:
        if isinstance(event, Received):
            self.ledger.add(event.message.request)
        return Outcome()

    def snapshot(self) -> bytes:
        return b""

    def restore(self, data: bytes) -> None: ...

    def figures(self) -> dict[str, int]:
        return {}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.space.DISK_RETRY_S", 0.0)


@pytest.mark.parametrize("fails_at", [1, 7, 40])
def test_a_store_that_runs_full_takes_each_input_once(stage, talker: Callable[[], Actor], fails_at: int) -> None:
    shelf: dict[str, object] = {}
    learner = stage.enter("learner", talker)
    stage.play(lambda: learner.actor.core.asked >= 60)

    def build() -> Actor:
        ledger = Ledger(shelf, fails_at)
        return Actor(Bookkeeper(ledger), RandomSource(1, 1, "pool-keeper"), store=ledger)

    stage.enter("pool-keeper", build)
    stage.play(lambda: len(shelf.get("kept", [])) >= 80)

    kept = shelf["kept"]
    assert shelf["failed"]
    assert kept == list(range(1, len(kept) + 1))


def test_a_store_that_is_full_before_there_is_an_actor_is_waited_for(stage) -> None:
    shelf: dict[str, object] = {}
    attempts = iter(range(10**9))

    def build() -> Actor:
        if next(attempts) < 2:
            raise StoreFullError("the shelf is full")
        ledger = Ledger(shelf, 0)
        return Actor(Bookkeeper(ledger), RandomSource(1, 1, "pool-keeper"), store=ledger)

    keeper = stage.enter("pool-keeper", build)

    assert next(attempts) == 3
    assert keeper.refusals.count == 2


@dataclass
class Scribe:
    """A keeper's shape that writes a file now and then."""

    written: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        if isinstance(event, Started | Fired):
            self.written += 1
            return Outcome(
                timers=[SetTimer("write", 0.0)], effects=[WriteFile("data/page.txt", str(self.written).encode())]
            )
        return Outcome()

    def snapshot(self) -> bytes:
        return str(self.written).encode()

    def restore(self, data: bytes) -> None:
        self.written = int(data)

    def figures(self) -> dict[str, int]:
        return {}


def test_a_file_that_finds_no_room_is_written_later(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.home / "data").mkdir()
    real, refusals = effects.write_atomically, iter(range(3))

    def write(path: Path, content: bytes, mode: int) -> None:
        if next(refusals, None) is not None:
            raise OSError(errno.ENOSPC, "no space left on device")
        real(path, content, mode)

    monkeypatch.setattr(effects, "write_atomically", write)

    keeper = stage.enter("pool-keeper", lambda: Actor(Scribe(), RandomSource(1, 1, "pool-keeper")))
    stage.play(lambda: keeper.actor.core.written >= 5)

    assert keeper.refusals.count == 3
    assert (stage.home / "data" / "page.txt").exists()


def test_a_journal_that_finds_no_room_waits_at_every_step(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.writev, iter(range(10**9))

    def now_and_then(fd: int, buffers: list[bytes]) -> int:
        if next(calls) % 3 == 0:
            raise OSError(errno.ENOSPC, "no space left on device")
        return real(fd, buffers)

    monkeypatch.setattr(os, "writev", now_and_then)

    keeper, learner = stage.enter("pool-keeper", answerer), stage.enter("learner", talker)
    stage.play(lambda: len(learner.actor.core.answers) >= 30)

    answers = learner.actor.core.answers
    assert answers == list(range(1, len(answers) + 1))
    assert keeper.refusals.count > 0


def test_a_segment_from_which_nothing_was_sent_goes_on(stage, talker: Callable[[], Actor]) -> None:
    shelf: dict[str, object] = {}
    ledger = Ledger(shelf, 0)
    keeper = stage.enter("pool-keeper", lambda: Actor(Bookkeeper(ledger), RandomSource(1, 1, "k"), store=ledger))
    monkey = keeper.journal.is_due
    keeper.journal.is_due = lambda wall_ns: True
    stage.enter("learner", talker)

    stage.play(lambda: len(shelf.get("kept", [])) >= 20)
    keeper.journal.is_due = monkey

    assert len(list(keeper.journal.folder.iterdir())) == 1
