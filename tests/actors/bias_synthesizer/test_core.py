"""When a profile is made, who hears it, and what survives a restart."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actors.bias_synthesizer.aggregation import LARGEST_INTERVAL, WINDOW_INTERVALS, Window
from bus.core import Fired, MessageRef, Observed, Received, Started
from schemas.bias import BiasProfile
from schemas.control import Figure
from schemas.retrieval import PoolStatsRequest

Listen = Callable[..., Any]
Make = Callable[..., Any]


def some(make_record: Make, count: int, first: int = 0) -> list[Any]:
    return [make_record(n, 0.1, hue=7.0 * n, entropy=0.4, query=n) for n in range(first, first + count)]


def test_nineteen_records_make_no_profile_and_twenty_make_one(listener: Listen, make_record: Make) -> None:
    # seed 000, section 8: min_feedback = 20
    heard = listener()

    heard.feed(some(make_record, 19))
    too_early = len(heard.profiles)
    heard.feed(some(make_record, 1, first=19))

    assert too_early == 0
    assert [profile.feedback_total for profile in heard.profiles] == [20]


def test_further_profiles_come_every_update_interval_of_records(listener: Listen, make_record: Make) -> None:
    # seed 000, section 8; design, 5.10: a step is one feedback record
    heard = listener(update_interval_steps=50, min_feedback=20)

    seen = []
    for number in range(30):
        heard.feed(some(make_record, 5, first=5 * number))
        seen.append(len(heard.profiles))

    assert [5 * (number + 1) for number in range(30) if seen[number] > ([0, *seen])[number]] == [20, 70, 120]


def test_profile_goes_to_everyone_that_the_topology_allows_and_to_both_files(
    listener: Listen, make_record: Make
) -> None:
    # seed 000, section 6, steps 3 and 4
    heard = listener()

    outcome = heard.feed(some(make_record, 20))

    assert [(send.message.kind, send.to) for send in outcome.sends] == [("BiasProfile", None)]
    assert [effect.path for effect in outcome.effects] == ["data/bias_profile.json", "data/bias_explanation.json"]


def test_profile_file_has_the_names_of_the_seed(listener: Listen, make_record: Make) -> None:
    # seed 000, sections 3.7 and 9
    heard = listener()
    heard.feed(some(make_record, 20))

    document = json.loads(heard.files["data/bias_profile.json"])

    assert document["schema_version"] == 1
    assert document["updated_at"] == "2026-01-01T00:00:00.001000Z"
    assert document["updated_at_ns"] == heard.now_ns
    assert len(document["chroma_prior"]) == 3
    assert len(document["entropy_window"]) == 2
    assert set(document["seed_weights"]) == {"factoid_weight", "image_weight", "pool_seed_weight", "random_weight"}
    assert set(BiasProfile.model_fields) <= set(document)
    assert document["profile_id"] == heard.profiles[0].profile_id


def test_profiles_have_ids_of_their_own_that_a_replay_derives_again(listener: Listen, make_record: Make) -> None:
    first, again = listener(update_interval_steps=1), listener(update_interval_steps=1)
    for heard in (first, again):
        for number in range(25):
            heard.feed(some(make_record, 1, first=number))

    ids = [profile.profile_id for profile in first.profiles]
    assert len(set(ids)) == 6
    assert ids == [profile.profile_id for profile in again.profiles]


def test_restored_synthesizer_continues_with_the_same_bytes(listener: Listen, make_record: Make) -> None:
    options = {"update_interval_steps": 30, "max_step": 0.1, "exploration_floor": 0.05}
    steady, restarted = listener(**options), listener(**options)

    for number in range(40):
        batch = some(make_record, 7, first=3 * number)
        steady.feed(batch)
        restarted.feed(batch)
        fresh = listener(**options)
        fresh.core.restore(restarted.core.snapshot())
        assert fresh.core.snapshot() == restarted.core.snapshot()
        restarted.core = fresh.core

    assert restarted.profiles == steady.profiles
    assert restarted.files == steady.files
    assert restarted.core.figures() == steady.core.figures()


def test_old_utilities_fade(listener: Listen, make_record: Make) -> None:
    heard = listener()
    heard.feed([make_record(f"old-{n}", 0.5, hue=0.0) for n in range(400)])

    for number in range(10):
        often_retrieved = [make_record(f"new-{n % 50}", 0.1, hue=120.0, query=number) for n in range(200)]
        heard.feed(often_retrieved)

    assert [entry.bin for entry in heard.profiles[-1].bins] == [8]


def test_flood_on_one_dream_pushes_no_other_dream_out(listener: Listen, make_record: Make) -> None:
    # dossier section 6: weight per dream; one learner among several cannot drown the others
    heard = listener()
    heard.feed([make_record(n, 0.5, hue=0.0) for n in range(50)])

    for number in range(20):
        heard.feed([make_record("loud", 0.1, hue=120.0, query=number * 400 + n) for n in range(400)], learner="loud")

    counts = {entry.bin: entry.count for entry in heard.profiles[-1].bins}
    assert counts == {0: 50, 8: 1}
    assert heard.profiles[-1].bins[0].weight > heard.profiles[-1].bins[1].weight


def test_state_stays_bounded_under_endless_feedback(listener: Listen, make_record: Make) -> None:
    heard = listener()
    sizes = []

    for number in range(30):
        heard.feed([make_record(f"{number}-{n}", 0.1) for n in range(150)])
        sizes.append(len(heard.core.snapshot()))

    assert max(sizes) < 120_000
    assert sizes[-1] <= max(sizes[:15])


def test_window_stays_bounded_when_intervals_are_enormous(make_record: Make) -> None:
    window = Window(update_interval=1_000_000, min_feedback=20)
    template = make_record(0, 0.1)

    for number in range(9):
        window.add(
            template.model_copy(update={"entry_id": f"{number:08d}-0000-5000-8000-{place:012d}"})
            for place in range(4000)
        )

    assert window.records == LARGEST_INTERVAL * (WINDOW_INTERVALS - 1)


def test_profile_of_an_earlier_run_is_sent_again_with_its_numbers(listener: Listen, make_record: Make) -> None:
    yesterday = listener()
    yesterday.feed(some(make_record, 20))
    left = yesterday.files["data/bias_profile.json"]
    today = listener()
    today.hand(Started(1))

    outcome = today.hand(Observed("previous_profile", left))

    old, new = yesterday.profiles[0], today.profiles[0]
    keys = set(BiasProfile.model_fields) - {"profile_id", "updated_at_ns"}
    assert new.model_dump(include=keys) == old.model_dump(include=keys)
    assert new.updated_at_ns == today.now_ns
    assert outcome.refusal is None
    assert json.loads(today.files["data/bias_profile.json"])["profile_id"] == new.profile_id


def test_carried_profile_bounds_the_first_step_of_the_new_run(listener: Listen, make_record: Make) -> None:
    yesterday = listener()
    yesterday.feed([make_record(n, 0.1, hue=0.0) for n in range(20)])
    today = listener(max_step=0.1)
    today.hand(Observed("previous_profile", yesterday.files["data/bias_profile.json"]))

    today.feed([make_record(n, 0.1, hue=180.0) for n in range(20)])

    moves = [abs(a - b) for a, b in zip(today.profiles[0].chroma_prior, today.profiles[1].chroma_prior, strict=True)]
    assert max(moves) == pytest.approx(0.1)


def test_bins_of_another_layout_are_not_carried_over(listener: Listen, make_record: Make) -> None:
    yesterday = listener(chroma_bins=12)
    yesterday.feed(some(make_record, 20))
    today = listener(chroma_bins=24)

    today.hand(Observed("previous_profile", yesterday.files["data/bias_profile.json"]))

    assert yesterday.profiles[0].bins != ()
    assert today.profiles[0].bins == ()
    assert today.profiles[0].chroma_bins == 24


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (b"", "not JSON"),
        (b"{half", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "schema_version is None"),
        (b'{"schema_version": 2}', "schema_version is 2"),
        (b'{"schema_version": 1}', "Field required"),
        (b"[" * 100_000, "not JSON"),
        (b" " * 2_000_000, "2000000 bytes"),
    ],
)
def test_file_that_is_no_profile_is_named_and_the_run_goes_on(
    listener: Listen, make_record: Make, left: bytes, reason: str
) -> None:
    heard = listener()

    outcome = heard.hand(Observed("previous_profile", left))
    heard.feed(some(make_record, 20))

    assert reason in str(outcome.refusal)
    assert "data/bias_profile.json" in str(outcome.refusal)
    assert outcome.sends == []
    assert len(heard.profiles) == 1


@pytest.mark.parametrize("change", [{"chroma_prior": [2.0, 0, 0]}, {"hue_concentration": float("nan")}, {"extra": 1}])
def test_profile_file_with_a_wrong_value_is_refused(
    listener: Listen, make_record: Make, change: dict[str, Any]
) -> None:
    yesterday = listener()
    yesterday.feed(some(make_record, 20))
    document = json.loads(yesterday.files["data/bias_profile.json"]) | change

    outcome = listener().hand(Observed("previous_profile", json.dumps(document).encode()))

    assert next(iter(change)) in str(outcome.refusal)


def test_anything_else_is_refused(listener: Listen) -> None:
    heard = listener()

    other = heard.hand(Received(MessageRef("learner", 1, 1), PoolStatsRequest(request=1)))
    timer = heard.hand(Fired("tick"))
    observed = heard.hand(Observed("weather", b"rain"))

    assert "PoolStatsRequest" in str(other.refusal)
    assert "tick" in str(timer.refusal)
    assert "weather" in str(observed.refusal)


def test_figures_have_names_that_a_heartbeat_can_carry(listener: Listen, make_record: Make) -> None:
    heard = listener()
    fresh = [Figure(name=name, value=value) for name, value in heard.core.figures().items()]
    heard.feed(some(make_record, 20))
    later = {name: Figure(name=name, value=value).value for name, value in heard.core.figures().items()}

    assert {figure.name for figure in fresh} == set(later)
    assert (later["profiles"], later["feedback_seen"], later["profile_id"]) == (1, 20, heard.profiles[0].profile_id)
