"""The observer between whoever asks, the keeper and its world (seed 004, 3)."""

import json

import pytest

from actors.nightly_observer.core import MAX_WAITING, MOST_ATTEMPTS, NightlyObserver
from actors.nightly_observer.world import failed_report
from bus.core import Fired, MessageRef, Observed, Outcome, Received, Started
from schemas.base import Message
from schemas.night import SnapshotReady, SnapshotRequest
from schemas.night_report import REPORTS_PATH, NightReports
from tests.night_examples import DATE, NIGHT_ID, request


class Observer:
    """A core, and what is said to it."""

    def __init__(self) -> None:
        self.core = NightlyObserver()
        self._seq = 0

    def hear(self, message: Message, sender: str = "supervisor") -> Outcome:
        self._seq += 1
        return self.core.handle(Received(MessageRef(sender, 1, self._seq), message), 0)

    def ready(self, night_id: str = NIGHT_ID, sha256: str = "ab" * 32, problem: str | None = None) -> Outcome:
        message = SnapshotReady(
            night_id=night_id,
            date=DATE,
            sha256=sha256,
            size_bytes=1,
            pool_sequence=1,
            taken_at_ns=1,
            is_kept=False,
            problem=problem,
        )
        return self.hear(message, "pool-keeper")

    def lived(self, night_id: str = NIGHT_ID) -> Outcome:
        report = failed_report({"night_id": night_id, "date": DATE, "source": "own"}, "no box")
        return self.core.handle(Observed("night", json.dumps(report).encode()), 0)


@pytest.fixture
def observer():
    return Observer()


def asks(outcome: Outcome) -> list[dict]:
    return [json.loads(ask.data) for ask in outcome.asks]


def test_a_night_of_our_own_begins_with_a_snapshot(observer):
    begun = observer.hear(request())
    gone_on = observer.ready()

    assert [send.message for send in begun.sends] == [SnapshotRequest(night_id=NIGHT_ID, date=DATE, is_fresh=False)]
    assert begun.asks == []
    assert [(ask["night_id"], ask["snapshot_sha256"]) for ask in asks(gone_on)] == [(NIGHT_ID, "ab" * 32)]


def test_a_night_of_another_system_needs_no_snapshot(observer):
    begun = observer.hear(request(source="eqnet", root="/eqnet"))

    assert begun.sends == []
    assert [ask["root"] for ask in asks(begun)] == ["/eqnet"]


def test_what_came_of_a_night_is_left_for_whoever_asked(observer):
    observer.hear(request())
    observer.ready()

    outcome = observer.lived()

    (file,) = outcome.effects
    assert (file.path, file.is_private) == (REPORTS_PATH, True)
    report = NightReports.model_validate_json(file.content).of(NIGHT_ID)
    assert (report.standing, report.problem) == ("failed", "no box")
    assert observer.core.figures()["nights"] == 1


def test_nights_are_lived_one_after_another(observer):
    observer.hear(request())
    waiting = observer.hear(request(night_id="second"))
    observer.ready()

    outcome = observer.lived()

    assert (waiting.sends, waiting.asks) == ([], [])
    assert [send.message.night_id for send in outcome.sends] == ["second"]


def test_a_keeper_that_makes_no_snapshot_does_not_hold_up_the_night(observer):
    observer.hear(request())
    outcomes = [observer.core.handle(Fired("snapshot"), 0) for _ in range(MOST_ATTEMPTS)]

    assert [len(outcome.sends) for outcome in outcomes] == [1] * (MOST_ATTEMPTS - 1) + [0]
    assert [ask["snapshot_sha256"] for ask in asks(outcomes[-1])] == [""]


def test_after_a_restart_a_night_that_was_being_lived_is_asked_for_again(observer):
    observer.hear(request())
    observer.ready()
    kept = observer.core.snapshot()
    observer.core = NightlyObserver()
    observer.core.restore(kept)

    outcome = observer.core.handle(Started(2), 0)

    assert [ask["snapshot_sha256"] for ask in asks(outcome)] == ["ab" * 32]
    assert observer.core.snapshot() == kept


def test_what_nobody_waits_for_is_refused(observer):
    observer.hear(request())

    refusals = [
        observer.ready("another").refusal,
        observer.lived().refusal,
        observer.hear(request()).refusal,
        observer.core.handle(Observed("night", b"{}"), 0).refusal,
    ]
    for number in range(MAX_WAITING):
        last = observer.hear(request(night_id=f"n{number}"))

    assert all(refusals)
    assert "wait already" in str(last.refusal)
