"""Seed 002: the trainer. Each test cites the section that it keeps; bits are compared, never distances."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import actors.learner.trainer.reports as reports
from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.loading import load_config, open_config
from actors.learner.trainer.model.backends import backend_of
from actors.learner.trainer.model.port import ImageShape
from actors.learner.trainer.registry import TOKENIZERS
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.tokenizer.settings import ChromaticSettings, TextSettings
from supervisor.cli import run_cli
from supervisor.training.preparing import prepare

CONFIG = """
[meta]
name = "seed two"
seed = 42
[data]
source = "digits"
limit = 200
[model]
kind = "MODEL"
dropout = 0.3
[optimizer]
kind = "adamw"
[training]
epochs = 2
[reports]
plots = false
"""
LEAKY = '''
"""A plug-in that breaks determinism on purpose: dropout from the system's entropy."""
import os
import numpy as np
from actors.learner.trainer.model.mlp import Mlp, shape_of, weights_of
from actors.learner.trainer.model.settings import MlpSettings
from actors.learner.trainer.registry import MODELS
from typing import Literal

class LeakySettings(MlpSettings):
    kind: Literal["leaky"] = "leaky"

class Leaky(Mlp):
    def step_gradients(self, images, targets, loss, stream, scale=1.0):
        unseeded = np.random.Generator(np.random.Philox(int.from_bytes(os.urandom(8), "big")))
        return super().step_gradients(images, targets, loss, unseeded, scale)

def build(settings, plan):
    shape = shape_of(settings, plan)
    return Leaky(shape, weights_of(shape, plan), settings.dropout)

MODELS.register("leaky", LeakySettings, build)
'''


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("MODEL", "mlp"))
    return path


def train(config: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run_cli(["train", str(config), "--home", str(home), "--json"]) == 0
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    return tree


def report(run: dict[str, Any], name: str) -> bytes:
    return (Path(run["folder"]) / "reports" / name).read_bytes()


def test_viii_configuration_consistency_the_config_hash_matches(config: Path, tmp_path: Path) -> None:
    yaml = tmp_path / "config.yaml"
    yaml.write_text(
        "meta: {name: seed two, seed: 42}\ndata: {source: digits, limit: 200}\nmodel: {kind: mlp, dropout: 0.3}\n"
        "optimizer: {kind: adamw}\ntraining: {epochs: 2}\nreports: {plots: false}\n"
    )
    splits = prepare(open_config(config), None).splits.digest

    first, again, other = (config_hash(load_config(path), splits) for path in (config, config, yaml))

    assert first == again == other
    assert first != config_hash(load_config(config), hashlib.sha256(b"other splits").hexdigest())


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_viii_model_initialization_the_weight_hash_is_deterministic(kind: str, config: Path) -> None:
    config.write_text(CONFIG.replace("MODEL", kind))
    settings = load_config(config).model
    images = ImageShape(8, 8, 1)

    first = backend_of("numpy").build(settings, images, 10, Streams(42)).weights_sha256
    np.random.Generator(np.random.Philox(1)).random(1000)  # draws in between move nothing
    again = backend_of("numpy").build(settings, images, 10, Streams(42)).weights_sha256

    assert first == again
    assert first != backend_of("numpy").build(settings, images, 10, Streams(43)).weights_sha256


def test_viii_tokenizer_round_trip_is_lossless() -> None:
    images = np.random.Generator(np.random.Philox(2)).integers(0, 256, (50, 7, 9, 3)).astype(np.uint8)
    chromatic, text = TOKENIZERS.build(ChromaticSettings()), TOKENIZERS.build(TextSettings())

    assert np.array_equal(chromatic.decode(chromatic.encode(images)), images)
    assert text.decode(text.encode("<CT> läsion 語 \U0001f9e0")) == "<CT> läsion 語 \U0001f9e0"


def test_viii_training_convergence_the_losses_of_two_runs_are_equal(config: Path, tmp_path: Path, capsys: Any) -> None:
    one, other = (train(config, tmp_path / name, capsys) for name in ("one", "other"))

    assert one["log_digest"] == other["log_digest"]
    assert one["weights_sha256"] == other["weights_sha256"]
    assert report(one, "training_metrics.json") == report(other, "training_metrics.json")


def test_viii_validation_output_the_accuracies_of_two_runs_are_equal(config: Path, tmp_path: Path, capsys: Any) -> None:
    one, other = (train(config, tmp_path / name, capsys) for name in ("one", "other"))

    assert one["test_accuracy"] == other["test_accuracy"]
    assert report(one, "validation_metrics.json") == report(other, "validation_metrics.json")
    assert report(one, "val_summary.md") == report(other, "val_summary.md")


def test_viii_report_export_every_json_file_fits_its_schema(config: Path, tmp_path: Path, capsys: Any) -> None:
    schemas = Path(str(reports.__file__)).parent / "json_schemas"
    run = train(config, tmp_path, capsys)

    for path in (Path(run["folder"]) / "reports").glob("*.json"):
        jsonschema.validate(
            json.loads(path.read_bytes()), json.loads((schemas / f"{path.stem}.schema.json").read_text())
        )


def test_viii_determinism_that_is_broken_on_purpose_is_found(config: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "leaky.py").write_text(LEAKY)
    config.write_text('plugins = ["leaky.py"]\n' + CONFIG.replace("MODEL", "leaky"))
    one, other = (train(config, tmp_path / name, capsys) for name in ("one", "other"))

    assert one["config_hash"] == other["config_hash"]
    assert one["weights_sha256"] != other["weights_sha256"]
    assert run_cli(["train", "replay", one["folder"], "--home", str(tmp_path)]) == 4
    assert run_cli(["train", "compare", one["folder"], other["folder"], "--home", str(tmp_path)]) == 1
    assert "the first differing step: step 0" in capsys.readouterr().out


def test_i_a_plug_in_adds_a_kind_and_old_runs_keep_their_hashes(config: Path, tmp_path: Path, capsys: Any) -> None:
    before = train(config, tmp_path / "before", capsys)
    (tmp_path / "mine.py").write_text(
        LEAKY.replace("leaky", "seeded")
        .replace("Leaky", "Seeded")
        .replace(
            'unseeded = np.random.Generator(np.random.Philox(int.from_bytes(os.urandom(8), "big")))',
            "unseeded = stream",
        )
    )
    added = tmp_path / "added.toml"
    added.write_text('plugins = ["mine.py"]\n' + CONFIG.replace("MODEL", "seeded"))

    mine, after = train(added, tmp_path / "mine", capsys), train(config, tmp_path / "after", capsys)

    assert mine["weights_sha256"] == before["weights_sha256"]
    assert mine["config_hash"] != before["config_hash"]
    assert after["manifest_sha256"] == before["manifest_sha256"]


def test_iv_5_and_ix_every_session_leaves_its_reports(config: Path, tmp_path: Path, capsys: Any) -> None:
    run = train(config, tmp_path, capsys)

    names = {path.name for path in (Path(run["folder"]) / "reports").iterdir()}
    assert {
        "session_summary.md",
        "train_summary.json",
        "training_metrics.csv",
        "training_metrics.json",
        "val_summary.md",
        "validation_metrics.json",
    } <= names


def test_x_a_stored_configuration_that_was_altered_is_refused(config: Path, tmp_path: Path, capsys: Any) -> None:
    run = train(config, tmp_path, capsys)
    path = Path(run["folder"]) / "manifest.json"
    path.write_text(path.read_text().replace('"dropout": 0.3', '"dropout": 0.2'))

    assert run_cli(["train", "replay", run["folder"], "--home", str(tmp_path)]) == 3
    assert "was altered" in capsys.readouterr().err
