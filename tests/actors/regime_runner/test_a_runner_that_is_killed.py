"""An evaluation goes on where its process was killed, and comes out again from its inputs alone."""

import pytest

from bus.core import Received
from schemas.errors import OneirosError
from schemas.regimes import PackWritten, TrialFinished
from tests.scripted_trials import (
    OTHER,
    ScriptedRunner,
    order_of,
    place,
    settings_with,
)


def decisions(runner: ScriptedRunner) -> list[str]:
    """The commands of all trials in order, without the numbers that a restart moves."""
    return [f"{order.trial_id.rpartition('-')[0]} {order.argv} {order.nice}" for order in runner.orders]


@pytest.mark.parametrize("killed_at", [1, 57, 139])
def test_a_kill_at_any_trial_leads_to_the_same_packs_as_an_uninterrupted_run(killed_at: int) -> None:
    settings = settings_with(has_random_arm=True, confirmed=0)
    order = order_of(generations=2, population=2, trials=2)
    whole = ScriptedRunner(settings=settings).give(order).run()

    broken = ScriptedRunner(settings=settings).give(order).run(until_trial=killed_at).kill().run()

    proposals = [path for path in whole.files if path.startswith("artifacts/candidates")]
    assert len(whole.orders) >= 140
    assert [broken.pack(path[-12:-5])["genome"] for path in proposals] == [
        whole.pack(path[-12:-5])["genome"] for path in proposals
    ]
    assert set(broken.files) == set(whole.files)
    assert [broken.pack(path[-12:-5])["aggregate"]["score_v2"] for path in proposals] == [
        whole.pack(path[-12:-5])["aggregate"]["score_v2"] for path in proposals
    ]


def test_a_trial_that_went_with_its_process_is_told_to_the_watchdog_and_run_again() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run(until_trial=5)
    lost = runner.orders[-1]

    runner.kill().run()
    again = [order for order in runner.orders if place(order) == place(lost) and order.regime == lost.regime]

    assert [message.status for message in runner.messages(TrialFinished) if message.trial_id == lost.trial_id] == [
        "killed"
    ]
    assert len(again) == 2
    assert runner.report()["standing"] == "done"
    assert runner.report()["retried"] == 0


def test_the_whole_evaluation_is_repeated_from_its_inputs_alone() -> None:
    settings = settings_with(has_random_arm=True, confirmed=1)
    runner = ScriptedRunner(settings=settings).give(order_of(generations=2, trials=2)).run()
    again = ScriptedRunner(settings=settings)
    core, said, files = again.make_core(), [], {}

    for event, now_ns in runner.inputs:
        if type(event).__name__ == "Started" and event.epoch > 1:
            state, core = core.snapshot(), again.make_core()
            core.restore(state)
        outcome = core.handle(event, now_ns)
        said += [send.message for send in outcome.sends]
        for effect in outcome.effects:
            files[effect.path] = files.get(effect.path, b"")[: effect.offset or 0] + effect.content

    assert said == runner.said
    assert files == runner.files
    assert core.snapshot() == runner.core.snapshot()


def test_answers_of_another_process_are_passed_over() -> None:
    runner = ScriptedRunner().give(order_of(genome=OTHER)).run(until_trial=3)
    late = [event for event, _ in runner.inputs if getattr(event, "name", "") in ("prepared", "trial", "survey")]

    runner._queue.extendleft(late)
    runner.run()

    assert runner.report()["standing"] == "done"
    assert runner.report()["trial"] == 40


def test_a_message_that_is_not_for_it_is_refused() -> None:
    runner = ScriptedRunner().run()
    message = PackWritten(
        order_id="o1",
        domain="cpu",
        cand_id="c",
        generation=0,
        path="p",
        sha256="0" * 64,
        is_valid=True,
        safe=None,
        score_v2=None,
    )

    outcome = runner.core.handle(Received(("x", 1, 1), message), 1)  # type: ignore[arg-type]

    assert outcome.refusal is not None


def test_a_snapshot_of_another_version_is_refused_in_words() -> None:
    with pytest.raises(OneirosError, match="another version"):
        ScriptedRunner().core.restore(b'{"epoch": "three"}')
