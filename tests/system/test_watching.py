"""Watching a loop while it runs: topics and traces from the journals, and no actor notices."""

import json
import os
import signal
from typing import Any

import pytest

from supervisor.cli import run_cli

FAST = ("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")

pytestmark = pytest.mark.system


class Watcher:
    """Runs commands that only look."""

    def __init__(self, house: Any, capsys: pytest.CaptureFixture[str]) -> None:
        self._house = house
        self._capsys = capsys

    def __call__(self, *words: str) -> str:
        code = run_cli([*words, "--home", str(self._house.home), "--json"])
        out, err = self._capsys.readouterr()
        assert code == 0, err
        return out

    def tree(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*words))
        return found

    def lines(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self("topic", "echo", *words).splitlines()]


@pytest.fixture
def watch(house, capsys: pytest.CaptureFixture[str]) -> Watcher:
    return Watcher(house, capsys)


def test_a_loop_is_watched_while_it_runs_and_traced_to_its_roots(house, watch: Watcher) -> None:
    house.up(*FAST)
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 1)
    os.kill(house.pid("dreamer"), signal.SIGKILL)
    house.pid("dreamer")

    heard = watch.lines("DreamEntry", "--filter", "coherence>0.1 and profile_id!=none", "--count", "3")
    rates = {row["kind"]: row["mean_hz"] for row in watch.tree("topic", "hz")["topics"]}
    trace = watch.tree("trace", heard[-1]["id"], "--depth", "0")

    assert len(heard) == 3
    assert rates["DreamEntry"] > 1 and rates["FeedbackBatch"] > 1
    relations = {edge["relation"] for edge in trace["edges"] if edge["to"] == heard[-1]["id"]}
    assert {"began", "shaped"} <= relations
    kinds = {node["kind"] for node in trace["nodes"]}
    assert {"BiasProfile", "FeedbackStored", "FeedbackBatch", "RetrievalQuery", "timer", "picture"} <= kinds
    house.stop()
    counted = {row["kind"]: row["messages"] for row in watch.tree("topic", "list")["topics"]}
    dreams = house.said("dreamer", "pool-keeper")
    assert counted["DreamEntry"] == len(dreams) == len(watch.lines("DreamEntry"))
    assert {item.ref.epoch for item in dreams} >= {1, 2}
    assert counted["BiasProfile"] == 2 * len(house.said("bias-synthesizer", "dreamer"))
