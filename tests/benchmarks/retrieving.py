"""How fast a query is answered from a thousand to a million dreams, against a numpy scan of the same columns.

In: nothing. Out: one JSON object: for each size and kind of colours (uniform, clustered) the medians and 99th
percentiles of queries in every mode, beside the scan (float64, same scores and filters, no lineage rule) in the same
run; rows that were scored; bytes of memory a dream; the cost of a new dream; seconds from SQLite to a pool that
answers, beside the bare reading of the same rows. Run: `make bench BENCH=retrieving`. Exit code 1 when a target is
missed. Times are those on a processor: waiting for one is not part of them. Each task has its scans right before its
queries. `--large` adds ten million dreams.
"""

import argparse
import hashlib
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.columns import SOURCES, Columns, Signature
from actors.pool_keeper.connection import POOL_FILE, StoreSettings
from actors.pool_keeper.ranking import rank
from actors.pool_keeper.rows import SELECT_SIGNATURES
from actors.pool_keeper.store import PoolStore
from schemas.ids import derived_id
from schemas.retrieval import RetrievalQuery
from tests.brute_force import passing_rows, scores_of

DAY_NS = 86_400 * 10**9
NOW_NS = 1_767_225_600 * 10**9
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LARGE = 10_000_000
QUERIES = 200
SCANS = 10
INSERTS = 2_000
CHUNK = 100_000
TARGETS = {
    "composite_p50_ms": 0.35,
    "composite_p99_ms": 0.5,
    "touched_share": 0.004,
    "bytes_a_dream": 150.0,
    "start_s": 2.5,
}
"""Upper bounds at a million dreams of uniform colours."""
TASKS: dict[str, dict[str, object]] = {
    "composite": {},
    "composite_slow_decay": {"recency_decay": 0.02},
    "composite_k64": {"k": 64},
    "composite_explored": {"exploration": 0.1},
    "composite_rare": {"min_coherence": None, "max_entropy": 0.05},
    "cosine": {"mode": "cosine", "recency_decay": None},
    "cosine_decay": {"mode": "cosine"},
    "mixed": {"mode": "mixed"},
    "euclidean": {"mode": "euclidean", "recency_decay": None},
}


@dataclass(frozen=True)
class Colours:
    """Where dreams lie and queries ask."""

    kind: str
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]]


def colours(kind: str, count: int, generator: np.random.Generator) -> Colours:
    """`count` colours over the whole cube, or around forty centres."""
    if kind == "uniform":
        return Colours(kind, generator.random((count, 3)))
    centres = generator.random((40, 3))[generator.integers(0, 40, count)]
    return Colours(kind, np.clip(centres + 0.04 * generator.standard_normal((count, 3)), 0.0, 1.0))


def signatures(found: Colours, generator: np.random.Generator) -> Iterator[Signature]:
    """Dreams of thirty days; half of them descend from an earlier one."""
    count = len(found.values)
    coherences = (0.5 + 0.5 * generator.random(count)).tolist()
    ages = np.sort(generator.integers(0, 30 * DAY_NS, count))[::-1].tolist()
    ids = generator.integers(0, 2**63, (count, 2)).tolist()
    roots = np.where(
        generator.random(count) < 0.5, np.arange(count), generator.integers(0, np.arange(count) + 1)
    ).tolist()
    for row, (red, green, blue) in enumerate(found.values.tolist()):
        coherence = coherences[row]
        yield Signature(
            row + 1, _uuid(ids[row]), NOW_NS - ages[row], red, green, blue, coherence, 1.0 - coherence,
            SOURCES[row % len(SOURCES)], _uuid(ids[roots[row]]), hashlib.sha256(b"%d" % row).digest(), 393_216,
        )  # fmt: skip


def filled(rows: Iterator[Signature]) -> Columns:
    """Columns of `rows`."""
    columns = Columns()
    chunk: list[Signature] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            columns.extend(chunk)
            chunk.clear()
    columns.extend(chunk)
    return columns


def asked(found: Colours, task: dict[str, object], generator: np.random.Generator) -> RetrievalQuery:
    """A query for colours like those of the pool."""
    at = generator.random(3) if found.kind == "uniform" else found.values[generator.integers(0, len(found.values))]
    fields: dict[str, object] = {
        "query_id": derived_id("benchmark"),
        "k": 8,
        "mode": "composite",
        "query_signature": tuple(at.tolist()),
        "min_coherence": 0.7,
        "max_entropy": 0.8,
        "recency_decay": 0.48,
        "allow_duplicates": False,
        "seed": int(generator.integers(0, 2**63)),
        "as_of_ns": NOW_NS,
        "alpha": 0.6,
        "exploration": 0.0,
    }
    return RetrievalQuery.model_validate(fields | task)


def scan(columns: Columns, query: RetrievalQuery) -> object:
    """The best of all rows, without an index and without the lineage rule."""
    rows = passing_rows(columns, query)
    scores = scores_of(columns, query)["final"][rows]
    return rows[np.argpartition(scores, max(0, len(scores) - query.k))[-query.k :]] if len(rows) else rows


def timed(call: Callable[[], object]) -> tuple[float, object]:
    """Milliseconds of this thread on a processor, and what came back."""
    start = time.thread_time()
    result = call()
    return (time.thread_time() - start) * 1000, result


def measure(columns: Columns, atlas: Atlas, found: Colours) -> dict[str, dict[str, float]]:
    """Figures of every task."""
    figures: dict[str, dict[str, float]] = {}
    for name, task in TASKS.items():
        generator = np.random.Generator(np.random.Philox(key=11))
        queries = [asked(found, task, generator) for _ in range(QUERIES)]
        rank(atlas, queries[0])
        scans_ms = [timed(lambda query=query: scan(columns, query))[0] for query in queries[:SCANS]]  # type: ignore[misc]
        found_ms = [timed(lambda query=query: rank(atlas, query)) for query in queries]  # type: ignore[misc]
        answers_ms = [spent for spent, _ in found_ms]
        touched = [ranking.touched for _, ranking in found_ms]  # type: ignore[attr-defined]
        scan_ms = statistics.median(scans_ms)
        figures[name] = {
            "p50_ms": round(statistics.median(answers_ms), 3),
            "p99_ms": round(float(np.percentile(answers_ms, 99)), 3),
            "scan_ms": round(scan_ms, 2),
            "ratio": round(statistics.median(answers_ms) / scan_ms, 4),
            "touched_share": round(statistics.median(touched) / columns.count, 5),
        }
    return figures


def measure_pool(kind: str, count: int) -> dict[str, object]:
    """Figures of one pool."""
    generator = np.random.Generator(np.random.Philox(key=7))
    found = colours(kind, count, generator)
    rows = signatures(found, generator)
    columns = filled(rows)
    atlas = Atlas(columns)
    sort_ms = timed(lambda: atlas.cells_for("composite"))[0]
    tasks = measure(columns, atlas, found)
    bytes_a_dream = (columns.size_bytes + atlas.size_bytes) / count
    more = list(signatures(colours(kind, INSERTS, generator), generator))
    insert_ms = timed(lambda: [columns.extend([row._replace(sequence=count + row.sequence)]) for row in more])[0]
    return {
        "tasks": tasks,
        "bytes_a_dream": round(bytes_a_dream, 1),
        "columns_bytes_a_dream": round(columns.size_bytes / columns.count, 1),
        "sort_one_order_s": round(sort_ms / 1000, 3),
        "insert_us": round(insert_ms * 1000 / INSERTS, 1),
    }


def measure_start(count: int) -> dict[str, float]:
    """Seconds from a pool file with `count` dreams to the first answer, and those to read its rows bare."""
    generator = np.random.Generator(np.random.Philox(key=7))
    found = colours("uniform", count, generator)
    settings = StoreSettings(
        run_id="20260101T000000Z-0001",
        page_size_bytes=16384,
        checkpoint_bytes=64 * 1024 * 1024,
        is_power_safe=False,
        layout="segments",
        segment_bytes=64 * 1024 * 1024,
        compact_below=0.5,
    )
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch:
        PoolStore(Path(scratch), settings).close()
        with closing(sqlite3.connect(Path(scratch) / POOL_FILE)) as pool:
            pool.executemany("INSERT INTO signatures VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", signatures(found, generator))
            last = (
                count,
                "x",
                0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                "",
                "",
                0,
                "",
                "",
                None,
                "",
                None,
                0,
                0,
                0,
                "",
                "",
                0,
                0,
            )
            pool.execute(f"INSERT INTO dreams VALUES ({', '.join('?' * 27)})", (*last, b"", "", b""))
            pool.commit()
        start_ms = timed(lambda: _open_and_ask(Path(scratch), settings, asked(found, {}, generator)))[0]
        fetch_ms = timed(lambda: _read(Path(scratch) / POOL_FILE))[0]
    return {"start_s": round(start_ms / 1000, 2), "bare_reading_s": round(fetch_ms / 1000, 2)}


def _open_and_ask(home: Path, settings: StoreSettings, query: RetrievalQuery) -> None:
    store = PoolStore(home, settings)
    rank(store.atlas, query)
    store.close()


def _read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as pool:
        found = pool.execute(SELECT_SIGNATURES)
        while found.fetchmany(16384):
            pass


def targets_of(
    pool: dict[str, dict[str, dict[str, float]]], figures: dict[str, float]
) -> dict[str, dict[str, float | bool]]:
    """What is asked at a million dreams, and whether it is reached."""
    composite = pool["tasks"]["composite"]
    reached = {
        "composite_p50_ms": composite["p50_ms"],
        "composite_p99_ms": composite["p99_ms"],
        "touched_share": composite["touched_share"],
        **figures,
    }
    return {
        name: {"figure": reached[name], "at_most": most, "ok": reached[name] <= most} for name, most in TARGETS.items()
    }


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--large", action="store_true", help="ten million dreams too; takes some 3 GB and minutes")
    arguments = parser.parse_args()
    sizes = (*SIZES, LARGE) if arguments.large else SIZES
    pools = {f"{kind}_{size}": measure_pool(kind, size) for size in sizes for kind in ("uniform", "clustered")}
    whole: dict[str, object] = pools["uniform_1000000"]
    start = measure_start(SIZES[-1])
    reached = {"bytes_a_dream": whole["bytes_a_dream"], "start_s": start["start_s"]}
    targets = targets_of(whole, reached)  # type: ignore[arg-type]
    print(json.dumps({**pools, "start": start, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


def _uuid(halves: list[int]) -> str:
    text = f"{halves[0]:016x}{halves[1]:016x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


if __name__ == "__main__":
    raise SystemExit(main())
