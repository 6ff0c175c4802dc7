"""What else could answer a query: a scan in numpy, two databases, two libraries of vector indexes.

In: columns. Out: for each a way to ask it, how long it took to build, and how many bytes of its own it holds for a
dream; or the reason why it is left out. Scan and databases are asked for the composite score with its decay and its
filters. The vector indexes know neither: they are asked for the plain cosine, in float32. None knows the lineage rule.
All run on one thread.
"""

import importlib.util
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Literal, NamedTuple

import numpy as np

from actors.pool_keeper.columns import Columns, Integers
from schemas.retrieval import RetrievalQuery
from tests.brute_force import DAY_NS, passing_rows, scores_of

Asked = Literal["composite", "cosine"]
GRAPH_LIMIT = 2_000_000
"""Dreams above which building a graph takes longer than anybody waits."""
SQLITE_LIMIT = 2_000_000
EXPRESSION = (
    f"exp(-:decay * max(:as_of - ts, 0) / {DAY_NS}.0) * (:alpha * (red * :red + green * :green + blue * :blue)"
    " / (sqrt(red * red + green * green + blue * blue) * :length) + (1 - :alpha) * coherence)"
)
SELECT = (
    "SELECT number FROM dreams WHERE coherence >= :least AND entropy <= :most"
    f" ORDER BY {EXPRESSION} DESC, ts DESC LIMIT :k"
)


class Anchor(NamedTuple):
    """Something to compare with."""

    name: str
    asked: Asked
    ask: Callable[[RetrievalQuery], list[int]]
    build_s: float
    bytes_a_dream: float


class Missing(NamedTuple):
    """Something that is not there."""

    name: str
    why: str


def anchors(columns: Columns) -> Iterator[Anchor | Missing]:
    """All of them, one after the other; each can be dropped before the next is built."""
    yield Anchor("numpy scan, float64", "composite", lambda query: scan(columns, query), 0.0, 0.0)
    for name, package, make, most in (
        ("DuckDB, expression", "duckdb", _duckdb, None),
        ("SQLite, expression", "sqlite3", _sqlite, SQLITE_LIMIT),
        ("faiss flat, float32", "faiss", _faiss, None),
        ("hnswlib, float32", "hnswlib", _hnswlib, GRAPH_LIMIT),
    ):
        if importlib.util.find_spec(package) is None:
            wheel = "faiss-cpu" if package == "faiss" else package
            yield Missing(name, f"not installed: .venv/bin/python -m pip install {wheel}")
        elif most is not None and columns.count > most:
            yield Missing(name, f"left out above {most} dreams: it takes minutes")
        else:
            yield make(name, columns)


def scan(columns: Columns, query: RetrievalQuery) -> list[int]:
    """The best of all rows, without an index."""
    rows = passing_rows(columns, query)
    scores = scores_of(columns, query)["final"][rows]
    best = np.argpartition(scores, max(0, len(scores) - query.k))[-query.k :]
    return list(rows[best[np.lexsort((-columns.ts[rows[best]], -scores[best]))]].tolist())


def true_top(columns: Columns, query: RetrievalQuery, scores: Any, rows: Integers) -> list[int]:
    """The best k of `rows` by (score, newer, lower id), of a lineage one where the query wants that."""
    looked_at = min(len(rows), 8 * query.k + 64)
    cut = np.partition(scores[rows], len(rows) - looked_at)[len(rows) - looked_at] if looked_at else 0.0
    some = rows[scores[rows] >= cut]
    high, low = columns.ids[some].T
    ranked = some[np.lexsort((low, high, -columns.ts[some], -scores[some]))].tolist()
    taken: dict[int, int] = {}
    for row in ranked:
        taken.setdefault(row if query.allow_duplicates else int(columns.root[row]), row)
    return list(taken.values())[: query.k]


def recall(found: list[int], true: list[int]) -> float:
    """The share of the true ones that were found."""
    return len(set(found) & set(true)) / max(1, len(true))


def _values(query: RetrievalQuery) -> dict[str, float]:
    red, green, blue = query.query_signature
    return {
        "red": red, "green": green, "blue": blue, "length": float(np.sqrt(red * red + green * green + blue * blue)),
        "alpha": query.alpha, "decay": query.recency_decay or 0.0, "as_of": query.as_of_ns, "k": query.k,
        "least": query.min_coherence or 0.0, "most": 1.0 if query.max_entropy is None else query.max_entropy,
    }  # fmt: skip


def _table(columns: Columns) -> dict[str, Any]:
    names = ("red", "green", "blue", "coherence", "entropy", "ts")
    return {"number": np.arange(columns.count)} | {name: np.asarray(getattr(columns, name)) for name in names}


def _duckdb(name: str, columns: Columns) -> Anchor:
    import duckdb

    start = time.perf_counter()
    connection = duckdb.connect(":memory:", config={"threads": 1})
    table = _table(columns)
    fields = ", ".join(table)
    connection.register("arrays", table)
    connection.execute(f"CREATE TABLE dreams AS SELECT {fields} FROM arrays")
    connection.unregister("arrays")
    built = time.perf_counter() - start
    text = SELECT.replace(":", "$").replace("max($as_of - ts, 0)", "greatest($as_of - ts, 0)")

    def ask(query: RetrievalQuery) -> list[int]:
        return [number for (number,) in connection.execute(text, _values(query)).fetchall()]

    size = connection.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()[0]
    return Anchor(name, "composite", ask, built, size / columns.count)


def _sqlite(name: str, columns: Columns) -> Anchor | Missing:
    with closing(sqlite3.connect(":memory:")) as probe:
        try:
            probe.execute("SELECT exp(sqrt(1.0))")
        except sqlite3.OperationalError as error:
            return Missing(name, f"this SQLite has no mathematical functions: {error}")
    start = time.perf_counter()
    connection = sqlite3.connect(":memory:")
    table = _table(columns)
    connection.execute(f"CREATE TABLE dreams({', '.join(table)})")
    rows = zip(*(values.tolist() for values in table.values()), strict=True)
    connection.executemany(f"INSERT INTO dreams VALUES ({', '.join('?' * len(table))})", rows)
    built = time.perf_counter() - start
    pages = connection.execute("PRAGMA page_count").fetchone()[0] * connection.execute("PRAGMA page_size").fetchone()[0]

    def ask(query: RetrievalQuery) -> list[int]:
        return [number for (number,) in connection.execute(SELECT, _values(query))]

    return Anchor(name, "composite", ask, built, pages / columns.count)


def _directions(columns: Columns) -> Any:
    vectors = np.stack((columns.red, columns.green, columns.blue), axis=1).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _faiss(name: str, columns: Columns) -> Anchor:
    import faiss

    faiss.omp_set_num_threads(1)
    start = time.perf_counter()
    index = faiss.IndexFlatIP(3)
    index.add(_directions(columns))
    built = time.perf_counter() - start

    def ask(query: RetrievalQuery) -> list[int]:
        return list(index.search(_asked(query), query.k)[1][0].tolist())

    return Anchor(name, "cosine", ask, built, 12.0)


def _hnswlib(name: str, columns: Columns) -> Anchor:
    import hnswlib

    start = time.perf_counter()
    index = hnswlib.Index(space="ip", dim=3)
    index.init_index(max_elements=columns.count, M=16, ef_construction=100, random_seed=1)
    index.add_items(_directions(columns), num_threads=1)
    index.set_ef(128)
    index.set_num_threads(1)
    built = time.perf_counter() - start

    def ask(query: RetrievalQuery) -> list[int]:
        return list(index.knn_query(_asked(query), k=query.k, num_threads=1)[0][0].tolist())

    return Anchor(name, "cosine", ask, built, index.index_file_size() / columns.count)


def _asked(query: RetrievalQuery) -> Any:
    vector = np.array([query.query_signature], dtype=np.float32)
    return vector / np.linalg.norm(vector)
