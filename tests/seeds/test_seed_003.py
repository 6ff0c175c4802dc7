"""Seed 003, "Phase 2 Acceptance Tests": asked of a home in which candidates were really measured.

The packs come from real runs of `supervisor regimes evaluate cpu --quick` with processes, guards and a watchdog, on
rows whose windows are cut to a fiftieth of a second so that the suite stays short. `--acceptance` measures the rows as
they are packaged instead, ten trials an arm. Sensors are a tree of files: the only way to have a temperature to order.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from schemas.candidate_pack import pack_schema
from supervisor.configuration import default_file
from tests.seeds.acceptance_003 import ACCEPTANCE, SAFETY_FLIP, Evaluated, answers, main, read_evaluated

CPU_CHIP = "class/hwmon/hwmon0"
THROTTLE = "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
NEIGHBOUR = """        background:
          - [stress-ng, --vm=1, --vm-bytes=64m, "--timeout={long_seconds}", "--temp-path={scratch}", --quiet]
"""
FAST = ("--set", "regimes.confirmed=0", "--set", "regimes.noise_repeats=0", "--genome", "zstd_level=1")


class Bench:
    """A home, a folder of settings and a tree of sensors."""

    def __init__(self, folder: Path, is_whole: bool) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.sensors = folder / "sensors"
        self.is_whole = is_whole
        (folder / "config").mkdir()
        (folder / "runtime").mkdir(mode=0o700)
        (folder / "config" / "engine.toml").write_text("")

    def rows(self, only_idle: bool = False) -> None:
        """Cut the windows of the packaged rows; with `only_idle` the others need a tool that is not on PATH."""
        text = (default_file().parent / "regimes.yaml").read_text()
        if not self.is_whole:
            text = re.sub(r"quick: [0-9.]+(\}\n\s+setup_s)", r"quick: 0.02\1", text)
        if only_idle:
            text = re.sub(r"(argv: \[crunching[^\]]*\]\n)(?!\s*background)", rf"\1{NEIGHBOUR}", text)
        (self.folder / "config" / "regimes.yaml").write_text(text)

    def temperature(self, millidegrees: int | None) -> None:
        """Serve every capped sensor of the CPU; None leaves the temperature out."""
        files = {f"{CPU_CHIP}/name": "coretemp", f"{CPU_CHIP}/power1_input": "45000000", THROTTLE: "7"}
        if millidegrees is not None:
            files[f"{CPU_CHIP}/temp1_input"] = str(millidegrees)
        for path, text in files.items():
            (self.sensors / path).parent.mkdir(parents=True, exist_ok=True)
            (self.sensors / path).write_text(f"{text}\n")

    def evaluate(self, *options: str, path: str = "") -> subprocess.CompletedProcess[str]:
        """Measure, for real; `path` stands for PATH where it is given."""
        command = [sys.executable, "-m", "supervisor.cli", "regimes", "evaluate", "cpu", "--quick", *FAST, *options]
        command += ["--home", str(self.home), "--config", str(self.folder / "config"), "--json"]
        command += ["--set", f"regimes.sensor_root={self.sensors}"]
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder / "runtime"), "NO_COLOR": "1"}
        environment["PATH"] = path or environment["PATH"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)

    def pack(self) -> Evaluated:
        """What the last evaluation left."""
        return read_evaluated(self.home, "cpu")


@pytest.fixture(scope="session")
def is_whole(request: pytest.FixtureRequest) -> bool:
    """Whether the packaged rows are measured, ten trials an arm."""
    return bool(request.config.getoption("--acceptance"))


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, is_whole: bool) -> tuple[Evaluated, dict[str, object]]:
    """A candidate on a machine of 89 degrees, and what the command said."""
    bench = Bench(tmp_path_factory.mktemp("seed003"), is_whole)
    bench.rows()
    bench.temperature(89_000)
    done = bench.evaluate("--trials", "10" if is_whole else "2")
    assert done.returncode == 0, done.stderr
    return bench.pack(), json.loads(done.stdout)


@pytest.mark.system
@pytest.mark.parametrize("test", ACCEPTANCE, ids=lambda test: f"{test.number} {test.title}")
def test_the_acceptance_tests_of_the_seed_hold(measured, test):
    found, _ = measured

    assert test.holds(found)
    assert answers(test.command, found) is not False


@pytest.mark.system
def test_all_of_them_can_be_run_as_one_command(measured, capsys):
    assert main(str(measured[0].home)) == 0
    assert capsys.readouterr().out.count(": holds (jq: ") == len(ACCEPTANCE)


@pytest.mark.system
def test_the_pack_is_what_the_schema_asks_for(measured):
    jsonschema.validate(measured[0].pack, json.loads(pack_schema()))


@pytest.mark.system
def test_deltas_are_against_the_stored_baseline_of_the_default_genome(measured):
    found, _ = measured

    for row in found.pack["regimes"]:
        stored = found.baselines["cpu"][row["regime"]]
        assert row["baseline"]["baseline_id"] == stored["baseline_id"]
        assert stored["genome"]["zstd_level"] == 3
        for value, delta in zip(row["kpis"]["perf"], row["delta"]["perf"], strict=True):
            assert delta == pytest.approx(value - stored["kpis"]["perf"], abs=1e-9)


@pytest.mark.system
def test_the_command_says_what_the_pack_says(measured):
    found, said = measured
    candidate = said["candidates"][0]

    assert said["run_id"] == found.pack["run_id"] == found.line["run_id"]
    assert candidate["path"] == found.line["candidate_packs"][-1]
    assert candidate["score_v2"] == found.pack["aggregate"]["score_v2"]
    assert candidate["genome"]["zstd_level"] == 1


@pytest.mark.system
def test_a_failed_acceptance_test_is_told(measured, tmp_path):
    found, _ = measured
    worse = {**found.pack, "schema": "candidate_pack.v4", "aggregate": {"score_v2": None}}

    broken = found._replace(pack=worse, baselines={"cpu": {"idle": {}}}, trials=found.trials + 1)

    assert [test.number for test in ACCEPTANCE if not test.holds(broken)] == [1, 2, 4, 5, 6]


@pytest.mark.system
def test_7_at_89_degrees_a_candidate_is_safe(measured):
    found, _ = measured

    assert found.pack["safe"] is True
    assert found.pack["artifacts"]["injected"] is True
    assert found.pack["risk_profile"]["temp_peak_c"] == 89.0
    assert answers(SAFETY_FLIP["warm"], found) is not False


@pytest.mark.system
def test_7_at_91_degrees_a_candidate_is_unsafe_and_gives_no_baseline(tmp_path, is_whole):
    bench = Bench(tmp_path, is_whole)
    bench.rows()
    bench.temperature(91_000)

    done = bench.evaluate("--trials", "1")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr

    pack = json.loads((bench.home / "artifacts/candidates/cpu/gen0_00.json").read_bytes())
    assert (pack["safe"], pack["aggregate"]["score_v2"]) == (False, float("-inf"))
    assert pack["aggregate"]["improves_over_baseline"] is False
    baselines = bench.home / "artifacts/baselines.json"
    assert not baselines.exists() or "cpu" not in json.loads(baselines.read_bytes())
    shell = SAFETY_FLIP["too hot"].replace("PACK", "artifacts/candidates/cpu/gen0_00.json")
    done = subprocess.run(["bash", "-c", f"command -v jq >/dev/null || exit 0; {shell}"], cwd=bench.home, check=False)
    assert done.returncode == 0


@pytest.mark.system
def test_7_without_the_sensor_nobody_calls_a_candidate_safe(tmp_path, is_whole):
    bench = Bench(tmp_path, is_whole)
    bench.rows(only_idle=True)
    bench.temperature(None)

    done = bench.evaluate("--trials", "1", path=str(Path(sys.executable).parent))
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr

    found = bench.pack()
    assert found.pack["safe"] is None
    assert answers(SAFETY_FLIP["no sensor"], found) is not False
    idle, *others = found.pack["artifacts"]["regimes"]
    assert any(text.startswith("temp_peak_c: ") for text in idle["unchecked"])
    assert {row["status"] for row in others} == {"unavailable"}
