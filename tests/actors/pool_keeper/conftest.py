"""Dreams, queries and a keeper to say things to."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper import rows, schema
from actors.pool_keeper.column_keeping import WORTH_ROWS
from actors.pool_keeper.columns import Columns, Signature
from actors.pool_keeper.connection import POOL_FILE, StoreSettings
from actors.pool_keeper.core import PoolKeeper
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.store import PoolStore
from bus.core import Cursor, MessageRef, Outcome, Received, StepPosition
from schemas.base import Message
from schemas.dreams import Ancestor, DreamEntry
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery
from schemas.tensor import encode

RUN = "20260101T000000Z-0001"
DAY_NS = 86_400 * 10**9
NOW_NS = 1_767_225_600 * 10**9

SETTINGS = StoreSettings(
    RUN,
    page_size_bytes=4096,
    checkpoint_bytes=1024 * 1024,
    is_power_safe=False,
    layout="segments",
    segment_bytes=256 * 1024,
    compact_below=0.5,
)

MakeDream = Callable[..., DreamEntry]


def make_dream(number: int, tensor_of: int | None = None, **changes: Any) -> DreamEntry:
    """Dream `number`; `tensor_of` gives it the tensor of another number."""
    generator = np.random.Generator(np.random.Philox(key=number if tensor_of is None else tensor_of))
    blob, sha256 = encode(generator.random((4, 4, 2, 3), dtype=np.float32))
    facts = np.random.Generator(np.random.Philox(key=number + 10_000))
    dream_id = derived_id("dream", number)
    coherence = changes.pop("coherence", float(facts.random()))
    fields: dict[str, Any] = {
        "id": dream_id,
        "timestamp_ns": NOW_NS - number * DAY_NS // 7,
        "source": ("factoid", "image", "pool", "random")[number % 4],
        "factoid_ids": (derived_id("fact", number),) if number % 4 == 0 else (),
        "image_id": derived_id("picture", number) if number % 4 == 1 else None,
        "parents": (),
        "lineage_root": dream_id,
        "generation": 0,
        "ancestry": (Ancestor(source="random", ancestor_id=None, share=1.0, split="none"),),
        "coherence": coherence,
        "energy": float(facts.random()),
        "chroma_signature": tuple(facts.random(3).tolist()),
        "spectral_entropy": 1.0 - coherence,
        "shape": (4, 4, 2),
        "tensor_sha256": sha256,
        "metadata_json": json.dumps({"schema_version": 1, "seed": number}),
        "profile_id": None,
        "tensor_blob": blob,
    }
    return DreamEntry(**(fields | changes))


def make_large_dream(number: int, **changes: Any) -> DreamEntry:
    """Dream `number` with a tensor too large for its row: about 45 KB."""
    generator = np.random.Generator(np.random.Philox(key=number))
    blob, sha256 = encode(generator.random((32, 32, 4, 3), dtype=np.float32))
    return make_dream(number, tensor_blob=blob, tensor_sha256=sha256, shape=(32, 32, 4), **changes)


def make_query(**changes: Any) -> RetrievalQuery:
    """A plain ranking query; no filter, no decay, nothing explored."""
    fields: dict[str, Any] = {
        "query_id": derived_id("query", 1),
        "k": 8,
        "mode": "cosine",
        "query_signature": (0.2, 0.5, 0.7),
        "min_coherence": None,
        "max_entropy": None,
        "recency_decay": None,
        "allow_duplicates": True,
        "seed": 12345,
        "as_of_ns": NOW_NS,
        "alpha": 0.6,
        "exploration": 0.0,
    }
    return RetrievalQuery(**(fields | changes))


def make_columns(rows: list[dict[str, Any]]) -> Columns:
    """Columns of rows that name what matters: colour, coherence, age_days, root, tensor, name."""
    columns = Columns()
    for number, row in enumerate(rows, start=1):
        name = row.get("name", f"dream {number}")
        coherence = row.get("coherence", 0.5)
        dream_id = row.get("id", derived_id(name))
        columns.extend(
            [
                Signature(
                    number,
                    dream_id,
                    NOW_NS - round(row.get("age_days", 0) * DAY_NS),
                    *row["colour"],
                    coherence,
                    row.get("entropy", 1.0 - coherence),
                    "image",
                    derived_id(row.get("root", name)),
                    hashlib.sha256(row.get("tensor", name).encode()).digest(),
                    100,
                )
            ]
        )
    return columns


def make_old_pool(home: Path, dreams: list[Any]) -> None:
    """A pool as version 1 wrote it: every blob in its row."""
    (home / POOL_FILE).parent.mkdir(parents=True)
    with closing(sqlite3.connect(home / POOL_FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        schema.migrate(connection, 0, schema.MIGRATIONS[:1])
        for sequence, entry in enumerate(dreams, start=1):
            origin = MessageRef("dreamer", 1, sequence)
            connection.execute(rows.INSERT_DREAM, rows.dream_row(entry, sequence, RUN, origin, entry.tensor_blob))
            connection.execute(rows.INSERT_SIGNATURE, rows.signature_of(entry, sequence))
        record = "INSERT INTO feedback VALUES (?, ?, 0.25, 0.5, 1, 'learner', 'b', NULL, ?)"
        connection.execute(record, (dreams[0].id, derived_id("q", 1), RUN))
        connection.execute(record, (dreams[0].id, derived_id("q", 2), RUN))
        connection.execute("COMMIT")


class Keeper:
    """A pool-keeper in a home folder, driven as the host drives it."""

    def __init__(
        self,
        home: Path,
        run: str = RUN,
        gate: float | None = None,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        worth_rows: int = WORTH_ROWS,
        **settings: Any,
    ) -> None:
        self.home = home
        self.told: list[str] = []
        self.store = PoolStore(
            home, replace(SETTINGS, run_id=run, **settings), tell=self.told.append, worth_rows=worth_rows
        )
        self.core = PoolKeeper(self.store, gate, budget)
        self.step = self.store.position().step if self.store.position() else 0
        self.cursors = dict(self.store.cursors())

    def say(self, message: Message, sender: str = "learner", now_ns: int = NOW_NS) -> Outcome:
        """Let the core handle `message`, without a commit."""
        self.step += 1
        at = self.cursors.get(sender, Cursor(1, 0))
        self.cursors[sender] = Cursor(1, at.seq + 1)
        return self.core.handle(Received(MessageRef(sender, 1, at.seq + 1), message), now_ns)

    def dream(self, *dreams: DreamEntry) -> None:
        """Store dreams and commit; each must be accepted."""
        for dream in dreams:
            assert self.say(dream, "dreamer").refusal is None
        self.commit()

    def commit(self) -> None:
        """Commit as the host does after a batch."""
        self.store.commit(StepPosition(1, self.step), self.cursors)

    def ask(self, message: Message, sender: str = "learner") -> Any:
        """The one reply to `message`, committed."""
        outcome = self.say(message, sender)
        self.commit()
        return outcome.sends[0].message

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines of an interface log."""
        path = self.home / "logs" / "interface" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def dream() -> MakeDream:
    return make_dream


@pytest.fixture
def large_dream() -> MakeDream:
    return make_large_dream


@pytest.fixture
def make_version_1() -> Callable[[Path, list[DreamEntry]], None]:
    return make_old_pool


@pytest.fixture
def query() -> Callable[..., RetrievalQuery]:
    return make_query


@pytest.fixture
def columns() -> Callable[[list[dict[str, Any]]], Columns]:
    return make_columns


@pytest.fixture
def open_keeper(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    """Opens keepers, by default in one home; closes what is left open."""
    opened: list[Keeper] = []

    def open_one(home: Path | None = None, **options: Any) -> Keeper:
        keeper = Keeper(home or tmp_path / "home", **options)
        opened.append(keeper)
        return keeper

    yield open_one
    for keeper in opened:
        keeper.store.close()


@pytest.fixture
def keeper(open_keeper: Callable[..., Keeper]) -> Keeper:
    return open_keeper()
