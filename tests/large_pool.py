"""A pool of a million dreams for other benchmarks, and what a keeper needs to open it.

In: a folder, a number of dreams; or, on the command line, the home of such a pool. Out: the pool, made by SQL in one
go, with blobs of a hundred bytes that are no tensors; or one JSON object with the seconds until it answers a query and
the memory that this took at most. Run by `starting` and `evicting`, in a process of its own for its memory.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np

from actors.pool_keeper.columns import SOURCES, Signature
from actors.pool_keeper.connection import POOL_FILE
from actors.pool_keeper.ranking import rank
from actors.pool_keeper.rows import INSERT_DREAM, INSERT_SIGNATURE
from actors.pool_keeper.store import PoolStore
from tests.benchmarks.persisting import settings_of
from tests.benchmarks.retrieving import asked
from tests.random_pools import DAY_NS, NOW_NS

CHUNK = 50_000
BLOB = bytes(100)


def make(home: Path, dreams: int) -> None:
    """A pool of so many dreams of uniform colours."""
    PoolStore(home, settings_of("process", "segments")).close()
    generator = np.random.Generator(np.random.Philox(key=7))
    rows = _signatures(dreams, generator)
    with closing(sqlite3.connect(home / POOL_FILE)) as pool:
        pool.execute("PRAGMA synchronous = OFF")
        pool.execute("PRAGMA cache_size = -400000")
        while chunk := list(islice(rows, CHUNK)):
            pool.executemany(INSERT_SIGNATURE, chunk)
            pool.executemany(
                INSERT_DREAM,
                (
                    (
                        row.sequence, row.id, row.ts, row.red, row.green, row.blue, row.coherence, 0.1, row.entropy,
                        row.source, row.lineage_root, 0, "[]", "[]", None, "[]", None, 64, 64, 8,
                        "20260101T000000Z-0001", "dreamer", 1, row.sequence, row.sha256, '{"schema_version":1}', BLOB,
                    )
                    for row in chunk
                ),
            )  # fmt: skip
            pool.commit()


def _signatures(count: int, generator: np.random.Generator) -> Iterator[Signature]:
    """Dreams of thirty days; half of them descend from an earlier one."""
    coherences = (0.5 + 0.5 * generator.random(count)).tolist()
    ages = np.sort(generator.integers(0, 30 * DAY_NS, count))[::-1].tolist()
    ids = [str(UUID(int=int(high) << 64 | int(low))) for high, low in generator.integers(0, 2**63, (count, 2)).tolist()]
    roots = np.where(generator.random(count) < 0.5, np.arange(count), generator.integers(0, np.arange(count) + 1))
    for row, (red, green, blue) in enumerate(generator.random((count, 3)).tolist()):
        yield Signature(
            row + 1, ids[row], NOW_NS - ages[row], red, green, blue, coherences[row], 1.0 - coherences[row],
            SOURCES[row % len(SOURCES)], ids[roots[row]], hashlib.sha256(b"%d" % row).digest(), len(BLOB),
        )  # fmt: skip


def open_one(home: Path) -> dict[str, float]:
    """Seconds on the clock and on a processor until the pool answers, and the most memory on top of the imports."""
    generator = np.random.Generator(np.random.Philox(key=3))
    query = asked(generator, {})
    before = _peak_mb()
    began, began_cpu = time.perf_counter(), time.process_time()
    store = PoolStore(home, settings_of("process", "segments"))
    opened, opened_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    rank(store.atlas, query)
    answered = time.perf_counter() - began
    peak = _peak_mb()
    store.close()
    return {
        "open_s": opened,
        "open_cpu_s": opened_cpu,
        "first_answer_s": answered,
        "peak_mb": peak - before,
    }


def _peak_mb() -> float:
    """The most memory that this program has had; getrusage would count what its parent had."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.stdout.write(json.dumps(open_one(Path(sys.argv[1]))))
