"""What the user wants of the pool: dreams of another pool, dreams that are pinned."""

from typing import Any

from actors.pool_keeper.reading import DreamFilter, PoolReader
from schemas.ids import derived_id
from schemas.pool import AdoptDream, PinDreams


def adopted(dream: Any) -> AdoptDream:
    return AdoptDream(**dream.__dict__)


def test_an_adopted_dream_is_stored_as_it_was_and_logged(keeper: Any, dream: Any) -> None:
    outcome = keeper.say(adopted(dream(1)), "supervisor")
    keeper.commit()

    assert outcome.refusal is None
    assert keeper.store.columns.count == 1
    with PoolReader(keeper.home) as reader:
        assert reader.facts(1).model_dump() == {
            name: value for name, value in dream(1).model_dump().items() if name != "tensor_blob"
        }
    (line,) = keeper.log("persist")
    assert (line["event"], line["sender"]) == ("stored", "supervisor")


def test_the_gate_of_coherence_is_not_for_adopted_dreams(open_keeper: Any, dream: Any) -> None:
    keeper = open_keeper(gate=0.9)

    outcome = keeper.say(adopted(dream(1, coherence=0.2)), "supervisor")

    assert outcome.refusal is None


def test_a_tensor_that_is_not_what_its_hash_says_is_refused(keeper: Any, dream: Any) -> None:
    outcome = keeper.say(adopted(dream(1, tensor_blob=dream(2).tensor_blob)), "supervisor")

    assert "sha256" in (outcome.refusal or "")
    assert keeper.store.columns.count == 0


def test_a_pinned_dream_is_pinned_until_it_is_unpinned(keeper: Any, dream: Any) -> None:
    keeper.dream(dream(1), dream(2))
    for is_pinned in (True, False, True):
        keeper.say(PinDreams(dream_ids=(dream(1).id,), is_pinned=is_pinned), "supervisor")
    keeper.say(PinDreams(dream_ids=(dream(2).id,), is_pinned=True), "supervisor")
    keeper.say(PinDreams(dream_ids=(dream(2).id,), is_pinned=False), "supervisor")
    keeper.commit()

    with PoolReader(keeper.home) as reader:
        assert reader.pinned == {dream(1).id}
        assert reader.sequences(DreamFilter(is_pinned=True)) == [(1, dream(1).id)]


def test_a_dream_that_the_pool_does_not_hold_cannot_be_pinned(keeper: Any, dream: Any) -> None:
    keeper.dream(dream(1))
    nobody = derived_id("nobody")

    outcome = keeper.say(PinDreams(dream_ids=(dream(1).id, nobody), is_pinned=True), "supervisor")
    keeper.commit()

    assert nobody in (outcome.refusal or "")
    assert [line["event"] for line in keeper.log("persist")[1:]] == ["pinned", "refused"]
