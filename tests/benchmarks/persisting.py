"""How fast raw tensors reach the pool, against a raw append of the same bytes in the same run.

In: nothing. Out: one JSON object: for groups of 8 and of 32 tensors, the rates of both, their ratio (the median of
several rounds, each with a pool of its own) and the longest commit of all. Run: `make bench BENCH=persisting`. Exit
code 1 when a target is missed. The raw part is `os.write` of the same bytes; it and the pool take turns group by group,
so that both see the same machine. All of a round counts, checkpoints too, as under load without an idle moment; zstd
and the tensor's own SHA-256 are not part of it. `--all` compares page sizes and checkpoint sizes.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from actors.pool_keeper.store import PoolStore, StoreSettings
from bus.core import MessageRef, StepPosition
from schemas.dreams import DreamEntry
from schemas.ids import derived_id

MIB = 1024 * 1024
RAW_BYTES = 64 * 64 * 8 * 3 * 4
GROUPS = (8, 32)
ROUNDS = 7
TENSORS = 768
TARGET_RATIO = 0.15
TARGET_STALL_MS = 200.0


@dataclass(frozen=True)
class Round:
    """One pool, filled beside a raw file."""

    raw_per_s: float
    pool_per_s: float
    commits_ms: list[float]


def entries() -> Iterator[DreamEntry]:
    """Dreams with 393,216 raw bytes each; no two blobs are equal."""
    generator = np.random.Generator(np.random.Philox(key=7))
    base = generator.bytes(RAW_BYTES)
    number = 0
    while True:
        number += 1
        dream_id = derived_id("benchmark", number)
        coherence = generator.random()
        red, green, blue = generator.random(3).tolist()
        yield DreamEntry(
            id=dream_id,
            timestamp_ns=number,
            source="image",
            factoid_ids=(),
            image_id=None,
            parents=(),
            lineage_root=dream_id,
            generation=0,
            ancestry=(),
            coherence=coherence,
            energy=0.1,
            chroma_signature=(red, green, blue),
            spectral_entropy=1.0 - coherence,
            shape=(64, 64, 8),
            tensor_sha256=number.to_bytes(32, "little"),
            metadata_json='{"schema_version": 1}',
            profile_id=None,
            tensor_blob=number.to_bytes(8, "little") + base[8:],
        )


def fill(folder: Path, settings: StoreSettings, group: int) -> Round:
    """Store `TENSORS` tensors in groups, taking turns with the raw append."""
    store = PoolStore(folder, settings)
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    source = entries()
    raw_s = pool_s = 0.0
    commits_ms: list[float] = []
    for step in range(TENSORS // group):
        dreams = list(islice(source, group))
        start = time.perf_counter()
        for dream in dreams:
            os.write(raw, dream.tensor_blob)
        raw_s += time.perf_counter() - start
        start = time.perf_counter()
        for dream in dreams:
            store.add_dream(dream, MessageRef("dreamer", 1, step))
        before = time.perf_counter()
        store.commit(StepPosition(1, step), {})
        end = time.perf_counter()
        pool_s += end - start
        commits_ms.append((end - before) * 1000)
    os.close(raw)
    store.close()
    return Round(TENSORS / raw_s, TENSORS / pool_s, commits_ms)


def measure(folder: Path, page_size: int, checkpoint_mib: int, group: int) -> dict[str, float]:
    """Medians of several rounds, and the longest commit of all."""
    settings = StoreSettings("20260101T000000Z-0001", page_size, checkpoint_mib * MIB, is_power_safe=False)
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".bench-") as scratch:
            rounds.append(fill(Path(scratch), settings, group))
    return {
        "raw_per_s": round(statistics.median(each.raw_per_s for each in rounds)),
        "pool_per_s": round(statistics.median(each.pool_per_s for each in rounds)),
        "ratio": round(statistics.median(each.pool_per_s / each.raw_per_s for each in rounds), 3),
        "commit_ms": round(statistics.median(ms for each in rounds for ms in each.commits_ms), 2),
        "longest_commit_ms": round(max(ms for each in rounds for ms in each.commits_ms), 1),
    }


def targets_of(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float | bool]]:
    """What is asked of the figures, and whether it is reached."""
    targets: dict[str, dict[str, float | bool]] = {}
    for name, figure in figures.items():
        ratio, longest = figure["ratio"], figure["longest_commit_ms"]
        targets[f"{name}_ratio"] = {"figure": ratio, "at_least": TARGET_RATIO, "ok": ratio >= TARGET_RATIO}
        targets[f"{name}_longest_commit_ms"] = {
            "figure": longest,
            "at_most": TARGET_STALL_MS,
            "ok": longest <= TARGET_STALL_MS,
        }
    return targets


def main() -> int:
    """Print one JSON object; 1 when the shipped configuration misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help="page sizes 4096 to 65536, checkpoints of 32 to 128 MiB")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to write (default: here)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that nothing is left behind
    engine = Path(__file__).parents[2] / "config" / "engine.toml"
    pool = tomllib.loads(engine.read_text())["pool"]
    figures = {
        f"groups_of_{group}": measure(arguments.folder, pool["page_size_bytes"], pool["checkpoint_mib"], group)
        for group in GROUPS
    }
    others = {
        f"page_{page_size}_checkpoint_{mib}_groups_of_{group}": measure(arguments.folder, page_size, mib, group)
        for page_size in (4096, 16384, 32768, 65536)
        for mib in (32, 64, 96, 128)
        for group in GROUPS
        if arguments.all
    }
    targets = targets_of(figures)
    print(json.dumps({**figures, **others, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
