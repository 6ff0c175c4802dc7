"""`supervisor train`: one run from its configuration to its reports, stopped and gone on with, refused in words."""

import json
from pathlib import Path

import click
import pytest

from actors.learner.trainer.configuration.loading import open_config
from supervisor.cli import cli
from supervisor.home import Home
from supervisor.training.conducting import CHANGED, Company, begin, go_on
from supervisor.training.progress_line import Told, progress_line, shown_training
from supervisor.training.run_manifest import read_manifest
from tests.supervisor.training.conftest import SMALL, Workshop


def test_a_run_leaves_manifest_log_checkpoint_and_reports_that_say_the_same(workshop: Workshop) -> None:
    folder, tree = workshop.train()

    manifest = read_manifest(folder)
    summary = json.loads((folder.reports / "train_summary.json").read_bytes())
    assert manifest.result is not None
    assert tree["run_id"] == folder.run_id == manifest.envelope.run_id
    assert tree["weights_sha256"] == summary["weights_sha256"] == manifest.result.weights_sha256
    assert (summary["status"], summary["steps"], summary["epochs"]) == ("complete", tree["steps_total"], 2)
    assert {"order", "weights", "dropout", "dreams"} <= set(manifest.run.seeds)
    assert {"numpy", "python"} <= set(manifest.run.versions)
    assert manifest.run.config["optimizer"]["momentum"] == 0.9  # type: ignore[index,call-overload] # a default, recorded
    assert (folder.checkpoints / manifest.result.checkpoint).is_file()


def test_the_list_names_every_run_of_the_trainer(workshop: Workshop) -> None:
    assert workshop.answer("list") == {"runs": []}
    first, _ = workshop.train()
    second, _ = workshop.train()

    runs = workshop.answer("list")["runs"]
    assert [row["run_id"] for row in runs] == [first.run_id, second.run_id]
    assert [row["status"] for row in runs] == ["complete", "complete"]
    assert "small" in workshop.do("list")[1]


def test_two_runs_have_the_same_hashed_part_and_another_envelope(workshop: Workshop) -> None:
    one, two = (read_manifest(workshop.train()[0]) for _ in range(2))

    assert one.sha256 == two.sha256
    assert (one.run, one.result) == (two.run, two.result)
    assert one.envelope.run_uuid != two.envelope.run_uuid


def test_toml_and_yaml_of_the_same_content_are_the_same_run(workshop: Workshop) -> None:
    yaml = workshop.folder / "small.yaml"
    yaml.write_text(
        "meta: {name: small, seed: 5}\ndata: {source: digits, limit: 160}\nmodel: {kind: mlp, hidden: 12}\n"
        "optimizer: {kind: sgd, lr: 0.05}\ntraining: {epochs: 2, batch_size: 32}\nreports: {plots: false}\n"
    )

    _, from_toml = workshop.train()
    _, from_yaml = workshop.train(yaml)

    assert from_yaml["config_hash"] == from_toml["config_hash"]
    assert from_yaml["manifest_sha256"] == from_toml["manifest_sha256"]


@pytest.mark.parametrize("stop_at", [1, 4, 5, 6])
def test_a_run_that_is_stopped_and_resumed_is_the_run_that_was_not(
    workshop: Workshop, stop_after, stop_at: int
) -> None:
    loaded, home = open_config(workshop.write()), Home(workshop.home)
    _, whole = workshop.train()

    stopped = begin(loaded, home, Company(should_stop=stop_after(stop_at)))
    summary = json.loads((stopped.folder.reports / "train_summary.json").read_bytes())
    partial_is_sound = workshop.do("verify", stopped.folder.run_id)[0]
    _, resumed = workshop.train(workshop.write(), "--resume")

    assert stopped.exit_code == 130
    assert (summary["status"], summary["reason"], summary["steps"]) == ("partial", "interrupted", stop_at)
    assert partial_is_sound == 0
    assert resumed["run_id"] == stopped.folder.run_id
    assert resumed["manifest_sha256"] == whole["manifest_sha256"]
    assert len(read_manifest(stopped.folder).envelope.sessions) == 2


def test_numbers_that_run_away_stop_the_run_with_partial_reports_and_exit_code_1(workshop: Workshop) -> None:
    folder, tree = workshop.train(workshop.write(lr="lr = 1e6"), code=1)

    reports = json.loads((folder.reports / "report_manifest.json").read_bytes())
    assert tree["reason"] in {"loss_not_finite", "gradient_not_finite", "weights_not_finite", "diverged"}
    assert "optimizer.lr" in tree["detail"]
    assert (tree["status"], reports["status"]) == ("partial", "partial")
    assert workshop.do("verify", folder.run_id)[0] == 0
    assert workshop.answer("replay", folder.run_id)["identical"]


def test_a_file_that_changes_during_the_run_changes_nothing_and_is_noted(workshop: Workshop) -> None:
    path = workshop.write()
    loaded, home = open_config(path), Home(workshop.home)
    _, whole = workshop.train(path)

    def edit(_told: Told) -> None:
        path.write_text(SMALL.replace("lr = 0.05", "lr = 0.5"))

    conducted = begin(loaded, home, Company(tell=edit))

    assert conducted.manifest.sha256 == whole["manifest_sha256"]
    assert conducted.manifest.envelope.notes == (CHANGED,)


def test_what_was_altered_in_the_manifest_is_refused_before_any_step(workshop: Workshop, stop_after) -> None:
    loaded, home = open_config(workshop.write()), Home(workshop.home)
    folder = begin(loaded, home, Company(should_stop=stop_after(2))).folder
    before = folder.steps_file.read_bytes()
    folder.manifest_file.write_text(folder.manifest_file.read_text().replace('"lr": 0.05', '"lr": 0.06'))

    code, _, error = workshop.do(workshop.write(), "--resume")

    assert code == 3
    assert "was altered" in error
    assert folder.steps_file.read_bytes() == before
    assert workshop.do("replay", folder.run_id)[0] == 3


def test_nothing_to_resume_is_said_with_what_there_is(workshop: Workshop) -> None:
    path = workshop.write()
    assert "no run of this configuration" in workshop.do(path, "--resume")[2]
    workshop.train(path)

    code, _, error = workshop.do(path, "--resume")

    assert code == 2
    assert "is complete" in error


def test_a_run_that_another_process_works_on_is_left_alone(workshop: Workshop, stop_after) -> None:
    loaded, home = open_config(workshop.write()), Home(workshop.home)
    folder = begin(loaded, home, Company(should_stop=stop_after(2))).folder

    with folder.held():
        status = workshop.answer("list")["runs"][0]["status"]
        code, _, error = workshop.do(workshop.write(), "--resume")

    assert (status, code) == ("running", 2)
    assert "another process works on" in error
    assert go_on(loaded, home, folder, Company()).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lr", "lr = 0.0", "optimizer.lr"),
        ("lr", "momentun = 0.1", "did you mean momentum?"),
        ("batch_size", "batch_size = 0", "training.batch_size"),
        ("kind", 'kind = "mpl"', "did you mean mlp?"),
        ("source", 'source = "digit"', "did you mean digits?"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_and_leaves_no_run(
    workshop: Workshop, old: str, new: str, said: str
) -> None:
    code, _, error = workshop.do(workshop.write(**{old: new}))

    assert code == 2
    assert said in error
    assert workshop.answer("list") == {"runs": []}


def test_a_misspelt_command_is_told_from_a_file_that_is_not_there(workshop: Workshop) -> None:
    assert "did you mean `supervisor train replay`?" in workshop.do("replya")[2]
    code, _, error = workshop.do("nowhere.toml")
    assert code == 2
    assert "no such file" in error


def test_a_shipped_configuration_goes_by_its_name(workshop: Workshop) -> None:
    code, said, _ = workshop.do("digits")

    assert code == 0 and "test accuracy 0.9" in said
    assert "or what is shipped: digits, fashion" in workshop.do("nowhere.toml")[2]


def test_dreams_without_a_seat_are_refused_with_the_way_to_one(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEIROS_SEAT", raising=False)

    code, _, error = workshop.do(workshop.write(), "--with-dreams")

    assert code == 2
    assert "supervisor attach NAME -- supervisor train CONFIG --with-dreams" in error
    assert "give --with-dreams too" in workshop.do(workshop.write(), "--seeds", "3")[2]


def test_signed_reports_are_verified_and_unsigned_ones_say_so(workshop: Workshop) -> None:
    plain, _ = workshop.train()
    assert any("not signed" in note for note in workshop.answer("verify", plain.run_id)["notes"])
    pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
    public = workshop.answer("keygen", workshop.folder / "key.pem")["public_key"]
    signed, _ = workshop.train(workshop.write(plots='plots = false\nsign_key = "key.pem"'))

    assert f"signature of key {public[:16]}" in workshop.answer("verify", signed.run_id)["checked"]
    assert workshop.answer("replay", signed.run_id)["identical"]
    path = signed.reports / "report_manifest.sig.json"
    path.write_text(path.read_text().replace('"signature": "', '"signature": "00')[:-3] + "\n}\n")
    assert workshop.do("verify", signed.run_id)[0] == 1


def test_a_missing_key_is_refused_before_there_is_a_run(workshop: Workshop) -> None:
    code, _, error = workshop.do(workshop.write(plots='plots = false\nsign_key = "nowhere.pem"'))

    assert code != 0
    assert "sign_key" in error
    assert workshop.answer("list") == {"runs": []}


def test_reports_are_shown_as_text_json_and_a_page_that_needs_nothing_from_outside(workshop: Workshop) -> None:
    folder, tree = workshop.train(workshop.write(SMALL.replace('"small"', '"<b>small</b>"')))
    page = workshop.folder / "page.html"

    text = workshop.do("report", "latest", "--html", page)[1]
    shown = workshop.answer("report", "latest")
    assert workshop.do("report", "latest", "--html")[0] == 0

    html = page.read_text()
    assert str(tree["test_accuracy"]) in text
    assert shown["train_summary"]["weights_sha256"] == tree["weights_sha256"]
    assert html == (folder.path / "report.html").read_text()
    assert "<b>small" not in html
    assert "&lt;b&gt;small" in html
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert "http://" not in html


def test_help_of_every_command_has_an_example() -> None:
    group = cli.get_command(click.Context(cli), "train")
    assert isinstance(group, click.Group)

    for name, command in [("train", group), *group.commands.items()]:
        assert "Example" in (command.help or ""), name


def test_a_yaml_or_toml_path_is_the_default_command(workshop: Workshop) -> None:
    _, short = workshop.train(workshop.write())
    _, long = workshop.train("run", workshop.write())
    _, options_first = workshop.train("--home", workshop.home, workshop.write())

    assert short["manifest_sha256"] == long["manifest_sha256"] == options_first["manifest_sha256"]


def test_the_tokenizer_of_a_configuration_is_logged_and_recorded(workshop: Workshop) -> None:
    folder, _ = workshop.train(workshop.write(SMALL + '\n[tokenizer]\nkind = "chromatic"\npatch = 4\n'))

    manifest = read_manifest(folder)
    lines = folder.tokens_file.read_text().splitlines()
    assert manifest.run.tokenizer["kind"] == "chromatic"
    assert len(lines) == 1 + 160
    assert workshop.answer("replay", folder.run_id)["identical"]


def test_progress_is_a_line_with_loss_and_time_left_and_nothing_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = Told(step=120, steps_total=480, epoch=1, epochs=4, loss=0.42131, val_accuracy=0.9124)

    line = progress_line(told, 8.2)
    with shown_training() as tell:
        tell(told)

    assert line == "epoch 2 of 4 [######------------------] step 120 of 480  loss 0.4213  val 0.912  8 s left"
    assert capsys.readouterr().err == ""


def test_a_home_is_not_needed_for_a_run_that_is_named_by_its_path(workshop: Workshop, tmp_path: Path) -> None:
    folder, _ = workshop.train()
    moved = tmp_path / "moved"
    folder.path.rename(moved)

    assert workshop.do("verify", moved)[0] == 0
    assert workshop.do("verify", moved / "manifest.json")[0] == 0
    assert "holds no manifest.json" in workshop.do("verify", tmp_path / "nothing" / "here")[2]
