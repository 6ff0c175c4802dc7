"""A home that a test writes by hand: a pool, interface logs, refusals and journals of one day."""

import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from actors.nightly_observer.collectors.reading import DayPaths, read_day
from actors.nightly_observer.day import Day, Tally
from actors.pool_keeper.night_copy import copy_pool
from actors.pool_keeper.rows import DREAM_COLUMNS, FACT_COLUMNS, INSERT_DREAM, INSERT_SIGNATURE
from actors.pool_keeper.schema import migrate
from schemas.bias import BiasProfile, BinWeight, SeedWeights
from schemas.ids import derived_id
from schemas.manifest import Fingerprint, RunManifest, Seat
from schemas.settings import EngineSettings
from schemas.tensor import encode
from tests.actors.nightly_observer.days import FROM_NS, TO_NS
from tests.written_run import START_NS, WrittenRun

ROOT = Path(__file__).parents[3]
RUN = "20300317T000000Z-0001"
NOON_NS = START_NS
SHAPE = (4, 4, 1)


def dream_id(number: int) -> str:
    """The id of a dream."""
    return derived_id("written", number)


class WrittenHome:
    """Writes what a night reads, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.snapshot = root / "snapshot.sqlite"
        self.run = WrittenRun(root / "journal" / RUN)
        (root / "pool").mkdir(parents=True)
        (root / "logs" / "interface").mkdir(parents=True)
        (root / "logs" / "refusals").mkdir(parents=True)
        with self.pool() as pool:
            migrate(pool, 0)
        self.lines: dict[str, int] = {}

    def pool(self) -> "closing[sqlite3.Connection]":
        """The pool, open; each statement is committed."""
        pool = sqlite3.connect(self.root / "pool" / "dream_pool.sqlite", isolation_level=None)
        pool.execute("PRAGMA synchronous = OFF")
        return closing(pool)

    def dream(self, sequence: int, ts_ns: int = NOON_NS, *, logged: bool = True, **changes: Any) -> None:
        """A dream in the pool, and in the log where it was stored when it was dreamt."""
        tensor = np.full((*SHAPE, 3), 0.25 + sequence / 1000, dtype=np.float32)
        blob, sha256 = encode(changes.pop("tensor", tensor))
        cells = {
            "sequence": sequence, "id": dream_id(sequence), "ts": ts_ns, "chroma_r": 0.5, "chroma_g": 0.25,
            "chroma_b": 0.75, "coherence": 0.6, "energy": 0.1, "spectral_entropy": 0.4, "source": "random",
            "lineage_root": dream_id(sequence), "generation": 0, "parents": "[]", "factoid_ids": "[]", "image_id": None,
            "ancestry": "[]", "profile_id": None, "tensor_rows": 4, "tensor_cols": 4, "tensor_layers": 1,
            "run_id": RUN, "origin_sender": "dreamer", "origin_epoch": 1, "origin_seq": sequence,
            "tensor_sha256": sha256, "metadata_json": "{}", "tensor_blob": blob, **changes,
        }  # fmt: skip
        signature = [cells[name] for name in ("sequence", "id", "ts", "chroma_r", "chroma_g", "chroma_b")]
        signature += [cells[name] for name in ("coherence", "spectral_entropy", "source", "lineage_root")]
        with self.pool() as pool:
            pool.execute(INSERT_DREAM, [cells[name] for name in DREAM_COLUMNS])
            pool.execute(INSERT_SIGNATURE, [*signature, sha256, len(blob)])
        if logged:
            self.log("persist", event="stored", ts_ns=ts_ns, sequence=sequence)

    def evict(self, sequence: int, ts_ns: int) -> None:
        """A dream leaves the pool."""
        facts = ", ".join(FACT_COLUMNS)
        with self.pool() as pool:
            cells = f"{facts}, length(tensor_blob), {ts_ns}, 1, '{RUN}'"
            sql = f"INSERT INTO tombstones SELECT {cells} FROM dreams WHERE sequence = ?"
            pool.execute(sql, (sequence,))
            for table in ("dreams", "signatures"):
                pool.execute(f"DELETE FROM {table} WHERE sequence = ?", (sequence,))

    def log(self, name: str, **fields: object) -> None:
        """A line of an interface log."""
        self.raw(name, json.dumps(fields, separators=(",", ":")).encode() + b"\n")

    def raw(self, name: str, data: bytes) -> None:
        """Bytes at the end of an interface log."""
        with (self.root / "logs" / "interface" / f"{name}.jsonl").open("ab") as log:
            log.write(data)

    def feedback(self, sequence: int, utility: float, ts_ns: int = NOON_NS, **changes: object) -> None:
        """A line of feedback that was stored."""
        number = self.lines["feedback"] = self.lines.get("feedback", 0) + 1
        fields: dict[str, object] = {
            "event": "stored", "ts_ns": ts_ns, "learner": "learner", "epoch": 1, "seq": number, "batch_id": "b",
            "query_id": derived_id("query", number), "entry_id": dream_id(sequence), "utility": utility,
            "contribution": number / 1000, "notes": None, "reason": None, **changes,
        }  # fmt: skip
        self.log("feedback", **fields)

    def answer(self, *sequences: int, ts_ns: int = NOON_NS) -> None:
        """A line of an answer."""
        ids = [dream_id(sequence) for sequence in sequences]
        self.log("retrieval", event="answered", ts_ns=ts_ns, learner="learner", entry_ids=ids)

    def refusal(self, kind: str, reason: str, ts_ns: int = NOON_NS, left_out_before: int = 0) -> None:
        """A line of a refusals file, as `bus.refusals` writes it."""
        line = {"ts_ns": ts_ns, "kind": kind, "reason": reason, "count": 1, "left_out_before": left_out_before}
        with (self.root / "logs" / "refusals" / "pool-keeper.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def manifest(self, run: str = RUN, started_at_ns: int = FROM_NS, **pool: object) -> None:
        """The manifest of a run."""
        raw = tomllib.loads((ROOT / "config" / "engine.toml").read_text())
        raw["pool"].update(pool)
        roles = ("dreamer", "bias-synthesizer", "safety-watchdog", "pool-keeper")
        manifest = RunManifest(
            run_id=run,
            ordinal=1,
            seed=7,
            seats=tuple(Seat(instance=role, role=role) for role in roles),
            settings=EngineSettings.model_validate(raw),
            config_sha256="",
            inputs_sha256="",
            started_at_ns=started_at_ns,
            fingerprint=Fingerprint(cpu="", machine="", python="", numpy="", simd=(), blas="", oneiros=""),
            pinned_environment=(),
            isolation="landlock+seccomp",
            keys="curve",
        )
        folder = self.root / "runs" / run
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(manifest.model_dump_json())

    def copy(self, tensor_bytes: int = 1 << 20) -> None:
        """Take the snapshot."""
        self.snapshot.unlink(missing_ok=True)
        copy_pool(self.root, self.snapshot, tensor_bytes, lambda connection: None)

    def read(self, from_ns: int = FROM_NS, to_ns: int = TO_NS) -> Day:
        """The day as a night reads it."""
        return read_day(DayPaths(self.root, self.snapshot), from_ns, to_ns)


def profile(number: int, step: float, bins: tuple[float, ...] = ()) -> BiasProfile:
    """A profile whose hue concentration and entropy window have moved by `step`."""
    return BiasProfile(
        profile_id=derived_id("profile", number),
        updated_at_ns=NOON_NS,
        chroma_prior=(0.5, 0.5, 0.5),
        hue_concentration=0.2 + step,
        entropy_window=(0.2 + step, 0.6 + step / 2),
        seed_weights=SeedWeights(factoid_weight=0.05, image_weight=0.85, pool_seed_weight=0.05, random_weight=0.05),
        bins=tuple(BinWeight(bin=at, weight=weight, count=1) for at, weight in enumerate(bins)),
        chroma_bins=24,
        exemplars=(),
        feedback_total=number,
    )


def tonight(day: Day, guard: str) -> Tally | None:
    """What a guard did in the day; None where nothing is kept of it."""
    return next((each.nights[-1] for each in day.guards if each.name == guard), None)


def problems(day: Day) -> dict[str, str]:
    """What is wrong with each source; of several things the last."""
    return {problem.source: problem.what for problem in day.problems}
