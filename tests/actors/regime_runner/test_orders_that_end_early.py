"""Orders that are cancelled, lost or refused: each ends with words in its report, and the next one is taken."""

import json

from bus.core import MessageRef, Received, Started
from schemas.regimes import CancelEvaluation, PackWritten, TrialOrder
from tests.scripted_trials import OTHER, ScriptedRunner, Showing, order_of, place, steady

EVOLUTION = "artifacts/domain_evolution/cpu_evolution.jsonl"


def cancel(order_id: str = "o1") -> CancelEvaluation:
    return CancelEvaluation(order_id=order_id)


def test_an_order_that_is_cancelled_keeps_what_was_measured_and_begins_no_further_trial() -> None:
    runner = ScriptedRunner().give(order_of(population=3)).run(until_trial=45)

    runner.give(cancel()).run()

    assert len(runner.orders) == 45
    assert runner.report()["standing"] == "cancelled"
    assert runner.report()["packs"] == ["artifacts/candidates/cpu/gen0_00.json"]
    assert "cancelled" in runner.report()["refusals"][-1]
    assert json.loads(runner.files[EVOLUTION])["population_size"] == 1


def test_a_cancelled_order_ends_the_trial_whose_guard_stands_ready() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER))
    while not runner._prepared:
        runner._feed(runner._queue.popleft())

    runner._feed(Received(MessageRef("supervisor", 1, 99), cancel()))
    runner.run()

    assert runner.orders == []
    assert runner.report()["standing"] == "cancelled"
    assert runner.core.runner.state.attempt is None


def test_an_order_that_waits_is_cancelled_alone() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).give(order_of(order_id="o2", genome=OTHER))

    runner.give(cancel("o2")).run()

    assert runner.report("o1")["standing"] == "done"
    assert runner.report("o2")["standing"] == "cancelled"


def test_the_order_that_waits_is_taken_up_after_a_cancelled_one() -> None:
    runner = ScriptedRunner().give(order_of(population=3)).give(order_of(order_id="o2", genome=OTHER))
    runner.run(until_trial=3)

    runner.give(cancel()).run()

    assert runner.report("o1")["standing"] == "cancelled"
    assert runner.report("o2")["standing"] == "done"


def test_to_cancel_what_nobody_ordered_is_refused_in_words() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).give(cancel("o9")).run()

    assert runner.refusals == ["order o9 is neither carried out nor waiting"]
    assert runner.report()["standing"] == "done"


def test_a_cancelled_order_stays_cancelled_when_its_process_is_killed_meanwhile() -> None:
    runner = ScriptedRunner().give(order_of(population=3)).run(until_trial=5)
    runner._feed(Received(MessageRef("supervisor", 1, 99), cancel()))

    runner.kill().run()

    assert runner.report()["standing"] == "cancelled"
    assert len(runner.orders) == 5


def test_damaged_baselines_refuse_the_order_before_any_trial() -> None:
    runner = ScriptedRunner(baselines=b"{not json").give(order_of(genome=OTHER)).run()

    assert runner.orders == []
    assert runner.report()["standing"] == "refused"
    assert "baselines.json cannot be read" in runner.report()["refusals"][-1]


def test_a_process_of_another_version_gives_the_order_up_in_words_and_takes_the_next() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run(until_trial=5)
    state = json.loads(runner.core.snapshot())
    state["evaluation"]["trials_of_old"] = 5

    runner.core = runner.make_core()
    runner.core.restore(json.dumps(state).encode())
    runner._queue.clear()
    runner._queue.append(Started(2))
    runner.give(order_of(order_id="o2", genome=OTHER)).run()

    assert runner.report("o1")["standing"] == "refused"
    assert "another version: evaluation.trials_of_old" in runner.report("o1")["refusals"][-1]
    assert runner.report("o2")["standing"] == "done"


def test_an_order_ends_in_words_when_its_settings_cannot_be_read_after_a_restart() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run(until_trial=5)
    runner.core.runner.state.regimes = "version: 3\n"

    runner.kill().run()

    assert runner.report()["standing"] == "stopped"
    assert "regimes.yaml" in runner.report()["refusals"][-1]
    assert runner.core.runner.state.evaluation is None


def test_a_candidate_that_was_measured_before_there_was_a_baseline_is_scored_when_there_is_one() -> None:
    def script(order: TrialOrder, number: int) -> Showing:
        is_late = place(order) in {"b06", "b07", "b08", "b09"}
        is_broken = order.regime == "stress" and is_late and "gen0_00" in order.trial_id
        return Showing(status="failed") if is_broken else steady(order, number)

    runner = ScriptedRunner(script).give(order_of(trials=10)).run()
    written = [message for message in runner.messages(PackWritten) if message.cand_id == "gen0_00"]

    assert len(written) == 2
    assert written[0].score_v2 is None
    assert isinstance(written[1].score_v2, float)
    assert written[1].score_v2 == runner.pack()["aggregate"]["score_v2"]
    assert json.loads(runner.files[EVOLUTION])["valid_individuals"] == 2


def test_a_genome_that_was_given_is_no_random_search() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run()

    assert json.loads(runner.files[EVOLUTION])["random_best_fitness"] is None
