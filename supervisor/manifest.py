"""The manifest of a new run, and what decides the bits of floating-point results on this machine.

In: the resolved configuration, the name of the input set, the seats. Out: `RunManifest`, frozen before the first
process starts. The wall clock is read once, here.
"""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from schemas.isolation import Rung
from schemas.manifest import Fingerprint, RunManifest, Seat
from supervisor.configuration import Configuration
from supervisor.nursery import pinned_environment
from supervisor.runs import name_run


@dataclass(frozen=True)
class Protection:
    """What keeps the actors of a run from each other and from the rest of the machine."""

    isolation: Rung
    keys: Literal["curve", "none"]


def make_manifest(
    configuration: Configuration,
    inputs_sha256: str,
    seats: tuple[Seat, ...],
    ordinal: int,
    started_at: datetime,
    protection: Protection,
) -> RunManifest:
    """The manifest of the run with `ordinal` that begins at `started_at`."""
    moment = started_at.astimezone(UTC)
    return RunManifest(
        run_id=name_run(moment, ordinal),
        ordinal=ordinal,
        seed=configuration.settings.run.seed,
        seats=seats,
        settings=configuration.settings,
        config_sha256=configuration.sha256,
        inputs_sha256=inputs_sha256,
        started_at_ns=int(moment.timestamp() * 1_000_000) * 1000,
        fingerprint=take_fingerprint(),
        pinned_environment=pinned_environment(os.environ),
        isolation=protection.isolation,
        keys=protection.keys,
    )


def take_fingerprint() -> Fingerprint:
    """The CPU and the libraries of this machine; numpy is imported late, the commands that only look need none."""
    from importlib.metadata import version

    import numpy as np

    found = np.show_config(mode="dicts")
    simd = found["SIMD Extensions"]
    blas = found["Build Dependencies"]["blas"]
    return Fingerprint(
        cpu=_cpu_model(),
        machine=platform.machine(),
        python=platform.python_version(),
        numpy=np.__version__,
        simd=tuple(str(name) for name in (*simd.get("baseline", ()), *simd.get("found", ()))),
        blas=f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        oneiros=version("oneiros"),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
