"""Seeds by several processes: in order, and what is done is kept."""

import math
import os
import signal

import pytest

from supervisor.experiments.campaign import WorkerLostError, run_seeds


def test_results_come_in_the_order_of_the_seeds():
    told: list[int] = []

    campaign = run_seeds(math.factorial, (7, 3, 6, 4, 5), 1, told.append)

    assert campaign.seeds == (3, 4, 5, 6, 7)
    assert campaign.results == (6, 24, 120, 720, 5040)
    assert campaign.is_complete
    assert told == [1] * 5


def test_several_processes_give_what_one_gives():
    one, two = (run_seeds(math.factorial, range(9), jobs, lambda _: None) for jobs in (1, 2))

    assert one == two


def test_ctrl_c_keeps_the_seeds_that_are_done():
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    campaign = run_seeds(math.factorial, range(3, 40), 1, interrupt)

    assert len(campaign.results) == 1
    assert campaign.results == (math.factorial(campaign.seeds[0]),)
    assert not campaign.is_complete


def test_the_error_of_a_seed_reaches_the_caller():
    with pytest.raises(ValueError, match="not defined for negative"):
        run_seeds(math.factorial, range(-1, 3), 1, lambda _: None)


def test_sigterm_is_answered_as_ctrl_c_is():
    before = signal.getsignal(signal.SIGTERM)

    campaign = run_seeds(math.factorial, range(3, 40), 1, lambda _: os.kill(os.getpid(), signal.SIGTERM))

    assert len(campaign.results) == 1 and not campaign.is_complete
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_process_that_is_killed_is_said():
    with pytest.raises(WorkerLostError, match="a process of the experiment was killed; is there memory for --jobs 1"):
        run_seeds(os._exit, range(7, 9), 1, lambda _: None)
