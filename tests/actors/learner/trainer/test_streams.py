"""Named streams of a training run."""

import itertools

import numpy as np
import pytest

from actors.learner.trainer.streams import StreamRefusedError, Streams, seed_of


def test_a_stream_follows_from_seed_name_and_counters_and_from_nothing_else() -> None:
    busy = Streams(3)
    busy.at("weights", 0).random(1000)
    np.random.default_rng().random(10)

    first, again = Streams(3).at("order", 2).random(8), busy.at("order", 2).random(8)

    assert first.tobytes() == again.tobytes()


def test_no_two_streams_are_equal() -> None:
    names = ("order", "dropout", "weights", "order.1", "order-1")
    counters = ((), *((number,) for number in range(400)), *itertools.product(range(12), repeat=2), (0, 0, 0))

    seeds = {seed_of(Streams(seed).at(name, *at)) for seed in (0, 1, 10) for name in names for at in counters}

    assert len(seeds) == 3 * len(names) * len(counters)


def test_what_was_handed_out_is_noted_with_the_seed_it_began_with() -> None:
    streams = Streams(9)
    first = seed_of(streams.at("order", 4))
    streams.at("order", 5)
    streams.at("dropout", 0)

    dropout, order = streams.notes()

    assert (order.name, order.first_counters, order.first_seed, order.handed_out) == ("order", (4,), first, 2)
    assert dropout.name == "dropout"


@pytest.mark.parametrize("name", ["", "Order", "order/1", "a b", "1st", "x" * 65, "order*1", "é"])
def test_a_name_that_could_be_taken_for_another_key_is_refused(name: str) -> None:
    with pytest.raises(StreamRefusedError, match="names no stream"):
        Streams(1).at(name, 1)


def test_a_negative_counter_is_refused() -> None:
    with pytest.raises(StreamRefusedError, match="counts from 0"):
        Streams(1).at("order", -1)
