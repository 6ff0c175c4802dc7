"""A run is verified, replayed and compared: what was altered is named, and what cannot be repeated here as well."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from actors.learner.trainer.reports.documents import json_schema
from supervisor.training.machine import REPEATED, repeat_elsewhere
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import TrainingManifest, read_manifest, sealed, write_manifest
from supervisor.training.verifying import place_of
from tests.supervisor.training.conftest import SMALL, Workshop

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "supervisor" / "training" / "training_manifest.schema.json"


def strip(folder: TrainingFolder) -> None:
    """Remove all but the manifest."""
    for path in folder.path.iterdir():
        if path != folder.manifest_file:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def change_facts(folder: TrainingFolder, **changes: object) -> None:
    """A manifest of another machine, sound in itself."""
    manifest = read_manifest(folder)
    facts = manifest.run.model_copy(update=changes)
    write_manifest(folder, sealed(facts, manifest.result, manifest.envelope))


def test_the_manifest_fits_its_schema_in_the_repository(workshop: Workshop, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        SCHEMA.write_text(json_schema(TrainingManifest))

    folder, _ = workshop.train()

    assert SCHEMA.read_text() == json_schema(TrainingManifest), "run: pytest tests/supervisor/training --update-golden"
    jsonschema.validate(json.loads(folder.manifest_file.read_bytes()), json.loads(SCHEMA.read_text()))


def test_a_replay_finds_every_hash_again_from_the_manifest_alone(workshop: Workshop) -> None:
    folder, tree = workshop.train()
    strip(folder)

    found = workshop.answer("replay", folder.run_id)

    assert found["identical"]
    assert {"weights", "step_log", "checkpoint", "train_summary.json", "val_summary.md"} <= set(found["same"])
    assert found["steps"] == tree["steps"]


def test_a_replay_elsewhere_in_another_world_gives_the_same_hashes(workshop: Workshop, tmp_path: Path) -> None:
    # the environment is another in everything, also in what OpenBLAS is told and in the names that files can have
    rng = np.random.default_rng(6)
    (workshop.folder / "d\u00e5ta").mkdir()
    images, labels = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), np.arange(60) % 3
    np.savez(workshop.folder / "d\u00e5ta" / "\u732b.npz", images=images, labels=labels)
    text = SMALL.replace('source = "digits"\nlimit = 160', 'source = "npz"\nroot = "d\u00e5ta/\u732b.npz"')
    folder, _ = workshop.train(workshop.write(text.replace('kind = "mlp"\nhidden = 12', 'kind = "cnn"\ndropout = 0.2')))
    strip(folder)
    far = tmp_path / "far"
    far.mkdir()
    world = {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PATH": os.environ["PATH"],
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "0",
        "TZ": "Asia/Tokyo",
    }

    done = subprocess.run(
        [sys.executable, "-m", "supervisor.cli", "train", "replay", str(folder.path), "--json"],
        cwd=far,
        env=world,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["identical"]


def test_a_process_that_was_started_to_repeat_a_run_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REPEATED, "1")

    assert repeat_elsewhere({"blas_core": "Abacus"}, ["--version"]) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"machine": {"numpy": "1.0"}}, "machine.blas"),
        ({"dataset_digest": "0" * 64}, "dataset_digest"),
    ],
)
def test_what_cannot_be_repeated_here_is_named_with_exit_code_5(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], field: str
) -> None:
    folder, _ = workshop.train()
    change_facts(folder, **changes)
    monkeypatch.setenv(REPEATED, "1")

    code, _, error = workshop.do("replay", folder.run_id)

    assert code == 5
    assert f"not replayable here: {field}" in error


def test_a_plugin_whose_source_changed_is_named_with_exit_code_5(workshop: Workshop) -> None:
    plugin = workshop.folder / "mine.py"
    plugin.write_text("VERSION = 1\n")
    folder, _ = workshop.train(workshop.write('plugins = ["mine.py"]\n' + SMALL))
    assert workshop.do("replay", folder.run_id)[0] == 0
    plugin.write_text("VERSION = 2\n")

    code, _, error = workshop.do("replay", folder.run_id)

    assert code == 5
    assert "plugins.mine.py" in error


def test_a_result_that_was_written_over_is_refused_and_not_taken_for_a_divergence(workshop: Workshop) -> None:
    folder, tree = workshop.train()
    content = folder.manifest_file.read_text()
    folder.manifest_file.write_text(content.replace(tree["weights_sha256"], "0" * 64))

    code, _, error = workshop.do("replay", folder.run_id)

    assert code == 3
    assert "was altered" in error
    assert workshop.do("verify", folder.run_id)[0] == 1
    assert workshop.answer("list")["runs"][0]["status"] == "damaged"


def test_another_result_in_a_sound_manifest_is_a_divergence_that_names_the_step(workshop: Workshop) -> None:
    folder, _ = workshop.train()
    other, _ = workshop.train(workshop.write(lr="lr = 0.06"))
    theirs = read_manifest(other)
    shutil.copy(other.steps_file, folder.steps_file)
    manifest = read_manifest(folder)
    write_manifest(folder, sealed(manifest.run, theirs.result, manifest.envelope))

    found = workshop.answer("replay", folder.run_id, code=4)

    assert not found["identical"]
    assert found["first_differing"] == {"line": 1, "epoch": 0, "step": 0}
    assert {"weights", "step_log"} <= set(found["differing"])


@pytest.mark.parametrize("line", [0, 2, 5, 9])
def test_a_flipped_byte_of_the_log_is_named_by_its_step(workshop: Workshop, line: int) -> None:
    folder, _ = workshop.train()
    batches = read_manifest(folder).run.batches_per_epoch
    lines = folder.steps_file.read_bytes().split(b"\n")
    content = bytearray(lines[line])
    content[20] ^= 1
    lines[line] = bytes(content)
    folder.steps_file.write_bytes(b"\n".join(lines))

    found = workshop.answer("verify", folder.run_id, code=1)

    place = place_of(line, batches)
    assert found["first_differing"] == {"line": line + 1, "epoch": place.epoch, "step": place.step}
    assert str(place) in workshop.do("verify", folder.run_id)[1]


def test_a_place_in_the_log_is_a_step_or_the_end_of_an_epoch() -> None:
    assert str(place_of(0, 4)) == "step 0 of epoch 0"
    assert str(place_of(4, 4)) == "the end of epoch 0"
    assert str(place_of(6, 4)) == "step 5 of epoch 1"


def test_every_file_that_is_altered_or_missing_is_named(workshop: Workshop) -> None:
    folder, _ = workshop.train()
    assert workshop.answer("verify", folder.run_id)["ok"]
    checkpoint = folder.checkpoints / read_manifest(folder).result.checkpoint  # type: ignore[union-attr]
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(bytes(content))
    (folder.reports / "train_summary.json").write_text("{}")
    (folder.reports / "val_summary.md").unlink()
    folder.steps_file.write_bytes(b"".join(folder.steps_file.read_bytes().splitlines(keepends=True)[:-1]))

    faults = {fault["file"]: fault["reason"] for fault in workshop.answer("verify", folder.run_id, code=1)["faults"]}

    assert set(faults) == {
        f"checkpoints/{checkpoint.name}",
        "reports/train_summary.json",
        "reports/val_summary.md",
        "steps.jsonl",
    }
    assert faults["reports/val_summary.md"] == "is missing"


def test_the_same_configuration_compares_as_identical_and_another_by_its_settings(workshop: Workshop) -> None:
    first, _ = workshop.train()
    second, _ = workshop.train()
    third, _ = workshop.train(workshop.write(lr="lr = 0.06"))

    same = workshop.answer("compare", first.run_id, second.run_id)
    code, out, _ = workshop.do("compare", first.run_id, third.run_id, "--json")
    other = json.loads(out)

    assert same["identical"]
    assert same["settings"] == {}
    assert other["settings"] == {"optimizer.lr": [0.05, 0.06]}
    assert other["first_differing"] == {"line": 1, "epoch": 0, "step": 0}
    assert code == (1 if other["flagged"] else 0)


def test_the_same_configuration_with_other_bits_is_a_finding(workshop: Workshop) -> None:
    first, _ = workshop.train()
    second, _ = workshop.train()
    manifest = read_manifest(second)
    assert manifest.result is not None
    result = manifest.result.model_copy(update={"weights_sha256": "0" * 64})
    write_manifest(second, sealed(manifest.run, result, manifest.envelope))

    assert workshop.do("compare", first.run_id, second.run_id)[0] == 1


def test_a_class_that_pays_is_flagged_between_two_runs_of_equal_accuracy(workshop: Workshop) -> None:
    first, _ = workshop.train()
    second, _ = workshop.train()
    path = second.reports / "validation_metrics.json"
    tree = json.loads(path.read_bytes())
    confusion = tree["test"]["confusion"]
    worse = next(number for number, row in enumerate(confusion) if row[number] > 0)
    better = next(number for number, row in enumerate(confusion) if number != worse and sum(row) > row[number])
    confusion[worse][worse] -= 1
    confusion[worse][better] += 1
    wrong = next(place for place, count in enumerate(confusion[better]) if place != better and count)
    confusion[better][wrong] -= 1
    confusion[better][better] += 1
    path.write_text(json.dumps(tree))

    found = workshop.answer("compare", first.run_id, second.run_id, code=1)

    assert found["drift"]["test"]["accuracy_shift"] == 0.0
    names = tree["class_names"]
    assert {f"test: {names[worse]}", f"test: {names[better]}"} <= set(found["flagged"])
