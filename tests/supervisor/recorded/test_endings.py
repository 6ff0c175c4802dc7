"""The ends of journals: which must be there, and what is missing where they are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.base import Message
from schemas.manifest import Seat
from supervisor.home import Home
from supervisor.recorded.endings import find_lack, is_closed
from tests.audited_run import Court, last_frame
from tests.recorded_run import flip

DREAMER = Seat(instance="dreamer", role="dreamer")
KEEPER = Seat(instance="pool-keeper", role="pool-keeper")


@pytest.fixture
def court(tmp_path: Path, examples: dict[str, Message]) -> Iterator[Court]:
    home = Home(tmp_path / "home")
    home.create()
    court = Court(home, examples)
    yield court
    court.leave()


def test_a_journal_that_ended_in_order_lacks_nothing(court: Court) -> None:
    court.close()

    assert is_closed(court.dreamer.path)
    assert find_lack(court.run, DREAMER) is None


def test_a_closing_frame_with_a_flipped_bit_is_none(court: Court) -> None:
    court.close()
    place = last_frame(court.dreamer)
    flip(court.dreamer.path, court.dreamer.path.stat().st_size - 1, 0)

    lack = find_lack(court.run, DREAMER)

    assert lack is not None
    assert (lack.segment, lack.offset) == place


def test_of_an_open_run_nothing_is_missed(court: Court) -> None:
    assert not is_closed(court.dreamer.path)
    assert find_lack(court.run, DREAMER) is None


@pytest.mark.parametrize(("reason", "lacking"), [("down", 2), ("recovered", 1), ("nothing was said", 0)])
def test_why_a_run_was_closed_says_whose_journal_must_have_an_end(court: Court, reason: str, lacking: int) -> None:
    court.leave()
    court.mark_closed(reason)

    lacks = [find_lack(court.run, seat) for seat in (KEEPER, DREAMER)]

    assert [lack is not None for lack in lacks] == [index < lacking for index in range(2)]


def test_a_journal_that_is_missing_lacks_everything_when_its_process_has_reported(court: Court) -> None:
    court.forget("dreamer")

    before = find_lack(court.run, DREAMER)
    court.mark_closed()
    after = find_lack(court.run, DREAMER)

    assert before is None
    assert after is not None and (after.segment, after.offset) == ("", 0)
