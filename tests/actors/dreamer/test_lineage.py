"""The dreamer's memory of its own dreams (design, 5.7 and 5.8)."""

import msgpack
import pytest

from actors.dreamer.lineage import MAX_ANCESTORS, Ancestry, Memory, Plan, Recipe, merged
from schemas.ids import derived_id


def recipe(episode: int, *parents: int) -> Recipe:
    plan = Plan(episode, "pool" if parents else "image", parents, (0.9,) * bool(parents), (0.1, 0.2, 0.3), (0.25, 0.5))
    root = derived_id("dream", parents[0] if parents else episode)
    return Recipe(plan, derived_id("dream", episode), root, len(parents), 3, (Ancestry("image", 3, 1.0),))


def known(memory: Memory, upto: int = 40) -> list[int]:
    return [episode for episode in range(upto) if memory.find(derived_id("dream", episode)) is not None]


def test_only_the_last_dreams_are_remembered() -> None:
    memory = Memory(3)

    for episode in range(10):
        memory.remember(recipe(episode))

    assert known(memory) == [7, 8, 9]
    assert len(memory) == 3


def test_a_memory_of_none_remembers_none() -> None:
    memory = Memory(0)

    memory.remember(recipe(0))

    assert len(memory) == 0


def test_the_ancestors_of_a_remembered_dream_stay_and_go_with_it() -> None:
    memory = Memory(2)
    memory.remember(recipe(0))
    memory.remember(recipe(1, 0))
    memory.remember(recipe(2, 1))
    memory.remember(recipe(3))

    assert known(memory) == [0, 1, 2, 3]

    memory.remember(recipe(4))
    memory.remember(recipe(5))

    assert known(memory) == [4, 5]


def test_a_named_dream_stays_until_the_next_profile() -> None:
    memory = Memory(2)
    memory.remember(recipe(0))
    memory.name([derived_id("dream", 0), derived_id("dream", 99)])
    for episode in (1, 2, 3):
        memory.remember(recipe(episode))

    assert known(memory) == [0, 2, 3]

    memory.name([derived_id("dream", 3)])

    assert known(memory) == [2, 3]


def test_a_dream_named_by_two_profiles_in_turn_stays() -> None:
    memory = Memory(1)
    memory.remember(recipe(0))
    memory.name([derived_id("dream", 0)] * 2)
    memory.remember(recipe(1))

    memory.name([derived_id("dream", 0)])

    assert known(memory) == [0, 1]


def test_a_memory_comes_back_from_its_packed_form_and_goes_on_alike() -> None:
    memory, other = Memory(3), Memory(3)
    for episode in range(3):
        memory.remember(recipe(episode))
    memory.remember(recipe(3, 1, 2))
    memory.name([derived_id("dream", 2)])
    memory.forget(derived_id("dream", 3))

    other.unpack(msgpack.unpackb(msgpack.packb(memory.pack())))

    assert known(other) == known(memory) == [1, 2]
    assert other.recipe(3) == memory.recipe(3) == recipe(3, 1, 2)
    for episode in range(4, 12):
        memory.remember(recipe(episode))
        other.remember(recipe(episode))
    assert other.pack() == memory.pack()
    assert known(other) == [2, 9, 10, 11]


def test_equal_ancestors_are_added_up_and_shares_sum_to_one() -> None:
    parts = [
        Ancestry("image", 1, 0.3),
        Ancestry("random", -1, 0.1),
        Ancestry("image", 1, 0.2),
        Ancestry("factoid", 1, 0.4),
    ]

    result = merged(parts)

    assert [(part.origin, part.number) for part in result] == [("image", 1), ("factoid", 1), ("random", -1)]
    assert [part.share for part in result] == pytest.approx([0.5, 0.4, 0.1])


def test_too_many_ancestors_are_cut_to_the_largest() -> None:
    result = merged(Ancestry("factoid", index, 1.0 + index) for index in range(200))

    assert len(result) == MAX_ANCESTORS
    assert min(part.number for part in result) == 200 - MAX_ANCESTORS
    assert sum(part.share for part in result) == pytest.approx(1.0)
