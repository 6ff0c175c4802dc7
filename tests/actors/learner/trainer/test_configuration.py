"""A training configuration is read once, strictly; equal content has an equal hash (seed 002, III, IV.1, V, VIII)."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.learner.trainer.configuration.hashing import canonical_bytes, config_hash
from actors.learner.trainer.configuration.loading import config_from_canonical, config_of, load_config, open_config
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.splitting import split
from schemas.errors import SettingsError

ROOT = Path(__file__).parents[4]

TOML = """
[meta]
name = "digits, é"
version = "1.10"
seed = 7
[data]
source = "digits"
normalise = "standard"
[data.split]
train = 0.7
val = 0.2
test = 0.1
[model]
kind = "mlp"
hidden = 32
[optimizer]
kind = "sgd"
lr = 1
[training]
epochs = 3
[reports]
plots = false
"""
YAML = """
# another order, another spelling of the same
reports: {plots: false}
training:
  epochs: 3
optimizer: {kind: sgd, lr: 1.0}
model:
  kind: "mlp"
  hidden: 32
data:
  source: digits
  normalise: standard
  split: {test: 1e-1, val: 0.2, train: .7}
meta: {seed: 7, name: "digits, é", version: "1.10"}
"""


def tree(**sections: object) -> dict[str, object]:
    """The least that a configuration needs, with changes."""
    least: dict[str, object] = {
        "meta": {"name": "a", "seed": 1},
        "data": {"source": "digits"},
        "model": {"kind": "mlp"},
        "optimizer": {"kind": "sgd"},
    }
    return {**least, **sections}


def problems(given: object) -> str:
    with pytest.raises(SettingsError) as caught:
        config_of(given)
    return str(caught.value)


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_toml_and_yaml_of_the_same_content_have_the_same_hash(tmp_path: Path) -> None:
    by_toml = load_config(written(tmp_path, "a.toml", TOML))
    by_yaml = load_config(written(tmp_path, "b.yaml", YAML))

    assert canonical_bytes(by_toml) == canonical_bytes(by_yaml)
    assert config_hash(by_toml, "ab") == config_hash(by_yaml, "ab")


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("meta", {"name": "a", "seed": 2}),
        ("data", {"source": "digits", "normalise": "none"}),
        ("model", {"kind": "mlp", "hidden": 129}),
        ("optimizer", {"kind": "sgd", "lr": 0.1000000000000001}),
        ("schedule", {"kind": "cosine"}),
        ("tokenizer", {"kind": "chromatic"}),
        ("dreams", {"seed": 1}),
    ],
)
def test_any_changed_value_changes_the_hash(section: str, change: dict[str, object]) -> None:
    before = config_hash(config_of(tree()), "ab")

    assert config_hash(config_of(tree(**{section: change})), "ab") != before


def test_hash_covers_the_splits_as_well() -> None:
    config = config_of(tree())

    assert config_hash(config, "ab") != config_hash(config, "ba")


def test_a_default_that_is_written_out_changes_nothing_and_every_default_is_recorded() -> None:
    short = config_of(tree())
    long = config_of(json.loads(canonical_bytes(short)))

    assert canonical_bytes(short) == canonical_bytes(long)
    recorded = json.loads(canonical_bytes(short))
    assert recorded["optimizer"]["momentum"] == short.optimizer.momentum  # type: ignore[attr-defined]
    assert recorded["training"]["threads"] == 1
    assert recorded["data"]["split"] == {"train": 0.8, "val": 0.1, "test": 0.1}
    assert recorded["loss"] == {"kind": "cross-entropy"}


def test_canonical_bytes_are_sorted_json_without_spaces() -> None:
    content = canonical_bytes(config_of(tree()))

    assert content == json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode()


def test_the_hash_is_the_same_in_another_folder_locale_time_zone_and_hash_seed(tmp_path: Path) -> None:
    path = written(tmp_path, "a.toml", TOML)
    program = (
        "import sys; from pathlib import Path\n"
        "from actors.learner.trainer.configuration.hashing import config_hash\n"
        "from actors.learner.trainer.configuration.loading import load_config\n"
        "from actors.learner.trainer.datasets.kinds import load_dataset\n"
        "from actors.learner.trainer.datasets.place import Place\n"
        "from actors.learner.trainer.datasets.splitting import split\n"
        "config = load_config(Path(sys.argv[1]))\n"
        "dataset = load_dataset(config.data, Place(Path(), config.meta.seed))\n"
        "print(config_hash(config, split(dataset, config.data.split, config.meta.seed).digest))\n"
    )
    other = {"PYTHONHASHSEED": "77", "LC_ALL": "C", "TZ": "Asia/Tokyo", "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=tmp_path, env=other, capture_output=True, text=True, check=True
    )

    config = load_config(path)
    dataset = load_dataset(config.data, Place(tmp_path, config.meta.seed))
    assert done.stdout.strip() == config_hash(config, split(dataset, config.data.split, config.meta.seed).digest)


def test_canonical_bytes_come_back_as_the_same_configuration(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "a.toml", TOML))
    content = canonical_bytes(config)

    again = config_from_canonical(content, tmp_path)

    assert again.config == config
    assert again.sha256 == hashlib.sha256(content).hexdigest()


def test_every_problem_is_told_at_once_with_what_was_meant() -> None:
    text = problems(
        tree(
            meta={"name": "a", "sede": 1},
            optimiser={},
            data={"source": "digit"},
            model={"kind": "mpl"},
            optimizer={"kind": "sgd", "learning_rate": 0.1, "lr": -1.0},
            training={"batch_size": 0},
        )
    )

    for expected in (
        "[optimiser]: unknown section; did you mean optimizer?",
        "meta.sede: unknown key; did you mean seed?",
        "meta.seed: is missing",
        "data.source: 'digit' is no known kind; did you mean digits?",
        "model.kind: 'mpl' is no known kind; did you mean mlp?",
        "optimizer.learning_rate: unknown key",
        "optimizer.lr: -1.0 does not fit",
        "training.batch_size: 0 does not fit",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"optimizer": {"kind": "sgd", "lr": 0}}, "optimizer.lr"),
        ({"optimizer": {"kind": "sgd", "lr": float("nan")}}, "optimizer.lr"),
        ({"optimizer": {"kind": "adamw", "lr": float("inf")}}, "optimizer.lr"),
        ({"training": {"epochs": 1.5}}, "training.epochs"),
        ({"training": {"epochs": True}}, "training.epochs"),
        ({"training": {"threads": 2}}, "training.threads"),
        ({"meta": {"name": "a", "seed": -1}}, "meta.seed"),
        ({"meta": {"name": "a", "seed": 2**63}}, "meta.seed"),
        ({"meta": {"name": "a\nb", "seed": 1}}, "without control characters"),
        ({"data": {"source": "digits", "split": {"train": 0.9, "val": 0.2, "test": 0.1}}}, "add up to 1"),
        ({"data": {"source": "digits", "split": {"train": 0.0, "val": 0.5, "test": 0.5}}}, "train is 0"),
        ({"data": {"source": "digits", "split": {"tran": 0.9}}}, "data.split.tran: unknown key; did you mean train?"),
        ({"data": {"source": "npz", "root": "~/a.npz"}}, "write the folder out"),
        ({"data": {}}, "data.source: is missing; known are dicom, digits, folders, idx, npz, patches"),
        ({"data": 3}, "data: is no section"),
        ({"model": None}, "[model] is missing"),
        ({"plugins": "one"}, "plugins"),
        ({"plugins": [3]}, "plugins[0]"),
        ({"reports": {"keep_days": "90"}}, "reports.keep_days: '90' does not fit"),
    ],
)
def test_wrong_values_are_refused_by_their_key(sections: dict[str, object], expected: str) -> None:
    assert expected in problems(tree(**sections))


@pytest.mark.parametrize("given", [None, [], "text", 3])
def test_what_is_no_table_is_refused(given: object) -> None:
    assert "holds no sections" in problems(given)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.toml", "[meta\n", "is not TOML"),
        ("a.toml", "x = 1\nx = 2\n", "is not TOML"),
        ("a.toml", b"\xff\xfe", "is not UTF-8"),
        ("a.toml", "x = " + "[" * 5000, "a.toml: is n"),
        ("a.yaml", "meta: [\n", "is not YAML"),
        ("a.yaml", "meta: &x {seed: 1}\ndata: *x\n", "anchors and aliases are not allowed"),
        ("a.yaml", "meta: 1\nmeta: 2\n", "the key is there twice"),
        ("a.yaml", "reports: {plots: yes}\n", "reports.plots: 'yes' does not fit"),
        ("a.yaml", "", "the file"),
        ("a.json", "{}", "ends in .toml, .yaml or .yml"),
        ("a.toml", b"#" * (1024 * 1024 + 1), "at most 1048576 are read"),
    ],
)
def test_broken_files_are_refused_with_the_reason(tmp_path: Path, name: str, text: str | bytes, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_config(written(tmp_path, name, text))

    assert expected in str(caught.value)


@pytest.mark.parametrize("name", ["missing.toml", "folder.toml"])
def test_a_file_that_is_none_is_refused_by_its_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.toml").mkdir()

    with pytest.raises(SettingsError, match=name):
        load_config(tmp_path / name)


def test_editing_the_file_leaves_the_configuration_as_it_was_and_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "a.toml", TOML)
    loaded = open_config(path)
    before = canonical_bytes(loaded.config)
    assert not loaded.is_changed()

    path.write_text(TOML.replace("seed = 7", "seed = 8"), encoding="utf-8")

    assert loaded.is_changed()
    assert canonical_bytes(loaded.config) == before
    path.unlink()
    assert loaded.is_changed()


def test_a_configuration_cannot_be_changed_after_it_was_read() -> None:
    config = config_of(tree())

    with pytest.raises(ValueError, match="frozen"):
        config.meta.seed = 2  # type: ignore[misc]
