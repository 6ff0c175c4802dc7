"""A learner of the user's own joins the running loop, and harms nobody whatever becomes of it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.client import RefusedError, SeatError, attach
from bus.codec import decode_body, pack
from bus.core import Cursor
from bus.envelope import Envelope, encode_envelope
from bus.link import Outlet, make_context
from bus.payloads import PayloadStore
from bus.seat_offer import TakenSeat
from bus.step import MAX_EPOCH, MAX_SEQ
from bus.stream import SenderStream
from schemas.feedback import FeedbackBatch
from schemas.ids import derived_id
from supervisor.cli import run_cli
from supervisor.plan import default_seats
from tests.guest_house import Dwelling, example, furnish

FAST = ("--set=dreamer.rate_hz=20", "--set=learner.rounds_hz=5", "--set=learner.test_per_class=8")
ACTORS = {seat.instance for seat in default_seats()}

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def dwelling(tmp_path_factory: pytest.TempPathFactory) -> Dwelling:
    return furnish(tmp_path_factory.mktemp("guest") / "place", {"learner.py": example("learner.py")})


def seat(house, name: str, *options: str) -> str:
    done = house.run("attach", name, *options, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["offer"])


def guest(house, name: str) -> dict[str, object]:
    return next(row for row in house.answer("status")["guests"] if row["name"] == name)


def keeper_refused(house) -> int:
    return next(row["refused"] for row in house.actors() if row["name"] == "pool-keeper")


def rounds(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next `count` lines that a learner prints."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    assert all("probe loss" in line for line in lines), [*lines, process.stdout.read()]
    return lines


def proved(house) -> None:
    """The run is identical for all our actors, lawful, and whole."""
    replayed = house.run("replay", "--json")
    assert replayed.returncode == 0, replayed.stdout
    assert {verdict["actor"] for verdict in json.loads(replayed.stdout)["actors"]} == ACTORS
    audited = house.run("audit")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert run_cli(["record", "verify", "latest", "--home", str(house.home)]) == 0


def batches_said(house, name: str) -> set[str]:
    """The ids of all feedback that a guest has journalled, by its own client."""
    folder = house.home / "journal" / house.runs()[-1]
    stream = SenderStream(folder, name, "pool-keeper", PayloadStore(folder))
    said = [item for item in stream.after(Cursor(0, 0)) if item.kind == FeedbackBatch.kind]
    stream.close()
    return {decode_body(FeedbackBatch, item.body).batch_id for item in said}


def test_it_learns_through_kills_and_its_feedback_reaches_the_next_profile(house, dwelling: Dwelling) -> None:
    house.up(*FAST, "--set=bias.update_interval_steps=50")
    offer = seat(house, "ann")
    killed = dwelling.start(offer, "learner.py")
    rounds(killed, 4)
    killed.kill()
    killed.communicate()
    process = dwelling.start(offer, "learner.py")
    rounds(process, 3)
    os.kill(house.pid("pool-keeper"), signal.SIGKILL)
    rounds(process, 5)
    profiles = house.figure("bias.profiles")
    house.until(lambda: house.figure("bias.profiles") > profiles)
    row = guest(house, "ann")
    process.kill()
    process.communicate()
    house.stop()

    explanation = json.loads((house.home / "data" / "bias_explanation.json").read_text())
    assert (row["state"], row["epoch"]) == ("attached", 2)
    assert explanation["learners"]["ann"]["records"] >= 80
    assert explanation["learners"]["ann"]["share"] <= 0.5 + 1e-9
    stored = house.pool().execute("SELECT batch_id, count(*) FROM feedback WHERE learner = 'ann' GROUP BY 1").fetchall()
    assert {batch for batch, _ in stored} == batches_said(house, "ann")
    assert {count for _, count in stored} == {8}
    proved(house)


def test_a_command_is_kept_running_and_ends_with_the_run(house, dwelling: Dwelling) -> None:
    (dwelling.folder / "dies.py").write_text(
        "import pathlib, sys\n"
        "mark = pathlib.Path(__file__).with_name('was-here')\n"
        "if not mark.exists():\n    mark.touch()\n    sys.exit('not yet')\n"
        "import runpy\n"
        "runpy.run_module('learner', run_name='__main__')\n"
    )
    house.up(*FAST)
    given = house.run("attach", "ann", "--", "env", *words(dwelling), str(dwelling.folder / "dies.py"))
    assert given.returncode == 0, given.stderr
    log = house.home / "logs" / "ann.log"

    house.until(lambda: log.exists() and log.read_text().count("probe loss") >= 2)
    row = guest(house, "ann")
    house.stop()

    assert "not yet" in log.read_text()
    assert (row["process"], row["restarts"]) == ("running", 1)
    assert not Path(f"/proc/{row['pid']}").exists()


def words(dwelling: Dwelling) -> list[str]:
    """A command line for env(1) that needs nothing of this environment but the seat in it."""
    return [f"PYTHONPATH={dwelling.folder}:{dwelling.folder}/ours", str(dwelling.python)]


def test_a_guest_that_lies_is_refused_and_counted_and_its_key_can_be_withdrawn(house) -> None:
    house.up(*FAST)
    offer = seat(house, "liar")
    keeper = house.pid("pool-keeper")
    house.until(lambda: house.figure("pool.dreams_total") >= 8)
    with liar(offer) as say:
        for envelope, body in lies():
            say(envelope, body)
        house.until(lambda: guest(house, "liar")["refused"] >= len(lies()))
    with attach(offer) as learner:
        found = learner.retrieve(k=4)
        with pytest.raises(RefusedError, match=r"1 of 1 records, first dream .*: the entry is not in the answer"):
            learner.submit_feedback(found, {derived_id("no such dream"): 1.0})
        with pytest.raises(RefusedError, match=r"k: Input should be less than or equal to 4096 \(got '1000000000'\)"):
            learner.retrieve(k=10**9)
        with pytest.raises(RefusedError, match="utility: Input should be a finite number"):
            learner.submit_feedback(found, {found.entries[0].facts.id: float("nan")})
        stored = learner.submit_feedback(found, {found.entries[0].facts.id: 0.5})
    is_cut_off_at_once_by_a_replacement(house)
    same = house.pid("pool-keeper")
    house.stop()

    assert (stored, same) == (1, keeper)
    refusals = (house.home / "logs" / "refusals" / "pool-keeper.jsonl").read_text()
    for reason in (
        "version 99",
        "epoch 1048576 is not",
        "seq 1099511627776 is not",
        "104857600 bytes",
        "1000000000",
        "finite number",
        "the key is liar's",
        "no row",
    ):
        assert reason in refusals, reason
    with pytest.raises(SeatError, match="the run may be over"):
        attach(offer)
    proved(house)


def is_cut_off_at_once_by_a_replacement(house) -> None:
    first = seat(house, "ann")
    old = attach(first)
    old.pool_stats()
    refused, taken = house.run("attach", "ann"), house.run("attach", "learner", "--replace")
    before = keeper_refused(house)
    with liar(seat(house, "bob")) as say:
        seat(house, "bob", "--replace")
        say(head("PoolStatsRequest", sender="bob"), pack({"request": 1}))
        house.until(lambda: keeper_refused(house) > before)
    with attach(seat(house, "ann", "--replace")) as new:
        with pytest.raises(SeatError, match="another process sits in the seat ann"):
            attach(first)
        with pytest.raises(SeatError, match="was given to another"):
            old.pool_stats()
        old.close()
        assert new.pool_stats().dreams_total >= 8

    assert (refused.returncode, taken.returncode) == (2, 2)
    assert "--replace gives it to another" in refused.stderr and "an actor of this run" in taken.stderr


def lies() -> list[tuple[Envelope, bytes]]:
    """What a guest may try: each is refused on the socket, with a reason of its own."""
    query = {"query_id": derived_id("q"), "k": 10**9}
    record = {"query_id": derived_id("q"), "entry_id": derived_id("e"), "utility": float("nan"), "contribution": 0.0}
    batch = {"batch_id": derived_id("b"), "records": [{**record, "notes": None}]}
    return [
        (head("PoolStatsRequest", version=99), pack({"request": 1})),
        (head("PoolStatsRequest"), bytes(100 * 1024 * 1024)),
        (head("RetrievalQuery"), pack(query)),
        (head("FeedbackBatch"), pack(batch)),
        (head("PoolStatsRequest", sender="learner"), pack({"request": 1})),
        (head("BiasProfile"), pack({})),
        (head("PoolStatsRequest")._replace(epoch=MAX_EPOCH + 1), pack({"request": 1})),
        (head("PoolStatsRequest")._replace(seq=MAX_SEQ + 1), pack({"request": 1})),
    ]


def head(kind: str, version: int = 1, sender: str = "liar") -> Envelope:
    return Envelope(kind, version, sender, 1, 1, 0, 0, 0, "", 0, 0, 0, 0)


@contextmanager
def liar(offer: str) -> Iterator[Callable[[Envelope, bytes], None]]:
    """A process that has a seat and none of our manners."""
    taken, context = TakenSeat(Path(offer)), make_context()
    outlet = Outlet(context, Path(taken.offer.runtime), ["pool-keeper"], awaited=["pool-keeper"], ring=taken.ring)

    def say(envelope: Envelope, body: bytes) -> None:
        assert outlet.send("pool-keeper", encode_envelope(envelope), body)

    yield say
    outlet.close()
    context.term()
    taken.close()
