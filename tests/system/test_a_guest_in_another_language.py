"""The wire page is enough: a client in another language attaches, learns and is told of, and the run replays."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas import CATALOGUE

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "tests" / "nodejs"
WIRE_PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
GOLDEN = ROOT / "tests" / "wire" / "golden"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the client with its packages; skips where there is no npm, or no way to the packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    folder = tmp_path_factory.mktemp("nodejs")
    for name in ("client.mjs", "package.json"):
        shutil.copy(CLIENT / name, folder / name)
    command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install took more than 90 s")
    if done.returncode != 0:
        pytest.skip(f"npm install failed: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.system
def test_a_node_client_retrieves_trains_and_is_believed(house, client: Path) -> None:
    house.up("--set=dreamer.rate_hz=20", "--set=learner.rounds_hz=5", "--set=learner.test_per_class=8")
    house.until(lambda: house.figure("pool.dreams_total") >= 20)
    given = house.run("attach", "node", "--frames", "--json")
    assert given.returncode == 0, given.stderr
    environment = {"PATH": os.environ["PATH"], "ONEIROS_SEAT": json.loads(given.stdout)["offer"]}

    command = ["node", "client.mjs"]
    done = subprocess.run(command, cwd=client, env=environment, capture_output=True, text=True, timeout=60, check=False)
    house.stop()

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kinds"] == ["RetrievedSet", "LearningBatch", "FeedbackReceipt", "RequestRefused"]
    assert (told["dreams"], told["tensors"], told["stored"]) == (8, 8, 8)
    assert told["tensor_bytes"] > 64 * 1024 and told["are_sound"]
    assert "was never asked by node" in told["reason"]
    assert told["golden"] == (GOLDEN / "PoolStatsRequest.v1.msgpack").read_bytes().hex()
    assert house.run("replay", "--json").returncode == 0
    assert house.run("audit").returncode == 0


@pytest.mark.parametrize("kind", sorted({"RetrievalQuery", "BatchRequest", "FeedbackBatch", "PoolStatsRequest"}))
def test_the_golden_bytes_on_the_wire_page_are_those_of_the_tests(kind) -> None:
    shown = re.search(rf"`{kind}` version (\d+)\n\n```\n([0-9a-f\s]+)```", WIRE_PAGE)

    assert shown is not None, f"docs/wire.md does not show {kind}"
    version, text = int(shown.group(1)), "".join(shown.group(2).split())
    assert version == CATALOGUE[kind].version
    assert bytes.fromhex(text) == (GOLDEN / f"{kind}.v{version}.msgpack").read_bytes()
