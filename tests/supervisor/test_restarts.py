"""Restart limits that limit, and backoff that backs off (dossier of reliability, section 6)."""

from supervisor.restarts import RestartHistory, RestartPolicy

POLICY = RestartPolicy(backoff_first_s=0.2, backoff_max_s=30.0, max_restarts=5, window_s=60.0)


def test_death_after_a_healthy_second_restarts_at_once_and_is_not_early() -> None:
    history = RestartHistory(POLICY, "seed")

    delays = [history.record_death(3.0 * number, ready_for_s=1.0) for number in range(100)]

    assert set(delays) == {0.0}
    assert history.in_window(300.0) == 0


def test_deaths_without_end_give_up_however_healthy_between() -> None:
    history = RestartHistory(POLICY, "seed")

    delays = [history.record_death(1.5 * number, ready_for_s=1.2) for number in range(31)]

    assert set(delays[:30]) == {0.0}
    assert delays[30] is None


def test_sixth_early_death_within_the_window_gives_up() -> None:
    history = RestartHistory(POLICY, "seed")

    delays = [history.record_death(float(second), ready_for_s=None) for second in range(6)]

    assert all(delay is not None for delay in delays[:5])
    assert delays[5] is None


def test_death_within_the_first_second_of_readiness_is_early() -> None:
    history = RestartHistory(POLICY, "seed")

    history.record_death(0.0, ready_for_s=0.99)

    assert history.in_window(0.0) == 1


def test_early_deaths_that_left_the_window_are_forgotten() -> None:
    history = RestartHistory(POLICY, "seed")

    delays = [history.record_death(second * 61.0, ready_for_s=None) for second in range(20)]

    assert all(delay is not None and delay <= 0.2 for delay in delays)


def test_delay_has_full_jitter_below_a_doubling_ceiling() -> None:
    policy = RestartPolicy(backoff_first_s=0.2, backoff_max_s=1.0, max_restarts=5, window_s=60.0)
    ceilings = (0.2, 0.4, 0.8, 1.0, 1.0)

    drawn = []
    for seed in range(200):
        history = RestartHistory(policy, f"seed {seed}")
        drawn.append([history.record_death(float(second), ready_for_s=None) or 0.0 for second in range(5)])

    for attempt, ceiling in enumerate(ceilings):
        column = [delays[attempt] for delays in drawn]
        assert 0.0 <= min(column) < 0.1 * ceiling
        assert 0.9 * ceiling < max(column) <= ceiling


def test_same_seed_draws_the_same_delays() -> None:
    first, other = (RestartHistory(POLICY, "7/learner") for _ in range(2))

    drawn = [[history.record_death(float(second), None) for second in range(5)] for history in (first, other)]

    assert drawn[0] == drawn[1]


def test_no_restart_is_allowed_when_the_limit_is_zero() -> None:
    history = RestartHistory(RestartPolicy(0.2, 30.0, max_restarts=0, window_s=60.0), "seed")

    assert history.record_death(0.0, ready_for_s=0.5) is None
