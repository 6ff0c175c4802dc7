"""One altered byte in any file of a run is found by `verify`, which names the file; nothing is taken for granted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.learner.trainer.configuration.loading import open_config
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.training.conducting import CHANGED, OTHER_PROGRAM, Company, Told, begin, go_on
from supervisor.training.pairing import train_both, write_comparison
from supervisor.training.preparing import prepare
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import read_manifest, sealed, write_manifest
from supervisor.training.verifying import verify
from tests.supervisor.training.conftest import SMALL, Workshop
from tests.supervisor.training.test_dreams import DREAMING, loaded_of, pinned

PLACES = 5
"""Bytes of each file that are altered, from its first to its last."""


def altered(path: Path, bit: int = 0x01) -> Iterator[int]:
    """The file with one byte altered, at one place after the other, and then as it was."""
    content = path.read_bytes()
    for number in range(PLACES):
        place = (len(content) - 1) * number // (PLACES - 1)
        wrong = bytearray(content)
        wrong[place] ^= bit
        path.write_bytes(wrong)
        yield place
    path.write_bytes(content)


def check_every_file(folder: TrainingFolder, expected: set[str]) -> None:
    assert not verify(folder).faults
    files = {str(path.relative_to(folder.path)): path for path in folder.path.rglob("*") if path.stat().st_size}
    files = {name: path for name, path in files.items() if path.is_file()}
    assert expected <= files.keys()

    for name, path in files.items():
        for bit in (0x01, 0x80):
            for place in altered(path, bit):
                faults = verify(folder).faults
                assert any(fault.file.endswith(path.name) for fault in faults), (name, place, bit, faults)
    assert not verify(folder).faults


def test_one_altered_byte_in_any_file_is_named(workshop: Workshop) -> None:
    text = SMALL.replace("[model]", '[tokenizer]\nkind = "chromatic"\n\n[model]').replace("limit = 160", "limit = 60")

    folder, _ = workshop.train(workshop.write(text))

    check_every_file(folder, {"manifest.json", "steps.jsonl", "tokens.jsonl", "reports/report_manifest.json"})
    assert len(list(folder.checkpoints.iterdir())) == 2


def test_one_altered_byte_in_dreams_judgements_or_the_comparison_of_the_arms_is_named(workshop: Workshop) -> None:
    loaded, home = loaded_of(workshop.folder, DREAMING.replace("limit = 160", "limit = 60")), Home(workshop.home)
    pins, _ = pinned(prepare(loaded, None))
    found, done = train_both(loaded, pins, [5], lambda one, given: begin(one, home, Company(), given))
    write_comparison(found, done)

    check_every_file(done[0].folder, {"data/dreams.bin", "feedback.jsonl", "dream_comparison.json"})


@pytest.mark.parametrize("key", ["logical_date", "base", "host"])
def test_what_the_envelope_says_has_a_checksum_and_is_no_part_of_the_hash(workshop: Workshop, key: str) -> None:
    folder, tree = workshop.train()
    text = folder.manifest_file.read_text()
    at = text.index(f'"{key}": "') + len(f'"{key}": "')

    folder.manifest_file.write_text(f"{text[:at]}{'0' if text[at] != '0' else '1'}{text[at + 1 :]}")

    assert read_manifest(folder).sha256 == tree["manifest_sha256"]
    faults = workshop.answer("verify", folder.run_id, code=1)["faults"]
    assert [fault["reason"] for fault in faults] == ["its envelope was altered"]


def test_altered_dreams_stop_a_replay_before_any_step(workshop: Workshop) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    folder = begin(loaded, home, Company(), pinned(prepare(loaded, None))[0]).folder
    content = bytearray(folder.dreams_file.read_bytes())
    content[-1] ^= 1
    folder.dreams_file.write_bytes(content)

    code, _, error = workshop.do("replay", folder.run_id)

    assert code == 3
    assert "data/dreams.bin: pinned dreams: the file was altered" in error


def stopped(workshop: Workshop, stop_after) -> TrainingFolder:
    """A run as a kill leaves it: no result yet, and a last line that was not finished."""
    loaded, home = open_config(workshop.write()), Home(workshop.home)
    folder = begin(loaded, home, Company(should_stop=stop_after(3))).folder
    manifest = read_manifest(folder)
    write_manifest(folder, sealed(manifest.run, None, manifest.envelope))
    with folder.steps_file.open("ab") as file:
        file.write(b'{"batch":9,"ba')
    return folder


def test_a_line_that_a_killed_writer_left_is_no_damage_and_going_on_writes_it_anew(
    workshop: Workshop, stop_after
) -> None:
    folder = stopped(workshop, stop_after)

    found = workshop.answer("verify", folder.run_id)

    assert found["ok"]
    assert any("is cut" in note for note in found["notes"])
    assert workshop.train(workshop.write(), "--resume")[1]["manifest_sha256"] == workshop.train()[1]["manifest_sha256"]


def test_rows_that_a_checkpoint_counts_and_that_were_altered_stop_a_run_from_going_on(
    workshop: Workshop, stop_after
) -> None:
    folder = stopped(workshop, stop_after)
    content = folder.steps_file.read_bytes()
    folder.steps_file.write_bytes(content.replace(b'"step":1', b'"step":7', 1))

    code, _, error = workshop.do(workshop.write(), "--resume")

    assert code == 3
    assert "steps.jsonl: line 2" in error


def test_a_run_that_goes_on_with_another_program_says_so(workshop: Workshop, stop_after) -> None:
    loaded, home = open_config(workshop.write()), Home(workshop.home)
    folder = begin(loaded, home, Company(should_stop=stop_after(3))).folder
    manifest = read_manifest(folder)
    facts = manifest.run.model_copy(update={"code_sha256": "sha256:0000000000000000"})
    write_manifest(folder, sealed(facts, manifest.result, manifest.envelope))

    assert go_on(loaded, home, folder, Company()).manifest.envelope.notes == (OTHER_PROGRAM,)


def test_a_file_that_goes_away_during_the_run_is_noted(workshop: Workshop) -> None:
    path = workshop.write()
    loaded = open_config(path)

    def remove(_told: Told) -> None:
        path.unlink(missing_ok=True)

    assert begin(loaded, Home(workshop.home), Company(tell=remove)).manifest.envelope.notes == (CHANGED,)


def reseal(folder: TrainingFolder, facts: dict[str, object], result: dict[str, object]) -> None:
    """A manifest that says something else, under a hash that fits."""
    manifest = read_manifest(folder)
    assert manifest.result is not None
    run, told = manifest.run.model_copy(update=facts), manifest.result.model_copy(update=result)
    write_manifest(folder, sealed(run, told, manifest.envelope))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"config_sha256": "0" * 64}, "its configuration was altered"),
        ({"config_hash": "0" * 64}, "configuration and splits are not those of its config hash"),
        ({"splits_digest": "0" * 64}, "configuration and splits are not those of its config hash"),
    ],
)
def test_a_manifest_whose_own_hashes_disagree_is_run_by_nobody(
    workshop: Workshop, facts: dict[str, object], said: str
) -> None:
    folder, _ = workshop.train()
    reseal(folder, facts, {})

    code, _, error = workshop.do("replay", folder.run_id)

    assert code == 3
    assert said in error
    assert workshop.do("verify", folder.run_id)[0] == 1


def test_a_manifest_in_another_form_is_not_what_was_written(workshop: Workshop) -> None:
    folder, _ = workshop.train()
    folder.manifest_file.write_text(json.dumps(json.loads(folder.manifest_file.read_text())))

    assert "not in canonical form" in workshop.do("verify", folder.run_id)[1]


def test_sound_files_of_another_state_are_told_from_those_of_the_run(workshop: Workshop) -> None:
    folder, _ = workshop.train()
    older, newest = sorted(folder.checkpoints.iterdir())
    content = newest.read_bytes()

    newest.write_bytes(older.read_bytes())
    exchanged = workshop.do("verify", folder.run_id)[1]
    newest.write_bytes(content)
    reports = folder.reports / "report_manifest.json"
    reports.write_text(reports.read_text().replace("no key is configured", "no key was configured"))
    reworded = workshop.do("verify", folder.run_id)[1]
    reseal(folder, {}, {"weights_sha256": "0" * 64})
    other_weights = workshop.do("verify", folder.run_id)[1]

    assert f"checkpoints/{newest.name}: is sound and another than that of the run" in exchanged
    assert "reports/report_manifest.json: was altered" in reworded
    assert f"checkpoints/{newest.name}: holds other weights than those of the manifest" in other_weights


def test_a_signature_of_other_reports_does_not_verify(workshop: Workshop) -> None:
    pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
    workshop.do("keygen", workshop.folder / "key.pem")
    signing = 'plots = false\nsign_key = "key.pem"'
    mine, _ = workshop.train(workshop.write(plots=signing))
    other, _ = workshop.train(workshop.write(plots=signing, lr="lr = 0.06"))
    assert workshop.answer("verify", mine.run_id)["ok"]

    name = "report_manifest.sig.json"
    (mine.reports / name).write_bytes((other.reports / name).read_bytes())

    faults = workshop.answer("verify", mine.run_id, code=1)["faults"]
    assert faults == [{"file": f"reports/{name}", "reason": "does not sign report_manifest.json"}]


def test_a_run_goes_on_with_its_own_configuration_alone(workshop: Workshop, stop_after) -> None:
    home = Home(workshop.home)
    folder = begin(open_config(workshop.write()), home, Company(should_stop=stop_after(3))).folder

    with pytest.raises(UsageError, match="put the configuration back"):
        go_on(open_config(workshop.write(lr="lr = 0.06")), home, folder, Company())


def test_judgements_of_an_epoch_that_was_not_begun_are_made_anew(workshop: Workshop, stop_after) -> None:
    loaded, home = loaded_of(workshop.folder), Home(workshop.home)
    pins = pinned(prepare(loaded, None))[0]
    whole = begin(loaded, home, Company(), pins)
    batches = whole.manifest.run.batches_per_epoch

    folder = begin(loaded, home, Company(should_stop=stop_after(batches)), pins).folder
    folder.feedback_file.write_bytes(whole.folder.feedback_file.read_bytes())  # killed before the first step of it

    assert go_on(loaded, home, folder, Company()).manifest.sha256 == whole.manifest.sha256
    assert folder.feedback_file.read_bytes() == whole.folder.feedback_file.read_bytes()
