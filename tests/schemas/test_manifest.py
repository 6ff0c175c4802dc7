"""A manifest that an earlier version wrote is read as what it was: a run without keys and without a box."""

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.manifest import Fingerprint, RunManifest, Seat
from schemas.settings import EngineSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manifest() -> RunManifest:
    return RunManifest(
        run_id="20260101T000000Z-0001",
        ordinal=1,
        seed=7,
        seats=(Seat(instance="dreamer", role="dreamer"),),
        settings=EngineSettings.model_validate(tomllib.loads((ROOT / "config" / "engine.toml").read_text())),
        config_sha256="",
        inputs_sha256="",
        started_at_ns=0,
        fingerprint=Fingerprint(cpu="", machine="", python="", numpy="", simd=(), blas="", oneiros=""),
        pinned_environment=(("OMP_NUM_THREADS", "1"),),
        isolation="landlock+seccomp",
        keys="curve",
    )


def test_a_manifest_is_read_as_it_was_written(manifest: RunManifest) -> None:
    assert RunManifest.from_json(manifest.model_dump_json()) == manifest


def test_a_manifest_from_before_keys_and_boxes_says_that_there_were_none(manifest: RunManifest) -> None:
    old = json.loads(manifest.model_dump_json())
    del old["keys"], old["settings"]["supervisor"]["isolation"], old["settings"]["supervisor"]["strongest_box"]
    old["isolation"] = "none"

    read = RunManifest.from_json(json.dumps(old))

    assert (read.isolation, read.keys) == ("none", "none")
    assert (read.settings.supervisor.isolation, read.settings.supervisor.strongest_box) == ("best-effort", "none")
    assert read.settings.dreamer == manifest.settings.dreamer


NO_MANIFESTS = [
    *("", "[]", "3", "{", "[" * 100_000),
    *('{"run_id": 4}', '{"settings": 5}', '{"settings": {"supervisor": 5}}', '{"settings": [1]}'),
    b"\xff\xfe{",
]


@pytest.mark.parametrize("text", NO_MANIFESTS, ids=lambda text: repr(text[:20]))
def test_what_is_no_manifest_is_refused_as_what_callers_expect(text: str | bytes) -> None:
    with pytest.raises(ValidationError):
        RunManifest.from_json(text)
