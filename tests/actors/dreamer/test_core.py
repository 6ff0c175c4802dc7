"""The dreamer as a state machine: what it hears, what it says, and that a restart changes nothing."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from actors.dreamer.measures import DEFINITIONS
from bus.core import Fired, MessageRef, Observed, Outcome, Received, SetTimer
from bus.topology import TOPOLOGY
from schemas.bias import BiasProfile
from schemas.catalogue import CATALOGUE
from schemas.colour import to_hsv
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.inputs import InputSet
from schemas.tensor import decode

OPEN = {"coherence_threshold": 0.0}


def tensor_of(entry: DreamEntry) -> np.ndarray:
    return decode(entry.tensor_blob, entry.shape, entry.tensor_sha256)


def test_the_only_row_that_ends_at_the_dreamer_carries_a_profile() -> None:
    # the law of the design: the dreamer only ever receives BiasProfile
    rows = [row for row in TOPOLOGY if row.receiver == "dreamer"]

    assert {row.message for row in rows} == {BiasProfile}


@pytest.mark.parametrize("kind", sorted(set(CATALOGUE) - {"BiasProfile"}))
def test_every_other_message_is_refused_by_name_and_changes_nothing(stage: Any, kind: str) -> None:
    made = stage()
    made.start()
    before = made.core.snapshot()

    outcome = made.core.handle(Received(MessageRef("learner", 1, 1), CATALOGUE[kind].model_construct()), 5)

    assert outcome.refusal is not None
    assert kind in outcome.refusal
    assert outcome == Outcome(refusal=outcome.refusal)
    assert made.core.snapshot() == before


@pytest.mark.parametrize("event", [Observed("pool", b"x"), Fired("other")])
def test_observations_and_foreign_timers_are_refused(stage: Any, event: Any) -> None:
    made = stage()
    made.start()

    assert made.core.handle(event, 5).refusal is not None


def test_an_episode_before_the_start_is_refused(stage: Any) -> None:
    assert stage().core.handle(Fired("episode"), 5).refusal is not None


@pytest.mark.parametrize(("rate_hz", "delay_s"), [(5.0, 0.2), (0.0, 0.0)])
def test_each_episode_sets_the_timer_of_the_next_by_the_rate(stage: Any, rate_hz: float, delay_s: float) -> None:
    made = stage(dreamer={"rate_hz": rate_hz})

    assert made.start().timers == [SetTimer("episode", 0.0)]
    assert made.core.handle(Fired("episode"), 5).timers == [SetTimer("episode", delay_s)]


def test_a_dream_says_truly_what_it_is(stage: Any, world: InputSet) -> None:
    # seed 000, sections 3.1, 3.2 and 9: hash of the raw buffer, all fields, schema_version
    made = stage(pool=OPEN)
    made.start()

    entries = made.dream(60, now_ns=77)

    assert len(entries) == 60
    assert len({entry.id for entry in entries}) == 60
    assert {entry.source for entry in entries} == {"factoid", "image", "random"}
    for episode, entry in enumerate(entries):
        tensor = tensor_of(entry)
        assert entry.timestamp_ns == 77
        assert tensor.shape == (16, 16, 2, 3)
        assert entry.id == made.randomness.identify("dream", episode, entry.tensor_sha256)
        assert entry.chroma_signature == pytest.approx(tensor.mean(axis=(0, 1, 2), dtype=np.float64), abs=1e-9)
        assert (entry.generation, entry.parents, entry.lineage_root) == (0, (), entry.id)
        assert sum(ancestor.share for ancestor in entry.ancestry) == pytest.approx(1.0)
        assert (entry.image_id is not None) == (entry.source == "image")
        assert bool(entry.factoid_ids) == (entry.source == "factoid")
        splits = {ancestor.source: ancestor.split for ancestor in entry.ancestry}
        assert splits == {entry.source: "train" if entry.source == "image" else "none"}


def test_metadata_is_canonical_json_that_names_what_made_the_dream(stage: Any) -> None:
    made = stage(pool=OPEN)
    made.start()

    entry = made.dream(3)[2]

    metadata = json.loads(entry.metadata_json)
    assert entry.metadata_json == json.dumps(metadata, sort_keys=True, separators=(",", ":"))
    assert metadata["schema_version"] == 1
    assert (metadata["source"], metadata["parents"], metadata["episode"]) == (entry.source, [], 2)
    assert metadata["seed"] == {"run": 7, "ordinal": 1}
    assert metadata["profile_id"] is None
    assert metadata["definitions"] == DEFINITIONS
    assert metadata["config"]["tensor"] == {"rows": 16, "cols": 16, "layers": 2}
    assert metadata["config"]["dreamer"] == made.settings.dreamer.model_dump()
    assert len(metadata["operators"]) == made.settings.dreamer.steps


def test_only_dreams_at_or_above_the_gate_are_told_and_the_others_are_counted(stage: Any) -> None:
    # seed 000, section 2, point 1; the gate is inclusive: the very coherence of a dream lets it through
    free = stage(pool=OPEN)
    free.start()
    coherences = [entry.coherence for entry in free.dream(40)]
    gate = sorted(coherences)[20]
    made = stage(pool={"coherence_threshold": gate})
    made.start()

    told = made.dream(40)

    figures = made.core.figures()
    assert [entry.coherence for entry in told] == [coherence for coherence in coherences if coherence >= gate]
    assert gate in [entry.coherence for entry in told]
    assert sum(figures[f"accepted.{source}"] for source in ("factoid", "image", "pool", "random")) == len(told)
    assert sum(figures[f"rejected.{source}"] for source in ("factoid", "image", "pool", "random")) == 40 - len(told)
    assert figures["gate"] == gate


def test_a_rejected_dream_leaves_one_line_with_its_reason(stage: Any) -> None:
    made = stage(pool={"coherence_threshold": 1.0})
    made.start()

    outcome = made.core.handle(Fired("episode"), 5)

    assert not outcome.sends
    assert [note.level for note in outcome.notes] == ["debug"]
    assert "gate" in outcome.notes[0].text


def test_a_profile_takes_effect_at_the_next_episode_which_names_it(stage: Any, profile_of: Any) -> None:
    # seed 000, section 6.4
    made = stage(pool=OPEN)
    made.start()
    before = made.dream(2)
    profile = profile_of(weights=(0.0, 1.0, 0.0, 0.0))

    outcome = made.hear(profile)
    after = made.dream(2)

    assert [note.level for note in outcome.notes] == ["info"]
    assert not outcome.sends and not outcome.timers
    assert [entry.profile_id for entry in before] == [None, None]
    assert [entry.profile_id for entry in after] == [profile.profile_id] * 2
    assert [json.loads(entry.metadata_json)["profile_id"] for entry in after] == [profile.profile_id] * 2
    assert {entry.source for entry in after} == {"image"}


def test_profiles_heard_and_applied_are_counted_apart(stage: Any, profile_of: Any) -> None:
    made = stage(pool=OPEN)
    made.start()

    made.hear(profile_of(1))
    made.hear(profile_of(2))
    made.dream(3)
    made.hear(profile_of(3))

    figures = made.core.figures()
    assert (figures["profiles_received"], figures["profiles_applied"]) == (3, 1)
    assert figures["profile_id"] == profile_of(3).profile_id
    made.dream(1)
    assert made.core.figures()["profiles_applied"] == 2


def test_dreams_turn_to_the_hue_of_the_profile_and_turn_back_with_it(stage: Any, profile_of: Any) -> None:
    # seed 000, section 2: the loop closes; behaviour changes, and changes back
    made = stage(pool=OPEN)
    made.start()

    def alignment(hue: float, number: int) -> float:
        made.hear(profile_of(number, hue))
        hues = [to_hsv(entry.chroma_signature)[0] for entry in made.dream(80)]
        return float(np.mean([0.0 if h is None else np.cos(np.radians(h - hue)) for h in hues]))

    assert alignment(120.0, 1) > 0.5
    assert alignment(300.0, 2) > 0.5
    assert alignment(120.0, 3) > 0.5


def test_pool_dreams_are_born_of_the_named_dreams_alone(stage: Any, profile_of: Any) -> None:
    # dossier, seed 000: with the keeper cut off after one profile the pool-seeded dreams go on
    made = stage(pool=OPEN)
    made.start()
    first = {entry.id: entry for entry in made.dream(30)}
    named = tuple(list(first)[5:8])

    made.hear(profile_of(weights=(0.0, 0.0, 1.0, 0.0), exemplars=(*named, derived_id("never dreamt"))))
    children = made.dream(40)

    assert {entry.source for entry in children} == {"pool"}
    assert {parent for entry in children for parent in entry.parents} == set(named)
    for child in children:
        mother = first[child.parents[0]]
        assert child.generation == 1
        assert child.lineage_root == mother.id
        assert child.image_id == mother.image_id
        assert sum(ancestor.share for ancestor in child.ancestry) == pytest.approx(1.0)
        kinds = {ancestor.ancestor_id for parent in child.parents for ancestor in first[parent].ancestry}
        assert {ancestor.ancestor_id for ancestor in child.ancestry} == kinds | {None}


def test_a_named_dream_is_remembered_however_many_follow(stage: Any, profile_of: Any) -> None:
    made = stage(pool=OPEN, dreamer={"memory_dreams": 2})
    made.start()
    named = made.dream(1)[0].id
    made.hear(profile_of(1, weights=(0.0, 0.0, 0.0, 1.0), exemplars=(named,)))
    made.dream(20)

    made.hear(profile_of(2, weights=(0.0, 0.0, 1.0, 0.0), exemplars=(named,)))

    assert {entry.parents for entry in made.dream(5)} == {(named,)}


def test_a_restored_core_forgets_the_tensors_of_its_own_past(stage: Any, profile_of: Any) -> None:
    def two_dreams(hue: float) -> tuple[Any, str]:
        made = stage(pool=OPEN)
        made.start()
        made.hear(profile_of(1, hue))
        ids = [entry.id for entry in made.dream(2)]
        made.hear(profile_of(2, hue, weights=(0.0, 0.0, 1.0, 0.0), exemplars=(ids[1],)))
        return made, ids[1]

    (green, _), (violet, _) = two_dreams(120.0), two_dreams(300.0)
    data = violet.core.snapshot()
    green.dream(1)
    green.core.restore(data)

    assert green.dream(1) == violet.dream(1)


def test_a_profile_whose_exemplars_are_all_unknown_does_not_stop_the_dreams(stage: Any, profile_of: Any) -> None:
    made = stage(pool=OPEN)
    made.start()

    made.hear(profile_of(weights=(0.0, 0.0, 1.0, 0.0), exemplars=(derived_id("x"), derived_id("y"))))

    sources = Counter(entry.source for entry in made.dream(60))
    assert sources["pool"] == 0
    assert set(sources) == {"factoid", "image", "random"}


def test_generations_stop_at_the_cap(stage: Any, profile_of: Any) -> None:
    # dossier, section 6.4: no mixtures of mixtures without end
    made = stage(pool=OPEN, dreamer={"max_generation": 2})
    made.start()
    last = made.dream(1)[0]
    generations = []
    for number in range(6):
        made.hear(profile_of(number, weights=(0.0, 0.0, 1.0, 0.0), exemplars=(last.id,)))
        last = made.dream(1)[0]
        generations.append(last.generation)

    assert generations == [1, 2, 3, 0, 1, 2]


def test_a_child_of_a_child_is_the_same_whether_its_parents_were_at_hand_or_made_again(
    stage: Any, profile_of: Any
) -> None:
    def run(is_restarted: bool) -> list[bytes]:
        made = stage(pool=OPEN)
        made.start()
        ids = [entry.id for entry in made.dream(6)]
        digests = []
        for number in range(4):
            made.hear(profile_of(number, weights=(0.0, 0.0, 1.0, 0.0), exemplars=tuple(ids[-2:])))
            if is_restarted:
                data = made.core.snapshot()
                made = stage(pool=OPEN)
                made.core.restore(data)
                made.start(2)
            entries = made.dream(3)
            ids += [entry.id for entry in entries]
            digests += [entry.tensor_sha256 for entry in entries]
        return digests

    assert run(is_restarted=True) == run(is_restarted=False)


def test_a_dream_that_cannot_be_made_as_it_was_is_forgotten_with_a_warning(
    stage: Any, profile_of: Any, world: InputSet
) -> None:
    made = stage(pool=OPEN)
    made.start()
    named = made.dream(1)[0].id
    other = stage(InputSet(pictures=world.pictures[::-1], factoids=world.factoids[:1]), seed=8, pool=OPEN)
    other.core.restore(made.core.snapshot())
    other.start(2)
    other.hear(profile_of(weights=(0.0, 0.0, 1.0, 0.0), exemplars=(named,)))

    outcome = other.core.handle(Fired("episode"), 5)

    assert [note.level for note in outcome.notes] == ["warning"]
    assert named in outcome.notes[0].text
    assert outcome.sends


def test_restore_continues_bit_for_bit(stage: Any, profile_of: Any) -> None:
    made, other = stage(), stage()
    made.start()
    ids = [entry.id for entry in made.dream(20)]
    made.hear(profile_of(exemplars=tuple(ids[:4]), entropy_window=(0.3, 0.5)))
    made.dream(5)
    data = made.core.snapshot()

    other.core.restore(data)
    assert other.core.snapshot() == data
    assert other.core.figures() == made.core.figures()
    other.start(2)

    assert other.dream(20) == made.dream(20)
    assert other.core.snapshot() == made.core.snapshot()


def test_the_digest_of_the_draws_does_not_depend_on_tensors_at_hand(stage: Any, profile_of: Any) -> None:
    made, other = stage(pool=OPEN), stage(pool=OPEN)
    made.start()
    named = made.dream(1)[0].id
    made.hear(profile_of(weights=(0.0, 0.0, 1.0, 0.0), exemplars=(named,)))
    made.dream(1)
    other.core.restore(made.core.snapshot())
    made.randomness.take_digest()

    made.dream(1)
    other.dream(1)

    assert other.randomness.take_digest() == made.randomness.take_digest()


def test_the_gate_is_measured_once_and_kept(stage: Any) -> None:
    made, other = stage(), stage()
    made.start()
    other.core.restore(made.core.snapshot())
    other.randomness.take_digest()

    other.start(2)

    assert other.core.figures()["gate"] == made.core.figures()["gate"]
    assert other.randomness.take_digest() == bytes(8)


def test_a_snapshot_of_another_version_is_refused(stage: Any) -> None:
    with pytest.raises(ValueError, match="version"):
        stage().core.restore(b"\x98\x63\xc0\xc0\xc0\xc0\xc0\xc0\xc0")


def test_a_full_memory_makes_a_compact_snapshot(stage: Any, profile_of: Any) -> None:
    made = stage(pool=OPEN, dreamer={"memory_dreams": 100, "steps": 1})
    made.start()
    made.hear(profile_of())
    made.dream(120)

    assert len(made.core.snapshot()) < 100 * 200


def test_an_image_dream_still_looks_like_its_picture(stage: Any, sample_pictures: InputSet) -> None:
    # the label of a dream's picture is worth nothing if evolution washes it out
    made = stage(sample_pictures, pool=OPEN, tensor={"rows": 32, "cols": 32, "layers": 2})
    made.start()
    means = {
        picture.image_id: np.mean(picture.pixels("train") / 255.0, axis=(0, 1)) for picture in sample_pictures.pictures
    }

    dreams = [entry for entry in made.dream(240) if entry.source == "image"]

    def nearest(entry: DreamEntry) -> str:
        return min(means, key=lambda image_id: float(np.abs(means[image_id] - entry.chroma_signature).sum()))

    hits = np.mean([nearest(entry) == entry.image_id for entry in dreams])
    assert hits > 2.5 / len(means)


def test_image_dreams_of_the_sample_set_pass_the_gate(stage: Any, sample_pictures: InputSet) -> None:
    # design, 5.2
    made = stage(sample_pictures, tensor={"rows": 32, "cols": 32, "layers": 4})
    made.start()
    made.dream(120)

    assert made.core.figures()["acceptance.image"] >= 0.8


def test_a_world_without_pictures_or_facts_still_dreams(stage: Any) -> None:
    made = stage(InputSet(pictures=(), factoids=()), pool=OPEN)
    made.start()

    assert {entry.source for entry in made.dream(10)} == {"random"}
