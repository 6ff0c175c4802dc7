"""What follows from trials that fail, breach a cap, are noisy or cannot be run at all."""

import json
from collections import Counter

from actors.regime_runner.workloads.sampling import UNAVAILABLE
from bus.core import Fired
from schemas.regimes import PackWritten, TrialFinished, TrialOrder, TrialStarted
from tests.scripted_trials import (
    DEFAULT,
    HOST,
    HOT,
    OTHER,
    ScriptedRunner,
    Showing,
    Watching,
    order_of,
    place,
    settings_with,
    steady,
)


def test_no_trial_is_let_go_that_the_watchdog_has_not_armed() -> None:
    runner = ScriptedRunner(watch=lambda _started, number: None if number == 2 else Watching())
    runner.give(order_of(genome=OTHER)).run()

    started = [message.trial_id for message in runner.messages(TrialStarted)]

    assert started[1] not in {order.trial_id for order in runner.orders}
    assert runner.report()["standing"] == "done"


def test_an_evaluation_without_a_watchdog_ends_and_says_so() -> None:
    runner = ScriptedRunner(watch=lambda _started, _number: None).give(order_of(genome=OTHER)).run()

    assert runner.orders == []
    assert runner.report()["standing"] == "stopped"
    assert "no watchdog answers" in runner.report()["refusals"][-1]


def test_a_trial_that_fails_twice_is_null_in_place_with_its_retry_recorded() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        is_broken = order.regime == "stress" and place(order) == "c03"
        return Showing(status="failed", stderr="broken") if is_broken else steady(order, number)

    runner = ScriptedRunner(script).give(order_of(genome=OTHER, trials=10)).run()
    pack = runner.pack()
    stress = next(regime for regime in pack["regimes"] if regime["regime"] == "stress")
    facts = next(regime for regime in pack["artifacts"]["regimes"] if regime["regime"] == "stress")
    tries = [trial for trial in facts["trials"] if trial["arm"] == "candidate" and trial["pair"] == 3]

    assert stress["trials"] == 10
    assert len(stress["kpis"]["perf"]) == len(stress["delta"]["perf"]) == 10
    assert [at for at, value in enumerate(stress["kpis"]["perf"]) if value is None] == [3]
    assert len(tries) == 2
    assert tries[1]["retry_of"] == tries[0]["trial_id"]
    assert (facts["failures"], facts["retries"], runner.report()["retried"]) == (1, 1, 1)
    assert pack["artifacts"]["status"] == "scored"


def test_a_retry_that_succeeds_leaves_no_hole() -> None:
    seen: set[str] = set()

    def script(order: TrialOrder, number: int) -> Showing:
        key = f"{order.regime} {place(order)}"
        is_first = key == "stress c01" and key not in seen
        seen.add(key)
        return Showing(status="timeout") if is_first else steady(order, number)

    runner = ScriptedRunner(script).give(order_of(genome=OTHER)).run()
    stress = next(regime for regime in runner.pack()["regimes"] if regime["regime"] == "stress")

    assert None not in stress["kpis"]["perf"]


def broken_in(places: set[str]):
    def script(order: TrialOrder, number: int) -> Showing:
        is_broken = order.regime == "stress" and place(order) in places
        return Showing(status="failed") if is_broken else steady(order, number)

    return script


def test_four_of_ten_failing_trials_make_the_pack_invalid_and_leave_the_baseline_untouched() -> None:
    first = ScriptedRunner().give(order_of(genome=OTHER, trials=10)).run()
    before = first.files["artifacts/baselines.json"]

    script = broken_in({"c00", "c02", "c05", "c08"})
    runner = ScriptedRunner(script, baselines=before).give(order_of(genome=OTHER, trials=10)).run()
    pack = runner.pack()

    assert pack["artifacts"]["status"] == "invalid"
    assert pack["aggregate"]["score_v2"] is None
    assert pack["aggregate"]["improves_over_baseline"] is False
    assert runner.messages(PackWritten)[0].is_valid is False
    assert "artifacts/baselines.json" not in runner.files


def test_three_of_ten_failing_trials_are_borne() -> None:
    runner = ScriptedRunner(broken_in({"c00", "c02", "c05"})).give(order_of(genome=OTHER, trials=10)).run()

    assert runner.pack()["artifacts"]["status"] == "scored"


def test_no_baseline_comes_from_a_default_that_fails() -> None:
    runner = ScriptedRunner(broken_in({f"b0{at}" for at in range(4)})).give(order_of(genome=OTHER, trials=10)).run()

    assert set(json.loads(runner.files["artifacts/baselines.json"])["cpu"]) == {"idle", "normal", "mixed"}


def test_a_candidate_that_fails_everywhere_ranks_last_and_is_never_a_winner() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        is_broken = "gen0_00" in order.trial_id and place(order)[0] == "c"
        return Showing(status="failed") if is_broken else steady(order, number)

    settings = settings_with(has_random_arm=False, confirmed=4)
    runner = ScriptedRunner(script, settings=settings).give(order_of(population=4)).run()
    line = json.loads(runner.files["artifacts/domain_evolution/cpu_evolution.jsonl"])
    confirmed = {order.trial_id.split("-")[1] for order in runner.orders[-40:]}

    assert runner.pack("gen0_00")["aggregate"]["score_v2"] is None
    assert line["valid_individuals"] == 3
    assert "gen0_00" not in line["pareto_front"]
    assert "gen0_00" not in confirmed


def test_after_a_breach_no_further_trial_of_the_candidate_is_begun() -> None:
    def watch(started: TrialStarted, _number: int) -> Watching:
        is_hot = "gen0_00" in started.trial_id and started.regime == "normal" and "-c01-" in started.trial_id
        return Watching(breach=HOT if is_hot else None)

    runner = ScriptedRunner(watch=watch).give(order_of()).run()
    after = [order for order in runner.orders if "gen0_00" in order.trial_id and order.regime in ("stress", "mixed")]

    assert after == []
    assert runner.pack("gen0_00")["safe"] is False
    assert runner.pack("gen0_00")["aggregate"]["score_v2"] == -float("inf")
    assert runner.pack("gen0_01")["safe"] is True


def test_a_default_that_breaches_a_cap_ends_the_evaluation() -> None:
    def watch(started: TrialStarted, _number: int) -> Watching:
        return Watching(breach=HOT if "-b00-" in started.trial_id else None)

    runner = ScriptedRunner(watch=watch).give(order_of()).run()

    assert runner.report()["standing"] == "stopped"
    assert "untouched default breaches a cap" in runner.report()["refusals"][-1]
    assert "artifacts/candidates/cpu/gen0_01.json" not in runner.files


def test_errors_of_a_trial_that_is_done_are_told_to_the_watchdog_and_those_of_a_failed_one_are_not() -> None:
    def script(order: TrialOrder, _number: int) -> Showing:
        return {"c00": Showing(errors=2), "c01": Showing(status="failed")}.get(place(order), Showing())

    runner = ScriptedRunner(script).give(order_of(genome=OTHER)).run()
    told = {message.trial_id.split("-")[-2]: message.readings for message in runner.messages(TrialFinished)}

    assert told["c00"]["errors"].value == 2.0
    assert "errors" not in told["c01"]
    assert told["b00"]["errors"].value == 0.0


def test_noisy_trials_are_repeated_as_often_as_is_allowed_and_counted() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        return Showing(pressure=0.9) if order.regime == "stress" else steady(order, number)

    settings = settings_with(has_random_arm=False, confirmed=0, noise_repeats=3)
    runner = ScriptedRunner(script, settings=settings).give(order_of(genome=OTHER)).run()
    stress = next(regime for regime in runner.pack()["artifacts"]["regimes"] if regime["regime"] == "stress")

    assert sum(order.regime == "stress" for order in runner.orders) == 10 + 3
    assert stress["noisy"] == 10 + 3
    assert runner.report()["noisy"] == 10 + 3


def test_a_hot_machine_is_let_cool_before_the_next_trial() -> None:
    def watch(_started: TrialStarted, number: int) -> Watching:
        return Watching(temp_c=50.0 if number == 1 else max(50.0, 60.0 - number))

    runner = ScriptedRunner(watch=watch).give(order_of(genome=OTHER)).run()
    armed = Counter(message.trial_id for message in runner.messages(TrialStarted))

    assert armed[runner.orders[0].trial_id] == 1
    assert armed[runner.orders[1].trial_id] == 7
    assert sum(isinstance(event, Fired) and event.name == "cool" for event, _ in runner.inputs) == 6


def test_a_machine_that_does_not_cool_is_waited_for_one_minute() -> None:
    runner = ScriptedRunner(watch=lambda _started, number: Watching(temp_c=50.0 if number == 1 else 80.0))
    runner.give(order_of(genome=OTHER)).run(until_trial=2)

    assert sum(isinstance(event, Fired) and event.name == "cool" for event, _ in runner.inputs) == 60


def test_a_candidate_whose_settings_did_not_take_is_not_evaluated() -> None:
    settings = settings_with(has_random_arm=False, confirmed=0, tier_b="governor")
    watch = lambda _started, _number: Watching(applied={"governor": "unsupported: no such file"})  # noqa: E731
    genome = {**DEFAULT, "governor": "performance"}
    runner = ScriptedRunner(watch=watch, settings=settings)

    runner.give(order_of(genome=genome, tier_b=("governor",))).run()

    assert [order for order in runner.orders if place(order)[0] == "c"] == []
    assert runner.pack()["artifacts"]["status"] == "invalid"
    assert any("did not take" in note for note in runner.notes)


def test_settings_of_the_machine_reach_the_watchdog_for_the_candidate_alone() -> None:
    settings = settings_with(has_random_arm=False, confirmed=0, tier_b="governor swappiness")
    watch = lambda started, _number: Watching(applied=dict.fromkeys(started.settings, "applied"))  # noqa: E731
    runner = ScriptedRunner(watch=watch, settings=settings)

    runner.give(order_of(genome={**DEFAULT, "governor": "performance"}, tier_b=("governor",))).run()

    told = {(message.trial_id.split("-")[-2][0], str(message.settings)) for message in runner.messages(TrialStarted)}
    assert told == {("c", "{'governor': 'performance'}"), ("b", "{}")}


def test_an_evaluation_ends_when_its_trials_have_written_too_much() -> None:
    settings = settings_with(has_random_arm=False, confirmed=0, budget_mib=10)
    runner = ScriptedRunner(lambda *_: Showing(written_bytes=4 << 20), settings=settings)

    runner.give(order_of(genome=OTHER)).run()

    assert len(runner.orders) == 3
    assert "budget of 10 MiB" in runner.report()["refusals"][-1]


def test_on_a_machine_with_nothing_everything_is_unavailable_and_nothing_is_a_number() -> None:
    bare = HOST.model_copy(update={"programs": {}})
    runner = ScriptedRunner(host=bare).give(order_of(generations=2, population=4)).run()
    pack = runner.pack()

    assert runner.orders == []
    assert runner.report()["standing"] == "done"
    assert pack["artifacts"]["status"] == "unavailable"
    assert {regime["status"] for regime in pack["artifacts"]["regimes"]} == {"unavailable"}
    assert all(regime["packages"] for regime in pack["artifacts"]["regimes"])
    assert "artifacts/baselines.json" not in runner.files


def test_without_stress_ng_the_other_regimes_go_on() -> None:
    without = HOST.model_copy(update={"programs": {"python3": "/usr/bin/python3"}})
    runner = ScriptedRunner(host=without).give(order_of(genome=OTHER)).run()
    statuses = {regime["regime"]: regime["status"] for regime in runner.pack()["artifacts"]["regimes"]}

    assert statuses == {"idle": "measured", "normal": "measured", "stress": "measured", "mixed": "unavailable"}
    assert runner.pack()["artifacts"]["status"] == "scored"


def test_what_a_workload_finds_missing_when_it_runs_is_unavailable_and_no_failure() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        if order.regime != "normal":
            return steady(order, number)
        return Showing(status="failed", exit_code=UNAVAILABLE, stderr="unavailable: no such device")

    runner = ScriptedRunner(script).give(order_of(genome=OTHER)).run()
    normal = next(regime for regime in runner.pack()["artifacts"]["regimes"] if regime["regime"] == "normal")

    assert (normal["status"], normal["reason"], normal["failures"]) == ("unavailable", "no such device", 0)
    assert sum(order.regime == "normal" for order in runner.orders) == 1


def test_a_candidate_of_worse_quality_than_is_allowed_is_no_winner_however_fast() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        is_spoilt = "gen0_00" in order.trial_id and place(order)[0] == "c"
        perf = 900.0 if is_spoilt else steady(order, number).perf
        return Showing(perf=perf, figures={"compression_ratio": 1.5 if is_spoilt else 2.0})

    settings = settings_with(has_random_arm=False, confirmed=1)
    runner = ScriptedRunner(script, settings=settings).give(order_of(population=2)).run()

    assert runner.pack("gen0_00")["aggregate"]["score_v2"] > runner.pack("gen0_01")["aggregate"]["score_v2"]
    assert "compression_ratio" in runner.pack("gen0_00")["artifacts"]["quality_problems"][0]
    assert runner.pack("gen0_00")["artifacts"]["confirmation"] is None
    assert runner.pack("gen0_01")["artifacts"]["confirmation"] is not None
