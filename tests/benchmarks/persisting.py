"""How fast raw tensors reach the pool, against a raw append of the same bytes in the same run.

In: nothing. Out: one JSON object: for each fsync policy and groups of 8 and of 32 tensors, the rates of both, their
ratio (the median of several rounds, each with a pool of its own), the median, the 99th percentile and the longest of
all commits. Run: `make bench BENCH=persisting`. Exit code 1 when a target is missed. The raw part is `os.write` of the
same bytes, in policy `power` with an fdatasync a group; it and the pool take turns group by group, so that both see the
same machine. All of a round counts, checkpoints too, as under load without an idle moment; zstd and the tensor's own
SHA-256 are not part of it. `--all` measures the layout `sqlite` as well.
"""

import argparse
import hashlib
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

from actors.pool_keeper.connection import Layout, StoreSettings
from actors.pool_keeper.store import PoolStore
from bus.core import MessageRef, StepPosition
from schemas.dreams import DreamEntry
from schemas.ids import derived_id

MIB = 1024 * 1024
RAW_BYTES = 64 * 64 * 8 * 3 * 4
GROUPS = (8, 32)
ROUNDS = 7
TENSORS = 768
TARGET_RATIOS = {"power": 0.85, "process": 0.6}
TARGET_P99_MS = 50.0


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
            tensor_sha256=hashlib.sha256(number.to_bytes(8, "little")).digest(),
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
        if settings.is_power_safe:
            os.fdatasync(raw)
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


def measure(folder: Path, settings: StoreSettings, group: int) -> dict[str, float]:
    """Medians of several rounds, and the slowest commits of all."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".bench-") as scratch:
            rounds.append(fill(Path(scratch), settings, group))
    commits_ms = sorted(ms for each in rounds for ms in each.commits_ms)
    return {
        "raw_per_s": round(statistics.median(each.raw_per_s for each in rounds)),
        "pool_per_s": round(statistics.median(each.pool_per_s for each in rounds)),
        "ratio": round(statistics.median(each.pool_per_s / each.raw_per_s for each in rounds), 3),
        "commit_ms": round(statistics.median(commits_ms), 2),
        "commit_p99_ms": round(commits_ms[len(commits_ms) * 99 // 100], 1),
        "longest_commit_ms": round(commits_ms[-1], 1),
    }


def targets_of(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float | bool]]:
    """What is asked of the figures, and whether it is reached."""
    targets: dict[str, dict[str, float | bool]] = {}
    for policy, least in TARGET_RATIOS.items():
        name = f"{policy}_groups_of_{GROUPS[-1]}"
        ratio, p99 = figures[name]["ratio"], figures[name]["commit_p99_ms"]
        targets[f"{name}_ratio"] = {"figure": ratio, "at_least": least, "ok": ratio >= least}
        targets[f"{name}_commit_p99_ms"] = {"figure": p99, "at_most": TARGET_P99_MS, "ok": p99 <= TARGET_P99_MS}
    return targets


def settings_of(policy: str, layout: Layout) -> StoreSettings:
    """The shipped settings of the pool, under a policy and a layout."""
    engine = Path(__file__).parents[2] / "config" / "engine.toml"
    pool = tomllib.loads(engine.read_text())["pool"]
    return StoreSettings(
        run_id="20260101T000000Z-0001",
        page_size_bytes=pool["page_size_bytes"],
        checkpoint_bytes=pool["checkpoint_mib"] * MIB,
        is_power_safe=policy == "power",
        layout=layout,
        segment_bytes=pool["blob_segment_mib"] * MIB,
        compact_below=pool["compact_below"],
    )


def main() -> int:
    """Print one JSON object; 1 when the shipped configuration misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help="the layout `sqlite` as well")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to write (default: here)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that nothing is left behind
    figures = {
        f"{policy}_groups_of_{group}": measure(arguments.folder, settings_of(policy, "segments"), group)
        for policy in TARGET_RATIOS
        for group in GROUPS
    }
    others = {
        f"sqlite_{policy}_groups_of_{group}": measure(arguments.folder, settings_of(policy, "sqlite"), group)
        for policy in TARGET_RATIOS
        for group in GROUPS
        if arguments.all
    }
    targets = targets_of(figures)
    print(json.dumps({**figures, **others, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
