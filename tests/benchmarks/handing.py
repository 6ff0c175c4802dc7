"""How long a batch of eight tensors takes from the pool to a learner beside it, in round trips of the same run.

In: nothing. Out: one JSON object with medians and 99th percentiles: a round trip of the bus (a request and its answer,
both journalled, nothing done); one to the pool-keeper with its pool (PoolStats); a batch of eight tensors of 393,216
raw bytes each, the first time that its dreams are handed and again; the same eight payloads read from the journal as
bytes instead of views; and what the learner then does with them on its own: zstd and SHA-256. Run: `make bench
BENCH=handing`. Exit code 1 when a target is missed. Pool-keeper and learner are two processes with real journals,
sockets and a real pool; the dreams come out of a dreamer's journal. Requests take turns one by one.
"""

import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from actors.pool_keeper.core import PoolKeeper
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.store import PoolStore
from bus.actor_log import ActorLog
from bus.core import Fired, Input, MessageRef, Outcome, Received, Send, SetTimer, Started
from bus.frame import FrameKind
from bus.journal import Journal, SegmentLimits
from bus.payloads import PayloadStore
from bus.randomness import UNTOUCHED
from bus.step import Numbering, StepRecord, encode_step
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.retrieval import BatchRequest, LearningBatch, PoolStats, PoolStatsRequest, RetrievalQuery, RetrievedSet
from schemas.tensor import decode, encode
from tests.benchmarks.messaging import make_loop, round_trip
from tests.benchmarks.persisting import settings_of

DREAMS = 256
BATCH = 8
ROUNDS = 400
RUNS = 3
QUERIES = 32
MOST_TRIPS = 2.0


def dreams() -> list[DreamEntry]:
    """Dreams of smooth colours with noise, as they come from a dreamer."""
    generator = np.random.Generator(np.random.Philox(key=5))
    made = []
    for number in range(DREAMS):
        tensor = generator.random((64, 64, 8, 3), dtype=np.float32)
        blob, sha256 = encode(tensor)
        name = derived_id("handing", number)
        colour = tensor.mean(axis=(0, 1, 2)).tolist()
        made.append(
            DreamEntry(
                id=name, timestamp_ns=number, source="random", factoid_ids=(), image_id=None, parents=(),
                lineage_root=name, generation=0, ancestry=(), coherence=0.5, energy=0.1,
                chroma_signature=(colour[0], colour[1], colour[2]), spectral_entropy=0.5, shape=(64, 64, 8),
                tensor_sha256=sha256, metadata_json='{"schema_version": 1}', profile_id=None, tensor_blob=blob,
            )
        )  # fmt: skip
    return made


def write_journal(home: Path, made: list[DreamEntry]) -> None:
    """The journal of a dreamer that said `made`."""
    journal = Journal(home / "journal" / "dreamer", {}, 1, "process", SegmentLimits(1 << 26, 1 << 62))
    journal.begin_segment(1, 1)
    numbering = Numbering(1)
    for step, dream in enumerate(made, start=1):
        out = numbering.outgoing("pool-keeper", dream)
        body, payloads = encode_step(StepRecord(Fired("dream"), UNTOUCHED, (out,), None))
        journal.add(FrameKind.STEP, step, 1, body, payloads)
        journal.flush()
    journal.close()


@dataclass
class Asker:
    """Asks for figures and for batches in turn, each as soon as the last is answered."""

    rounds: int
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    asked: int = 0
    began_s: float = 0.0
    answers: list[RetrievedSet] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    last: LearningBatch | None = None

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """What comes next."""
        match event:
            case Started():
                return Outcome(timers=[SetTimer("begin", 0.2)])
            case Fired():
                return self._say(PoolStatsRequest(request=0))
            case Received(message=PoolStats() as stats) if stats.dreams_total < DREAMS:
                return Outcome(timers=[SetTimer("begin", 0.2)])
            case Received(message=PoolStats()) if len(self.answers) < QUERIES:
                return self._say(self._query())
            case Received(message=RetrievedSet() as answer):
                self.answers.append(answer)
                return self._next("query") if len(self.answers) == QUERIES else self._say(self._query())
            case Received(message=PoolStats()):
                return self._next("keeper_trip")
            case Received(message=LearningBatch() as batch):
                if len(batch.tensors) != BATCH or batch.skipped:
                    raise RuntimeError(f"{len(batch.tensors)} tensors, {batch.skipped}")
                self.last = batch
                is_first = not self.seen.issuperset(batch.entry_ids)
                self.seen.update(batch.entry_ids)
                return self._next("first_batch" if is_first else "batch")
            case _:
                return Outcome()

    def _next(self, what: str) -> Outcome:
        self.seconds[what].append(time.perf_counter() - self.began_s)
        self.asked += 1
        if self.asked % 2:
            return self._say(PoolStatsRequest(request=self.asked))
        answer = self.answers[self.asked // 2 % QUERIES]
        ids = tuple(entry.facts.id for entry in answer.entries)
        return self._say(BatchRequest(query_id=answer.query_id, entry_ids=ids))

    def _say(self, message: PoolStatsRequest | BatchRequest | RetrievalQuery) -> Outcome:
        self.began_s = time.perf_counter()
        return Outcome(sends=[Send(message)])

    def _query(self) -> RetrievalQuery:
        """Eight dreams drawn from all, so that few are handed twice at first."""
        number = len(self.answers)
        return RetrievalQuery(
            query_id=derived_id("handing", "query", number), k=BATCH, mode="cosine", query_signature=(0.5, 0.5, 0.5),
            min_coherence=None, max_entropy=None, recency_decay=None, allow_duplicates=True, seed=number,
            as_of_ns=DREAMS, alpha=0.6, exploration=1.0,
        )  # fmt: skip

    def snapshot(self) -> bytes:
        """Nothing."""
        return b""

    def restore(self, data: bytes) -> None:
        """A benchmark is not restarted."""
        raise NotImplementedError

    def figures(self) -> dict[str, int]:
        """How far it is."""
        return {"asked": self.asked}


def be_keeper(home: Path, runtime: Path, pipe: Connection) -> None:
    """The pool-keeper's process."""
    store = PoolStore(home, settings_of("process", "segments"))
    loop = make_loop(home, runtime, "pool-keeper", PoolKeeper(store, None, Budget()), None, store)
    pipe.send("ready")
    turns = 0
    while (turns := turns + 1) % 64 or not pipe.poll(0):
        loop.inbox.wait(loop.patience_ms())
        loop.turn()


def be_learner(home: Path, runtime: Path, pipe: Connection) -> None:
    """The learner's process: times of every kind, and those of decoding the last batch."""
    asker = Asker(ROUNDS)
    loop = make_loop(home, runtime, "learner", asker, None)
    while asker.asked < 2 * asker.rounds:
        loop.inbox.wait(loop.patience_ms())
        loop.turn()
    if asker.last is None:
        raise RuntimeError("no batch came")
    for _ in range(20):
        start = time.perf_counter()
        for blob, shape, sha256 in zip(asker.last.tensors, asker.last.shapes, asker.last.tensor_sha256s, strict=True):
            decode(blob, shape, sha256)
        asker.seconds["decoding"].append(time.perf_counter() - start)
    asker.seconds["is_view"] = [float(isinstance(asker.last.tensors[0], memoryview))]
    pipe.send(dict(asker.seconds))


def read_bytes(home: Path) -> list[float]:
    """Seconds to read eight payloads from the dreamer's journal as bytes, checked there."""
    store, seconds = PayloadStore(home / "journal"), []
    for first in range(0, DREAMS, BATCH):
        start = time.perf_counter()
        for seq in range(first + 1, first + BATCH + 1):
            store.resolve(MessageRef("dreamer", 1, seq))
        seconds.append(time.perf_counter() - start)
    store.close()
    return seconds[1:]


def measure(made: list[DreamEntry]) -> dict[str, list[float]]:
    """One run."""
    home, runtime = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix=".bench-")), Path(tempfile.mkdtemp(prefix="one-"))
    try:
        write_journal(home, made)
        fork = multiprocessing.get_context("fork")
        (here, there), (ear, mouth) = fork.Pipe(), fork.Pipe()
        keeper = fork.Process(target=be_keeper, args=(home, runtime, there))
        learner = fork.Process(target=be_learner, args=(home, runtime, mouth))
        keeper.start()
        here.recv()
        learner.start()
        seconds: dict[str, list[float]] = ear.recv()
        here.send("done")
        for process in (keeper, learner):
            process.join()
        return {**seconds, "bytes": read_bytes(home), "trip": [round_trip(None)]}
    finally:
        shutil.rmtree(home)
        shutil.rmtree(runtime)


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    made = dreams()
    runs = [measure(made) for _ in range(RUNS)]
    names = ("trip", "keeper_trip", "first_batch", "batch", "bytes", "decoding")
    middle = {name: statistics.median(statistics.median(run[name]) for run in runs) for name in names}
    slow = {name: float(np.percentile([s for run in runs for s in run[name]], 99)) for name in names[1:4]}
    in_trips = statistics.median(statistics.median(run["batch"]) / run["trip"][0] for run in runs)
    in_keeper_trips = statistics.median(
        statistics.median(run["batch"]) / statistics.median(run["keeper_trip"]) for run in runs
    )
    figures = {
        **{f"{name}_us": round(value * 1e6, 1) for name, value in middle.items()},
        **{f"{name}_p99_us": round(value * 1e6, 1) for name, value in slow.items()},
        "batch_in_bus_round_trips": round(in_trips, 2),
        "batch_in_keeper_round_trips": round(in_keeper_trips, 2),
        "handed_as_views": all(run["is_view"] == [1.0] for run in runs),
    }
    targets = {"batch_in_keeper_round_trips": {"figure": round(in_keeper_trips, 2), "at_most": MOST_TRIPS}}
    reached = in_keeper_trips <= MOST_TRIPS and figures["handed_as_views"]
    print(json.dumps({**figures, "targets": targets | {"ok": reached}}, indent=1))
    return int(not reached)


if __name__ == "__main__":
    ActorLog.write = lambda *_, **__: None  # type: ignore[method-assign,assignment] - the figures alone
    raise SystemExit(main())
