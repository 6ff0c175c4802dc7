"""Whether the machine is quiet and cool enough, from what the kernel says and from nothing else."""

from pathlib import Path

import pytest

from actors.regime_runner.noise import NoiseLimits, NoiseWatch, must_cool, noisy, read_quiet


def written(folder: Path, waited_us: int, ticks: str, load: str) -> Path:
    """A procfs that says this."""
    (folder / "pressure").mkdir(parents=True, exist_ok=True)
    (folder / "pressure/cpu").write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={waited_us}\nfull total=0\n")
    (folder / "stat").write_text(f"cpu  {ticks}\n")
    (folder / "loadavg").write_text(f"{load} 0.10 0.10 1/100 4242\n")
    return folder


def test_noise_is_what_changed_while_it_was_looked_at(tmp_path: Path) -> None:
    proc = written(tmp_path, 1_000_000, "100 0 100 1000 0 0 0 50", "0.25")
    watch = NoiseWatch(proc)
    written(proc, 1_000_000 + 1_000_000_000, "100 0 100 1000 0 0 0 50", "0.75")
    watch.end_quiet_window()
    written(proc, 5, "110 0 110 1060 0 0 0 70 999 999", "9")

    found = watch.readings()

    assert found["psi_cpu_avg"]["value"] == 1.0
    assert found["load1"]["value"] == 0.75
    assert found["steal_share"]["value"] == pytest.approx(20 / 100)


def test_what_the_kernel_does_not_tell_is_null_with_a_reason(tmp_path: Path) -> None:
    watch = NoiseWatch(tmp_path)
    watch.end_quiet_window()

    found = watch.readings()

    assert [reading["value"] for reading in found.values()] == [None, None, None]
    assert all(reading["reason"] for reading in found.values())


def test_a_quiet_window_of_this_machine_has_all_three() -> None:
    found = read_quiet()

    assert set(found) == {"psi_cpu_avg", "steal_share", "load1"}
    assert all((reading["value"] is None) != (reading["reason"] is None) for reading in found.values())


def test_a_trial_is_noisy_above_a_limit_and_not_at_it() -> None:
    limits = NoiseLimits(psi_cpu_avg=0.2, steal_share=0.05, load1=None)

    reasons = noisy({"psi_cpu_avg": 0.21, "steal_share": 0.05, "load1": 99.0}, limits)

    assert reasons == ("psi_cpu_avg 0.21 is above 0.2",)
    assert noisy({"psi_cpu_avg": 0.2, "steal_share": None}, limits) == ()


@pytest.mark.parametrize(
    ("first", "now", "waited_s", "expected"),
    [
        (50.0, 52.0, 0.0, False),
        (50.0, 52.1, 0.0, True),
        (50.0, 80.0, 59.9, True),
        (50.0, 80.0, 60.0, False),
        (None, 80.0, 0.0, False),
        (50.0, None, 0.0, False),
    ],
)
def test_the_next_trial_waits_until_it_is_cool_or_a_minute_is_over(first, now, waited_s, expected) -> None:
    assert must_cool(first, now, waited_s) is expected
