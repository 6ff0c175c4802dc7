"""Rows, plans and caps are told before anything is run, and a mistake is answered in one line."""

import json
import sys
from pathlib import Path

import pytest

from supervisor.cli import run_cli
from supervisor.regimes.conducting import Progress
from supervisor.regimes.trial_progress import progress_line
from tests.trial_house import SensorFiles


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Runs `supervisor regimes ...` on an empty home with Python alone on PATH: exit code, output, complaints."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))

    def asked(*arguments):
        code = run_cli(["regimes", *arguments, "--home", str(tmp_path / "home")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return asked


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "engine.toml").write_text("")
    return folder


def test_all_thirty_six_rows_are_listed_with_what_is_missing(ask):
    code, output, _ = ask("list", "--json")

    domains = json.loads(output)["domains"]
    rows = [row for domain in domains for row in domain["rows"]]
    assert code == 0
    assert (len(domains), len(rows)) == (9, 36)
    assert all((row["reason"] is None) == row["is_available"] for row in rows)


def test_nothing_on_path_runs_nothing_and_says_what_to_install(ask, monkeypatch):
    monkeypatch.setenv("PATH", "")

    _, output, _ = ask("list", "--json")

    rows = [row for domain in json.loads(output)["domains"] for row in domain["rows"]]
    assert {row["is_available"] for row in rows} == {False}
    assert all(row["reason"] and row["packages"] for row in rows)


def test_a_domain_is_listed_with_its_genes(ask):
    _, output, _ = ask("list", "cpu")

    assert "worker threads" in output


def test_a_plan_tells_trials_seconds_and_bytes_and_makes_nothing(ask, tmp_path):
    code, output, _ = ask("plan", "memory", "--quick", "--genome", "threads=1", "--trials", "3", "--json")

    plan = json.loads(output)["domains"][0]
    assert code == 0
    assert plan["trials"] == sum(row["trials"] for row in plan["regimes"]) > 0
    assert plan["trials"] % 4 == 0
    assert plan["seconds"] == pytest.approx(sum(row["seconds"] for row in plan["regimes"]))
    assert not (tmp_path / "home").exists()


def test_more_trials_and_generations_cost_more(ask):
    few = json.loads(ask("plan", "memory", "--quick", "--trials", "3", "--json")[1])["domains"][0]
    more = json.loads(ask("plan", "memory", "--quick", "--trials", "6", "--json")[1])["domains"][0]
    longer = json.loads(ask("plan", "memory", "--quick", "--trials", "3", "--generations", "3", "--json")[1])[
        "domains"
    ][0]

    assert few["trials"] < more["trials"]
    assert few["trials"] < longer["trials"]


def test_a_plan_over_the_budget_is_a_finding_and_an_order_over_it_is_refused(ask, tmp_path):
    code, output, _ = ask("plan", "memory", "--budget", "5")
    refused, _, complaint = ask("evaluate", "memory", "--budget", "5")

    assert code == 1
    assert "over the budget" in output
    assert refused == 2
    assert "--quick" in complaint
    assert not (tmp_path / "home").exists()


def test_evaluate_can_tell_its_plan(ask):
    assert ask("evaluate", "memory", "--quick", "--plan")[1] == ask("plan", "memory", "--quick")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("evaluate", "cpu", "--genome", "thread=2"), 2, "did you mean threads?"),
        (("evaluate", "cpu", "--genome", "threads=1000"), 2, "threads = '1000' is not one of"),
        (("evaluate", "cpu", "--genome", "threads"), 2, "'threads' is not written gene=value"),
        (("evaluate", "cpus"), 2, "'cpus' is not one of"),
        (("evaluate", "cpu", "--trials", "0"), 2, "--trials"),
        (("evaluate", "cpu", "--tier-b", "undervolt"), 2, "voltage"),
        (("evaluate", "cpu", "--tier-b", "governer"), 2, "governor"),
        (("evaluate", "cpu", "--genome", "threads=1", "--generations", "2"), 2, "leave out either"),
        (("report", "--html", "/nowhere/page.html"), 1, "/nowhere/page.html"),
        (("caps", "--sensor-root", "/nowhere"), 2, "--sensor-root"),
        (("plan", "cpu", "--budget", "-1"), 2, "--budget"),
        (("caps", "--set", "regimes.sensor_rot=x"), 2, "sensor_root"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_begun(ask, tmp_path, arguments, code, text):
    found, _, complaint = ask(*arguments)

    assert (found, "Traceback" in complaint) == (code, False)
    assert text in complaint
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("name", "content"), [("regimes.yaml", "domains: ["), ("caps.yaml", "version: 1\nno: 2\n")])
def test_a_damaged_file_of_the_user_is_refused_by_name(ask, config, name, content):
    (config / name).write_text(content)

    code, _, complaint = ask("plan", "cpu", "--config", str(config))

    assert code == 2
    assert name in complaint


def test_the_user_s_file_replaces_the_packaged_one(ask, config):
    from supervisor.configuration import default_file

    text = (default_file().parent / "caps.yaml").read_text().replace("package_power_w: 200", "package_power_w: 123")
    (config / "caps.yaml").write_text(text)

    report = json.loads(ask("caps", "cpu", "--config", str(config), "--json")[1])

    assert report["file"] == str(config / "caps.yaml")
    assert {row["metric"]: row["limit"] for row in report["caps"]}["package_power_w"] == 123.0


def test_caps_tell_what_checks_them_and_why_nothing_does(ask, tmp_path):
    (tmp_path / "sensors").mkdir()

    code, output, _ = ask("caps", "--set", f"regimes.sensor_root={tmp_path / 'sensors'}", "--json")

    report = json.loads(output)
    assert code == 0
    sensed = [row for row in report["caps"] if row["source"] != "the workload" and row["metric"] != "load1"]
    assert {row["domain"] for row in report["caps"]} >= {"cpu", "gpu", "audio", "conversation"}
    assert all(row["source"] is None and row["reason"] for row in sensed if row["metric"].endswith("_c"))


def test_a_tree_of_sensors_can_be_given_on_the_command_line(ask, tmp_path):
    SensorFiles(tmp_path / "sensors").chip("coretemp", 91_000)

    report = json.loads(ask("caps", "cpu", "--sensor-root", str(tmp_path / "sensors"), "--json")[1])

    assert report["sensor_root"] == str(tmp_path / "sensors")
    assert report["caps"][0]["source"] == str(tmp_path / "sensors/class/hwmon/coretemp/temp1_input")


def test_a_setting_of_the_machine_that_is_opted_in_to_is_a_gene(ask):
    arguments = ("evaluate", "cpu", "--quick", "--plan", "--genome", "governor=performance")

    assert ask(*arguments)[0] == 2
    assert ask(*arguments, "--tier-b", "governor")[0] == 0


def test_progress_is_a_line():
    line = progress_line(Progress(22, 88, 75.0, "searching gen0_01"))

    assert line == "trial 22 of 88 [######------------------] 1 min 15 s left  searching gen0_01"
    assert progress_line(Progress(0, 0, None, "")) == "trial 0 of 0 [------------------------]"
