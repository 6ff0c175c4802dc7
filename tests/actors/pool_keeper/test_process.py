"""The actor as the host builds it from a run manifest."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper.__main__ import build
from bus.core import MessageRef, Received, Started, StepPosition
from bus.launch import ActorStart
from schemas.manifest import Fingerprint, RunManifest, Seat
from schemas.settings import EngineSettings

CONFIG = Path(__file__).parents[3] / "config" / "engine.toml"


def start_in(home: Path, threshold: float | str) -> ActorStart:
    table = tomllib.loads(CONFIG.read_text())
    table["pool"]["coherence_threshold"] = threshold
    seat = Seat(instance="pool-keeper", role="pool-keeper")
    manifest = RunManifest(
        run_id="20260101T000000Z-0001",
        ordinal=1,
        seed=42,
        seats=(seat,),
        settings=EngineSettings.model_validate(table),
        config_sha256="",
        inputs_sha256="",
        started_at_ns=0,
        fingerprint=Fingerprint(cpu="", machine="", python="", numpy="", simd=(), blas="", oneiros=""),
        pinned_environment=(),
        isolation="none",
        keys="none",
    )
    return ActorStart(home, manifest, seat)


@pytest.mark.parametrize(("threshold", "is_refused"), [(0.5, True), ("calibrated", False)])
def test_a_number_in_the_settings_is_the_gate(tmp_path: Path, dream: Any, threshold: float, is_refused: bool) -> None:
    # seed 000, section 12.1: cfg.pool.coherence_threshold
    actor = build(start_in(tmp_path, threshold))
    assert actor.store is not None

    greeting = actor.core.handle(Started(1), 1)
    weak = dream(1, coherence=0.4)
    outcome = actor.core.handle(Received(MessageRef("dreamer", 1, 1), weak), 2)
    actor.store.commit(StepPosition(1, 2), {})
    actor.store.close()

    assert [note.level for note in greeting.notes] == ["info"]
    assert (outcome.refusal is not None) == is_refused
    assert (tmp_path / "pool" / "dream_pool.sqlite").is_file()


def test_a_snapshot_is_empty_because_the_store_is_the_state(tmp_path: Path, dream: Any) -> None:
    actor = build(start_in(tmp_path, "calibrated"))
    assert actor.store is not None
    actor.core.handle(Received(MessageRef("dreamer", 1, 1), dream(1)), 2)
    actor.store.commit(StepPosition(1, 1), {})
    snapshot, figures = actor.core.snapshot(), dict(actor.core.figures())
    actor.store.close()

    again = build(start_in(tmp_path, "calibrated"))
    again.core.restore(snapshot)

    assert snapshot == b""
    assert dict(again.core.figures()) == figures
    assert again.store is not None
    again.store.close()
