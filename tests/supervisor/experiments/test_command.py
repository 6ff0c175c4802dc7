"""`supervisor experiment`: options, output, files."""

import json

import pytest
from click.testing import CliRunner

from supervisor.commands.experiment import command
from supervisor.errors import FolderRefusedError, UsageError

QUICK = (
    "tensor.rows=8", "tensor.cols=8", "tensor.layers=1", "learner.rounds_per_epoch=1", "learner.rounds_hz=10",
    "learner.probe_per_class=2", "learner.test_per_class=4",
)  # fmt: skip


def run(*arguments: str):
    return CliRunner().invoke(command, arguments)


def quick(home, *arguments: str):
    changes = [part for assignment in QUICK for part in ("--set", assignment)]
    return run("help", "--seeds", "1", "--home", str(home), *changes, *arguments)


@pytest.mark.parametrize("name", ["planted-hue", "help"])
def test_help_has_an_example(name):
    result = run(name, "--help")

    assert result.exit_code == 0
    assert f"supervisor experiment {name} --seeds" in result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("--seeds", "0"), "--seeds"), (("--seed", "-1"), "--seed"), (("--jobs", "0"), "--jobs")],
)
def test_a_value_out_of_range_is_named(arguments, named):
    result = run("planted-hue", *arguments)

    assert result.exit_code == 2
    assert named in result.output


def test_the_report_is_printed_and_written_below_home(tmp_path):
    result = quick(tmp_path)

    (folder,) = (tmp_path / "artifacts" / "experiments").iterdir()
    assert result.exit_code == 0
    assert result.stdout.startswith("# help: do dreams help the learner?")
    assert folder.name.startswith("help-seeds-1-1-")
    assert sorted(path.name for path in folder.iterdir()) == ["report.json", "report.md", "report.png"]


def test_json_is_one_object_and_the_file_holds_the_same(tmp_path):
    result = quick(tmp_path, "--json", "--seed", "7", "--jobs", "1", "--out", str(tmp_path / "here"))

    tree = json.loads(result.stdout)
    assert result.exit_code == 0
    assert tree == json.loads((tmp_path / "here" / "report.json").read_text())
    assert tree["seeds"] == [7]
    assert set(tree["arms"]) == {"none", "random", "retrieved", "shuffled"}
    assert tree["gradient_steps"] == 40


@pytest.mark.parametrize(
    ("name", "setting"),
    [("planted-hue", "dreamer.rate_hz=0"), ("help", "dreamer.rate_hz=0"), ("help", "learner.rounds_hz=0")],
)
def test_time_that_would_not_pass_is_refused(tmp_path, name, setting):
    result = run(name, "--home", str(tmp_path), "--set", setting)

    assert isinstance(result.exception, UsageError)
    assert f"{setting.partition('=')[0]} = 0 is as fast as possible" in str(result.exception)


def test_a_folder_that_cannot_be_used_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("supervisor.experiments.campaign.run_seeds", lambda *_: pytest.fail("the work has begun"))
    (tmp_path / "file").write_text("")

    result = run("help", "--home", str(tmp_path), "--out", str(tmp_path / "file" / "report"))

    assert isinstance(result.exception, FolderRefusedError)
    assert "choose another folder with --out" in str(result.exception)


def test_an_experiment_that_fails_leaves_no_folder(tmp_path):
    result = quick(tmp_path, "--set", "dreamer.rate_hz=0.001", "--set", "learner.rounds_hz=1000")

    assert "has only come to epoch 0 of 40" in str(result.exception)
    assert list((tmp_path / "artifacts" / "experiments").iterdir()) == []
