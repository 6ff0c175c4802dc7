"""A day is the same with nights and without them, whatever they look like (seed 004, 1; dossier, R2, R29, R31)."""

import ast
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from actors.nightly_observer.core import NightlyObserver
from actors.nightly_observer.living import live
from actors.nightly_observer.ordering import NightOrder
from actors.nightly_observer.sealing import seal_of
from actors.nightly_observer.world import key_of, make_folders
from actors.pool_keeper.night_copy import copy_pool
from actors.pool_keeper.nights import SNAPSHOT, CopyOrder, CopyTold
from bus.core import Actor, Ask, Observed
from bus.memory import START_NS, MemoryBus
from bus.randomness import RandomSource
from bus.scripted import Later
from bus.topology import CONTROL, TOPOLOGY
from schemas.manifest import Seat
from schemas.night import night_at
from schemas.night_places import NIGHTS, SNAPSHOT_FILE, inputs_folder, night_folder
from tests.actors.whole.conftest import SEATS, the_loop
from tests.night_examples import changed, request

ROOT = Path(__file__).parents[3]
OBSERVER = "nightly-observer"
DATE = night_at(START_NS)
VIRTUAL_S = 6.0
BOOKKEEPING: Final = "INSERT INTO \"progress\" VALUES('position'"
"""How far the keeper has come in its own steps, of which the copies are some."""


def copying(home: Path) -> Callable[[Ask], Iterator[Later]]:
    """The keeper's world: it makes the copy at once, and is heard a moment later."""

    def copy(ask: Ask) -> Iterator[Later]:
        order = CopyOrder(**json.loads(ask.data))
        path = home / inputs_folder(order.date) / SNAPSHOT_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        copied = copy_pool(home, path, 1 << 20, lambda _connection: None)
        told = CopyTold(order, "ab" * 32, path.stat().st_size, copied.pool_sequence, START_NS)
        yield Later(0.01, Observed(SNAPSHOT, told.to_bytes()))

    return copy


def dreaming(home: Path) -> Callable[[Ask], Iterator[Later]]:
    """The observer's world: it lives the night in this process."""

    def dream(ask: Ask) -> Iterator[Later]:
        order = NightOrder(**json.loads(ask.data), home=str(home), rung="none")
        make_folders(home, order.date)
        result = live(order, key_of(home), seal_of(order.settings.dream.storage), "none")
        yield Later(0.02, Observed("night", json.dumps(result["report"]).encode()))

    return dream


def a_day(home: Path, style: str | None) -> tuple[list[str], str]:
    """What all but the observer say in a day, and the pool after it; `style` of the nights, None for none."""
    actors: list[Actor] = []
    the_loop(home, lambda actor: actors.append(actor) or actor)
    sitting = dict(zip(SEATS, actors, strict=True))
    if style is not None:
        sitting[Seat(instance=OBSERVER, role=OBSERVER)] = Actor(NightlyObserver(), RandomSource(7, 1, OBSERVER))
    bus = MemoryBus(sitting, scripts={"pool-keeper": copying(home), OBSERVER: dreaming(home)})
    settings = changed(storage__encrypt=False, generate_when__allow_if_all_zero=True, renderer__style=style or "poetic")
    for number in range(3):
        bus.run(VIRTUAL_S / 3)
        if style is not None:
            asked = {"night_id": f"n{number}", "date": DATE, "settings_json": settings.model_dump_json()}
            bus.inject("supervisor", OBSERVER, request(**asked))
    bus.run(1.0)
    others = [said for said in bus.said if OBSERVER not in (said.sender, said.receiver)]
    with closing(sqlite3.connect(home / "pool" / "dream_pool.sqlite")) as pool:
        dump = "\n".join(line for line in pool.iterdump() if not line.startswith(BOOKKEEPING))
    return [f"{said.at_ns} {said.sender} {said.receiver} {said.message!r}" for said in others], dump


def test_the_others_say_the_same_with_nights_and_without(tmp_path: Path) -> None:
    without, pool_without = a_day(tmp_path / "off", None)
    plain, pool_plain = a_day(tmp_path / "on", "minimal")
    poetic, pool_poetic = a_day(tmp_path / "other", "poetic")

    told = [json.loads((tmp_path / home / night_folder(DATE) / "nightly.json").read_text()) for home in ("on", "other")]
    assert [each["dream"]["status"] for each in told] == ["generated", "generated"]
    assert told[0]["dream"]["content_commits"] != told[1]["dream"]["content_commits"]
    assert len(without) > 100
    assert plain == without
    assert poetic == without
    assert pool_without == pool_plain == pool_poetic


def test_the_observer_may_say_nothing_to_anybody_but_for_its_copy() -> None:
    rows = {(row.receiver, row.message.__name__) for row in TOPOLOGY if row.sender == OBSERVER}

    assert {row for row in rows if row[0] != "supervisor"} == {("pool-keeper", "SnapshotRequest")}
    assert {name for receiver, name in rows if receiver == "supervisor"} == {each.__name__ for each in CONTROL}


WRITES_INPUTS = {"actors/pool_keeper"}
"""Who makes the copy that a night looks at."""


def test_no_other_actor_names_the_folders_of_nights() -> None:
    found = {
        str(path.relative_to(ROOT).parent)
        for folder in ("actors", "bus")
        for path in (ROOT / folder).rglob("*.py")
        if "nightly_observer" not in path.parts and _names_nights(path.read_text())
    }

    assert found <= WRITES_INPUTS


def _names_nights(source: str) -> bool:
    """Whether a module imports where nights lie, or spells it."""
    if "night" not in source:
        return False
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "schemas.night_places":
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NIGHTS in node.value:
            return True
    return False


def test_the_keeper_names_nothing_but_the_copy() -> None:
    names = {
        alias.name
        for path in (ROOT / "actors" / "pool_keeper").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "schemas.night_places"
        for alias in node.names
    }

    assert names == {"SNAPSHOT_FILE", "SNAPSHOT_NOTE", "inputs_folder"}
