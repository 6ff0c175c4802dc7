"""The pool in memory: columns, and the numbers of lineages and tensors."""

import hashlib
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.columns import Columns, Signature
from actors.pool_keeper.errors import PoolDamagedError
from actors.pool_keeper.identities import Identities, Keys
from schemas.ids import derived_id


def test_each_row_gets_the_first_row_with_its_key() -> None:
    generator = np.random.Generator(np.random.Philox(key=1))
    keys: Keys = generator.integers(0, 40, (5000, 2)).astype(np.uint64)
    identities = Identities()

    ends = [*range(1, 600), 2000, *range(2001, 2600), 5000]
    for start, end in zip([0, *ends], ends, strict=False):
        identities.reserve(end)
        identities.extend(keys[start:end])

    first: dict[tuple[int, int], int] = {}
    expected = [first.setdefault((high, low), row) for row, (high, low) in enumerate(keys.tolist())]
    assert identities.numbers.tolist() == expected
    assert identities.distinct == len(first)


def test_rows_that_were_taken_back_leave_no_trace() -> None:
    generator = np.random.Generator(np.random.Philox(key=2))
    keys: Keys = generator.integers(0, 2000, (3000, 2)).astype(np.uint64)
    once, again = Identities(), Identities()
    for identities in (once, again):
        identities.reserve(3000)
        identities.extend(keys)

    again.truncate(1000)
    again.extend(keys[1000:])

    assert again.numbers.tolist() == once.numbers.tolist()
    assert again.distinct == once.distinct


def test_many_keys_alike_in_half_of_their_bits_are_told_apart() -> None:
    keys: Keys = np.stack((np.arange(4000, dtype=np.uint64), np.full(4000, 7, dtype=np.uint64)), axis=1)
    identities = Identities()
    identities.reserve(4000)

    identities.extend(keys)

    assert identities.numbers.tolist() == list(range(4000))


def test_an_id_is_given_back_as_it_came(columns: Any) -> None:
    rows = [{"colour": (0.1, 0.2, 0.3), "name": f"dream {number}"} for number in range(50)]

    pool = columns(rows)

    assert [pool.id_of(row) for row in range(50)] == [derived_id(f"dream {number}") for number in range(50)]


@pytest.mark.parametrize("changes", [{"id": "no id"}, {"lineage_root": ""}, {"sha256": b"short"}])
def test_what_is_no_id_or_no_hash_is_refused_and_changes_nothing(changes: Any) -> None:
    columns = Columns()
    sha256 = hashlib.sha256(b"tensor").digest()
    good = Signature(1, derived_id("a"), 0, 0.1, 0.2, 0.3, 0.5, 0.5, "image", derived_id("a"), sha256, 100)
    columns.extend([good])

    with pytest.raises(PoolDamagedError, match=r"UUID|hash"):
        columns.extend([good._replace(sequence=2, **changes)])

    assert (columns.count, columns.blob_bytes, len(columns.root), len(columns.tensor)) == (1, 100, 1, 1)
