"""What exploration draws from: rows in order, marks, lots."""

import numpy as np
import pytest

from actors.pool_keeper.bits import Bits
from actors.pool_keeper.drawing import Sequence
from actors.pool_keeper.lots import Lots
from actors.pool_keeper.sorted_rows import SortedRows


@pytest.mark.parametrize("seed", range(40))
def test_rows_stay_in_order_whatever_comes_and_goes(seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=seed))
    count, most = int(generator.integers(1, 3000)), int(generator.choice([2, 50, 2**62]))
    halves = generator.integers(0, most, (count, 2)), generator.permutation(count)[:, None]
    keys = np.hstack((*halves, np.zeros((count, 1), dtype=np.int64))).astype(np.uint64)
    rows = SortedRows(lambda some: keys[some], kin_words=2)
    is_here = np.zeros(count, dtype=bool)
    at = 0
    while at < count:
        came = np.arange(at, min(count, at + int(generator.choice([1, 1, 5, 40, 400, 2000]))))
        gone = np.sort(generator.permutation(np.flatnonzero(is_here))[: int(generator.integers(0, 3))])
        at = int(came[-1]) + 1

        rows.change(came, gone)

        is_here[came], is_here[gone] = True, False
        expected = np.flatnonzero(is_here)
        expected = expected[np.lexsort(keys[expected].T[::-1])]
        assert rows.merged().tolist() == expected.tolist()


def test_kin_stand_between_their_keys_up_to_the_highest() -> None:
    highest = 2**64 - 1
    keys = np.array([[1, 5, 0], [1, highest, 0], [2, 0, 0], [highest, highest, 0]], dtype=np.uint64)
    rows = SortedRows(lambda some: keys[some], kin_words=2)
    rows.change(np.arange(4), np.array([], dtype=np.int64))

    begins, ends = rows.kin(keys)

    assert begins.tolist() == keys[:, :2].tolist()
    assert ends.tolist() == [[1, 6], [2, 0], [2, 1], [0, 0]]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_marks_are_counted_and_found(share: float) -> None:
    marks = np.random.Generator(np.random.Philox(key=3)).random(1000) < share
    bits = Bits(marks)
    places = np.arange(1001)

    assert bits.total == marks.sum()
    assert bits.rank(places).tolist() == [int(marks[:place].sum()) for place in places]
    assert bits.places(np.arange(bits.total)).tolist() == np.flatnonzero(marks).tolist()
    assert bits.marked(places[:-1]).tolist() == bits.all(1000).tolist() == marks.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_numbers_what_is_left_and_what_came_in_between(seed: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=seed))
    marks = generator.random(200) < 0.6
    gone = np.sort(generator.permutation(np.flatnonzero(marks))[: int(generator.integers(0, 60))])
    at = np.sort(generator.integers(0, 201, int(generator.integers(0, 60))))
    came = np.arange(1000, 1000 + len(at), dtype=np.int32)
    expected = []
    for place in range(201):
        expected += came[at == place].tolist()
        if place < 200 and marks[place] and place not in gone:
            expected.append(place)

    sequence = Sequence(np.arange(200, dtype=np.int32), Bits(marks), gone, came, at)

    assert len(sequence) == len(expected)
    assert sequence[np.arange(len(expected))].tolist() == expected


def test_lots_are_the_same_singly_and_together() -> None:
    # the stream is part of the contract: a replay on another day draws the same
    bounds = np.array([1, 2, 7, 93, 2**31 - 1, 5, 1_000_000])
    singly, together = Lots(12345, 7), Lots(12345, 7)

    assert together.all_below(bounds).tolist() == [singly.below(bound) for bound in bounds.tolist()]
    assert [Lots(1, 2).below(1000), Lots(2**64 - 1, 2).below(1000)] == [309, 467]
