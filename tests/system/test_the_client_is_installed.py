"""`pip install PATH/bus` brings a learner all that it needs into a virtual environment of its own, and nothing else."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.guest_house import Dwelling, example, furnish
from tests.system.test_a_guest_learns import FAST, guest, rounds, seat

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Dwelling:
    """A virtual environment with the client's needs, into which pip has installed the client; skips where it cannot."""
    dwelling = furnish(tmp_path_factory.mktemp("client") / "place", {"learner.py": example("learner.py")}, ours=())
    pip = [sys.executable, "-m", "pip", "--python", dwelling.python, "--quiet"]
    command = [*pip, "install", "--no-deps", ROOT / "bus"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("pip install took more than 90 s")
    if done.returncode != 0 and "hatchling" in done.stderr:
        pytest.skip(f"pip finds no build tools: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return dwelling


def test_a_learner_trains_there_and_its_feedback_reaches_the_next_profile(house, installed: Dwelling) -> None:
    house.up(*FAST, "--set=bias.update_interval_steps=50")
    process = installed.start(seat(house, "ann"), "learner.py")
    losses = [float(line.split()[-1]) for line in rounds(process, 6)]
    house.until(lambda: (guest(house, "ann")["influence"] or 0) > 0)
    process.kill()
    process.communicate()
    house.stop()

    explanation = json.loads((house.home / "data" / "bias_explanation.json").read_text())
    assert len(set(losses)) > 1, "every dream moves the weights; a dozen of them need not lower the loss"
    assert explanation["learners"]["ann"]["records"] > 0
    traced = json.loads(house.run("trace", explanation["profile"]["profile_id"], "--depth", "3", "--json").stdout)
    assert "ann" in {node["sender"] for node in traced["nodes"] if node["kind"] == "FeedbackBatch"}


def test_the_distribution_asks_for_what_the_whole_program_asks_for() -> None:
    client, whole = (
        tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]
        for path in ("bus/pyproject.toml", "pyproject.toml")
    )

    assert client["version"] == whole["version"] and client["requires-python"] == whole["requires-python"]
    assert set(client["dependencies"]) < set(whole["dependencies"])
    assert {re.split("[<>=]", need)[0] for need in client["dependencies"]} == {"msgpack", "numpy", "pydantic", "pyzmq"}
