"""A training run as a process: a guest that learns from the dreams of a living loop, and one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

PATIENCE_S = 60.0
DREAMING = """
[meta]
name = "guest"
seed = 21

[data]
source = "patches"
rows = 16
cols = 16
train_per_picture = 6
val_per_picture = 8
test_per_picture = 8

[model]
kind = "mlp"
hidden = 16

[optimizer]
kind = "sgd"
lr = 0.01

[training]
epochs = 3
batch_size = 16

[dreams]
count = 4
pool = 24
mix = 0.3

[reports]
plots = false
"""
HELD = """
plugins = ["held.py"]

[meta]
name = "held"
seed = 4

[data]
source = "digits"
limit = 400

[model]
kind = "mlp"

[optimizer]
kind = "adamw"

[schedule]
kind = "held"

[training]
epochs = 3
batch_size = 8
checkpoint_every = 25

[reports]
plots = false
"""
PLUGIN = '''
"""A schedule that waits at step 60 for as long as there is a file `hold`."""
import signal
from pathlib import Path
from typing import Literal
from actors.learner.trainer.registry import SCHEDULES
from actors.learner.trainer.training.schedules import build_constant
from actors.learner.trainer.training.settings import ConstantSettings

HERE = Path("FOLDER")

class HeldSettings(ConstantSettings):
    kind: Literal["held"] = "held"

def build_held(settings, pace):
    plain = build_constant(settings, pace)

    def rate(step):
        if step == 60 and (HERE / "hold").exists():
            (HERE / "reached").touch()
            signal.pause()
        return plain(step)

    return rate

SCHEDULES.register("held", HeldSettings, build_held)
'''


def train(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supervisor.cli", "train", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def answer(*words: str | Path) -> dict[str, Any]:
    done = train(*words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    tree: dict[str, Any] = json.loads(done.stdout)
    return tree


def test_a_guest_learns_from_the_dreams_of_a_living_loop_and_is_proved_without_it(house, tmp_path: Path) -> None:
    config = tmp_path / "guest.toml"
    config.write_text(DREAMING)
    house.up("--set=dreamer.rate_hz=60", "--set=learner.test_per_class=8")
    house.until(lambda: house.figure("pool.dreams_total") >= 30)
    words = (sys.executable, "-m", "supervisor.cli", "train", str(config), "--with-dreams", "--seeds", "2", "--json")

    given = house.run("attach", "ann", "--", *words)
    assert given.returncode == 0, given.stderr
    house.until(lambda: "finished" in str(house.answer("status").get("guests")))
    told = json.loads((house.home / "logs" / "ann.log").read_text())
    house.stop()

    feedback = house.pool().execute("SELECT count(*) FROM feedback WHERE learner = 'ann'").fetchone()[0]
    run = Path(told["folder"])
    moved = tmp_path / "moved"
    assert told["comparison"]["seeds"] == [21, 22]
    assert len(told["comparison"]["paired"]["test_accuracy"]["t_interval_95"]) == 2
    assert run.is_relative_to(house.home)  # the home of its seat, though none was named
    assert feedback == told["feedback_stored"] > 0
    run.rename(moved)
    assert {"feedback", "weights"} <= set(answer("replay", moved)["same"])
    report = answer("report", moved)
    assert report["dream_comparison"] == told["comparison"]
    assert 0 < report["train_summary"]["dreams"]["pinned"] <= 24


def test_a_run_that_is_killed_leaves_valid_reports_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    config, home, hold = tmp_path / "held.toml", tmp_path / "home", tmp_path / "hold"
    config.write_text(HELD)
    (tmp_path / "held.py").write_text(PLUGIN.replace("FOLDER", str(tmp_path)))
    hold.touch()
    process = subprocess.Popen([sys.executable, "-m", "supervisor.cli", "train", str(config), "--home", str(home)])
    give_up_at = time.monotonic() + PATIENCE_S
    while not (tmp_path / "reached").exists():
        assert process.poll() is None
        assert time.monotonic() < give_up_at

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    hold.unlink()

    (folder,) = home.glob("artifacts/training/*")
    assert answer("list", "--home", home)["runs"][0]["status"] == "killed"
    assert answer("verify", folder)["ok"]
    for name in ("train_summary", "training_metrics", "validation_metrics", "report_manifest"):
        assert json.loads((folder / "reports" / f"{name}.json").read_bytes())["status"] == "partial"
    resumed = answer(config, "--resume", "--home", home)
    whole = answer(config, "--home", tmp_path / "whole")
    assert resumed["folder"] == str(folder)
    assert resumed["manifest_sha256"] == whole["manifest_sha256"]
