"""How fast raw tensors reach the pool, against a raw append of the same bytes in the same run.

In: nothing. Out: one line per page size, checkpoint size and group size: tensors a second, the ratio to `os.write` of
the same bytes, and the longest commit. Run: `python -m tests.benchmarks.persisting [--all]`. The raw part and the pool
take turns group by group, so that both see the same machine. Both rates are those of all groups together; every
checkpoint happens inside a commit and counts, as under load without an idle moment. zstd and the tensor's own SHA-256
are not part of it.
"""

import argparse
import os
import statistics
import tempfile
import time
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
DEFAULT = (65536, 32)
GROUPS = (8, 32)
TENSORS = 768
TARGET_RATIO = 0.15
TARGET_STALL_MS = 200.0


@dataclass(frozen=True)
class Result:
    """One configuration, measured."""

    page_size: int
    checkpoint_mib: int
    group: int
    raw_per_s: float
    pool_per_s: float
    median_ms: float
    longest_ms: float

    def line(self) -> str:
        """For people."""
        ratio = self.pool_per_s / self.raw_per_s
        is_good = ratio >= TARGET_RATIO and self.longest_ms < TARGET_STALL_MS
        return (
            f"page {self.page_size:>6}  checkpoint {self.checkpoint_mib:>3} MiB  groups of {self.group:>2}:"
            f"  raw {self.raw_per_s:>6.0f}/s  pool {self.pool_per_s:>5.0f}/s  ratio {ratio:.2f}"
            f"  commit median {self.median_ms:>5.1f} ms, longest {self.longest_ms:>6.1f} ms"
            f"  {'ok' if is_good else 'MISSED'}"
        )


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


def measure(folder: Path, page_size: int, checkpoint_mib: int, group: int) -> Result:
    """Store `TENSORS` tensors in groups, taking turns with the raw append."""
    settings = StoreSettings("20260101T000000Z-0001", page_size, checkpoint_mib * MIB, is_power_safe=False)
    store = PoolStore(folder, settings)
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    source = entries()
    raw_s: list[float] = []
    pool_s: list[float] = []
    commit_s: list[float] = []
    for step in range(TENSORS // group):
        dreams = list(islice(source, group))
        start = time.perf_counter()
        for dream in dreams:
            os.write(raw, dream.tensor_blob)
        raw_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        for dream in dreams:
            store.add_dream(dream, MessageRef("dreamer", 1, step))
        before = time.perf_counter()
        store.commit(StepPosition(1, step), {})
        end = time.perf_counter()
        pool_s.append(end - start)
        commit_s.append(end - before)
    os.close(raw)
    store.close()
    return Result(
        page_size,
        checkpoint_mib,
        group,
        TENSORS / sum(raw_s),
        TENSORS / sum(pool_s),
        statistics.median(commit_s) * 1000,
        max(commit_s) * 1000,
    )


def main() -> None:
    """Print the default configuration, or with --all every one that was considered."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help="page sizes 4096 to 65536, checkpoints of 8 to 32 MiB")
    parser.add_argument("--folder", type=Path, help="where to write (default: a temporary folder)")
    arguments = parser.parse_args()
    pages = (4096, 8192, 16384, 32768, 65536) if arguments.all else (DEFAULT[0],)
    checkpoints = (8, 16, 32) if arguments.all else (DEFAULT[1],)
    for page_size in pages:
        for checkpoint_mib in checkpoints:
            for group in GROUPS:
                with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                    print(measure(Path(folder), page_size, checkpoint_mib, group).line(), flush=True)


if __name__ == "__main__":
    main()
