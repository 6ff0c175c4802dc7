"""The regime-runner's decisions over trials that are written down: no machine, no watchdog, no clock."""

import hashlib
import json
from collections import Counter

import pytest

from bus.topology import TOPOLOGY
from schemas.regimes import PackWritten
from tests.scripted_trials import (
    DEFAULT,
    HOST,
    OTHER,
    ScriptedRunner,
    order_of,
    place,
    settings_with,
)


def test_every_regime_is_measured_in_pairs_after_a_warm_up_of_each_arm() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()

    per_regime = Counter((order.regime, place(order)) for order in runner.orders)

    assert set(per_regime) == {
        (regime, f"{arm}{pair}")
        for regime in ("idle", "normal", "stress", "mixed")
        for arm in "cb"
        for pair in ("w", "00", "01", "02", "03")
    }
    assert set(per_regime.values()) == {1}


def test_both_arms_take_turns_in_an_order_that_chance_decides() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER, trials=10)).run()

    arms = [place(order)[0] for order in runner.orders if order.regime == "stress"]
    firsts = Counter(arms[2::2])

    assert arms[:2] == ["c", "b"]
    assert all({one, other} == {"c", "b"} for one, other in zip(arms[2::2], arms[3::2], strict=True))
    assert min(firsts["c"], firsts["b"]) >= 1


def test_the_gene_is_in_the_command_of_the_candidate_alone() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()

    threads = {(place(order)[0], word) for order in runner.orders for word in order.argv if "--threads" in word}

    assert threads == {("c", "--threads=2"), ("b", "--threads=1")}


def test_a_first_run_sets_four_baselines_and_the_next_leaves_them_alone() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()
    first = runner.files["artifacts/baselines.json"]

    runner.give(order_of(order_id="o2", genome=OTHER)).run()

    assert set(json.loads(first)["cpu"]) == {"idle", "normal", "stress", "mixed"}
    assert runner.files["artifacts/baselines.json"] == first


def test_a_refresh_adds_a_version_and_keeps_the_old_one() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()
    first = json.loads(runner.files["artifacts/baselines.json"])["cpu"]["idle"]

    runner.give(order_of(order_id="o2", genome=OTHER, refresh_baseline=True)).run()
    second = json.loads(runner.files["artifacts/baselines.json"])["cpu"]["idle"]

    assert second["baseline_id"] != first["baseline_id"]
    assert [old["baseline_id"] for old in second["history"]] == [first["baseline_id"]]


def test_a_later_evaluation_goes_on_counting_generations_and_its_log() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()

    runner.give(order_of(order_id="o2", genome=DEFAULT)).run()
    lines = runner.files["artifacts/domain_evolution/cpu_evolution.jsonl"].splitlines()

    assert [json.loads(line)["generation"] for line in lines] == [0, 1]
    assert {"artifacts/candidates/cpu/gen0_00.json", "artifacts/candidates/cpu/gen1_00.json"} <= set(runner.files)


def test_every_pack_that_is_announced_is_the_file_on_disk() -> None:
    runner = ScriptedRunner().give(order_of()).run()

    for message in runner.messages(PackWritten):
        assert hashlib.sha256(runner.files[message.path]).hexdigest() == message.sha256
        assert json.loads(runner.files[message.path])["cand_id"] == message.cand_id


def test_the_random_arm_has_the_budget_of_the_search_from_the_second_generation_on() -> None:
    settings = settings_with(has_random_arm=True, confirmed=0)
    runner = ScriptedRunner(settings=settings).give(order_of(generations=2, population=2)).run()
    lines = [json.loads(line) for line in runner.files["artifacts/domain_evolution/cpu_evolution.jsonl"].splitlines()]

    assert [line["population_size"] for line in lines] == [2, 4]
    assert all(isinstance(line["random_best_fitness"], float) for line in lines)
    searched = [runner.pack(f"gen1_0{at}")["aggregate"]["score_v2"] for at in range(2)]
    assert (lines[1]["best_fitness"], lines[1]["min_fitness"]) == (max(searched), min(searched))


def test_the_winner_is_measured_again_on_fresh_pairs_by_another_process() -> None:
    settings = settings_with(has_random_arm=False, confirmed=1)
    runner = ScriptedRunner(settings=settings).give(order_of(population=3)).run()
    winner = max((runner.pack(f"gen0_0{at}") for at in range(3)), key=lambda pack: pack["aggregate"]["score_v2"])
    block = winner["artifacts"]["confirmation"]

    assert runner.epoch == 2
    assert block["session"].endswith("/2")
    assert block["judgement"]["overall"] is not None
    assert sum(winner["cand_id"] in order.trial_id for order in runner.orders) == 80


def test_a_genome_that_comes_again_gets_further_pairs_and_no_second_pack() -> None:
    runner = ScriptedRunner(host=HOST.model_copy(update={"cpus": (0,), "cores": ((0,),)}))
    runner.give(order_of(population=2, generations=8, seed=3)).run()
    packs = [path for path in runner.files if path.startswith("artifacts/candidates/")]
    genomes = [json.dumps(json.loads(runner.files[path])["genome"], sort_keys=True) for path in packs]
    repeated = [path for path in packs if json.loads(runner.files[path])["artifacts"]["repeats"]]

    assert len(set(genomes)) == len(genomes)
    assert len(genomes) < 16
    assert repeated
    for path in repeated:
        regimes = json.loads(runner.files[path])["regimes"]
        assert {(regime["trials"], len(regime["kpis"]["perf"])) for regime in regimes} == {(4, 4)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"genome": {**DEFAULT, "thread": 2}}, "no gene thread"),
        ({"genome": {**DEFAULT, "threads": 99}}, "threads = 99"),
        ({"tier_b": ("governor",)}, "regimes.tier_b"),
        ({"tier_b": ("undervolt",)}, "undervolt"),
        ({"trials": 1000, "generations": 100, "population": 50}, "budget"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_in_words_before_any_trial(changes, words: str) -> None:
    runner = ScriptedRunner().give(order_of(**changes)).run()

    assert runner.orders == []
    assert runner.report()["standing"] == "refused"
    assert words in runner.report()["refusals"][-1]


def test_an_order_is_refused_over_its_budget_of_bytes() -> None:
    settings = settings_with(budget_mib=1)
    runner = ScriptedRunner(settings=settings).give(order_of(domain="storage")).run()

    assert runner.report()["standing"] == "refused"
    assert "MiB" in runner.report()["refusals"][-1]


def test_settings_files_with_mistakes_refuse_the_order_and_name_them() -> None:
    runner = ScriptedRunner()
    runner._queue[1] = runner._queue[1]._replace(data=b"version: 2\ndomains: {}\n")

    runner.give(order_of()).run()

    assert runner.report()["standing"] == "refused"
    assert "regimes.yaml" in runner.report()["refusals"][-1]


def test_orders_wait_for_their_turn() -> None:
    runner = ScriptedRunner()
    runner.give(order_of(order_id="a1", genome=OTHER)).give(order_of(order_id="a2", domain="memory", genome=None)).run()

    assert runner.report("a1")["standing"] == "done"
    assert runner.report("a2")["standing"] == "done"


def test_nothing_that_the_runner_says_can_reach_the_dreamer() -> None:
    pair = {"regime-runner", "safety-watchdog"}
    reached = {row.receiver for row in TOPOLOGY if row.sender in pair}

    assert "dreamer" not in reached
    assert not any(row.receiver == "dreamer" and row.sender in pair for row in TOPOLOGY)
