"""Guests that flood, hang and are many at once: the loop goes on, and the run ends in order."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bus.guest_link import GuestLink
from bus.seat_offer import TakenSeat
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery
from tests.guest_house import Dwelling, example, furnish
from tests.system.test_a_guest_learns import FAST, rounds, seat

FLOOD = 6_000
OTHERS = (("dreamer", "episodes"), ("pool", "dreams_total"), ("learner", "rounds"))

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def dwelling(tmp_path_factory: pytest.TempPathFactory) -> Dwelling:
    return furnish(tmp_path_factory.mktemp("guest") / "place", {"learner.py": example("learner.py")})


def query(number: int) -> RetrievalQuery:
    return RetrievalQuery(
        query_id=derived_id("flood", number),
        k=8,
        mode="mixed",
        query_signature=(0.5, 0.2, 0.1),
        min_coherence=None,
        max_entropy=None,
        recency_decay=0.02,
        allow_duplicates=False,
        seed=number,
        as_of_ns=time.time_ns(),
        alpha=0.6,
        exploration=0.1,
    )


def went_on(now: dict[str, Any], before: dict[str, Any]) -> bool:
    return all(now[section][name] >= before[section][name] + 10 for section, name in OTHERS)


def test_a_flood_and_a_guest_that_hangs_harm_nobody(house, dwelling: Dwelling) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("pool.dreams_total") >= 8)
    hanging = dwelling.start(seat(house, "sleepy"), "learner.py")
    rounds(hanging, 2)
    hanging.send_signal(signal.SIGSTOP)
    flood = GuestLink(TakenSeat(Path(seat(house, "flood"))))
    for number in range(FLOOD):
        flood.say(query(number), "flood")

    before = house.answer("stats")
    taken_s = house.until(lambda: went_on(house.answer("stats"), before))
    answered = house.figure("pool.retrievals")
    hanging.send_signal(signal.SIGCONT)
    rounds(hanging, 2)
    hanging.kill()
    hanging.communicate()
    house.stop()
    flood.release()

    run = house.home / "runs" / house.runs()[-1]
    assert answered < FLOOD, "the flood was over before the others had done anything"
    assert taken_s < 20.0, "in quiet it takes two seconds"
    assert (run / "closed.json").exists(), house.output()[-2000:]
    assert house.run("audit").returncode == 0
