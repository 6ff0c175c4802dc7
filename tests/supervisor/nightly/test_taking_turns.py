"""Who asks for a night while another is just beginning or ending waits for its turn, and no longer than that."""

from collections.abc import Callable

import pytest

from schemas.night_report import NightReport
from supervisor.errors import AlreadyRunningError, ControlError, NotRunningError, SilentError
from supervisor.nightly.conducting import MOST_TURNS, TURN_S, LoopGoneError, NightLostError, in_turn
from tests.night_examples import DATE

REPORT = NightReport(
    night_id="n",
    date=DATE,
    source="own",
    standing="failed",
    block=None,
    problem="",
    notes=(),
    is_unchanged=False,
    sha256="",
)
HELD = AlreadyRunningError("/home", 7, "now", "/run")


class Turns:
    """Attempts that fail in turn, then succeed; a clock that only sleeping moves."""

    def __init__(self, *faults: Exception, last: Exception | None = None) -> None:
        self.faults, self.last = list(faults), last
        self.now_s = 0.0
        self.attempts = 0

    def conduct(self) -> NightReport:
        self.attempts += 1
        fault = self.faults.pop(0) if self.faults else self.last
        if fault is not None:
            raise fault
        return REPORT

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def take(self) -> NightReport:
        clock: Callable[[], float] = lambda: self.now_s  # noqa: E731 - a clock that stands
        return in_turn(self.conduct, clock, self.sleep)


def test_a_night_waits_while_another_begins_and_ends() -> None:
    turns = Turns(ControlError("not heard yet"), HELD, LoopGoneError("over"), NotRunningError("/home"))

    assert turns.take() == REPORT
    assert turns.attempts == 5


@pytest.mark.parametrize("fault", [ControlError("no socket"), HELD])
def test_a_holder_that_is_never_heard_is_told_after_a_while(fault: Exception) -> None:
    turns = Turns(last=fault)

    with pytest.raises(type(fault)):
        turns.take()

    assert turns.now_s == pytest.approx(TURN_S, abs=1.0)


@pytest.mark.parametrize("fault", [SilentError("hangs"), NightLostError("given up")])
def test_what_waiting_does_not_help_is_told_at_once(fault: Exception) -> None:
    turns = Turns(last=fault)

    with pytest.raises(type(fault)):
        turns.take()

    assert turns.attempts == 1


def test_loops_that_end_again_and_again_are_asked_three_times() -> None:
    turns = Turns(last=LoopGoneError("over"))

    with pytest.raises(LoopGoneError):
        turns.take()

    assert turns.attempts == MOST_TURNS
