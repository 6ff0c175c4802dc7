"""Caps are those of the seed, on metrics that something measures."""

import pytest

from schemas.cap_settings import METRICS
from schemas.errors import SettingsError
from schemas.regime_files import load_caps
from schemas.regime_settings import DOMAINS
from tests.regime_rows import CAPS, CAPS_TEXT

TEXT = CAPS_TEXT.decode()


def test_caps_are_those_of_the_seed():
    # seed 003, caps.yaml: CPU 90, GPU 83, DIMM 60 C; errors and oom; tolerances of an improvement
    assert {domain: CAPS.caps_of(domain, cpus=16) for domain in DOMAINS} == {
        "cpu": {"temp_peak_c": 90, "package_power_w": 200, "thermal_throttle_events": 0, "errors": 0, "oom": 0},
        "gpu": {"temp_peak_c": 83, "power_draw_w": 280, "gpu_memory_errors": 0, "gpu_throttle_events": 0, "oom": 0},
        "audio": {"temp_peak_c": 75, "xruns": 10, "buffer_underruns": 5, "errors": 0},
        "memory": {"temp_peak_c": 60, "ecc_errors": 0, "oom": 0, "swap_mb_s": 100},
        "storage": {"temp_peak_c": 70, "io_errors": 0, "write_error_rate": 0},
        "asr_tts": {"temp_peak_c": 85, "recognition_failures": 5, "synthesis_failures": 5, "errors": 0},
        "power_thermal": {
            "cpu_temp_c": 90,
            "gpu_temp_c": 83,
            "dimm_temp_c": 60,
            "nvme_temp_c": 70,
            "psu_temp_c": 60,
            "total_power_w": 500,
        },
        "os_scheduler": {"temp_peak_c": 90, "load1": 32, "oom": 0},
        "conversation": {"cpu_temp_c": 90, "gpu_temp_c": 83, "llm_errors": 0, "tts_errors": 0},
    }
    assert (CAPS.limits.max_trial_failures, CAPS.limits.min_successful_trials, CAPS.limits.of_trials) == (3, 7, 10)
    assert CAPS.limits.max_trial_duration_s == 300
    assert (CAPS.tolerance.perf_percent, CAPS.tolerance.p95_ms_percent, CAPS.tolerance.watts_percent) == (0.5, 5, 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("temp_peak_c: 90", "cpu_temp: 90", "no metric has this name; did you mean cpu_temp_c"),
        ("temp_peak_c: 90", "happiness: 90", "no metric has this name; known are buffer_underruns"),
        ("package_power_w: 200", "xruns: 200", "xruns is not measured in cpu, only in audio"),
        ("temp_peak_c: 90", "temp_peak_c: -1", "greater than or equal to 0"),
        ("temp_peak_c: 90", "temp_peak_c: hot", "domains.cpu.temp_peak_c"),
        ("{per_cpu: 2}", "{per_core: 2}", "per_core"),
        ("margin: {} ", "margin: {temp_peak: 5} ", "no metric has this name; did you mean temp_peak_c"),
        ("margin: {} ", "margin: {watts: 5} ", "no domain has a cap on it"),
        ("  cpu:", "  cpus:", "domains.cpus"),
        ("max_trial_failures", "max_failures", "unknown key"),
    ],
)
def test_a_cap_that_could_never_be_checked_is_an_error_at_the_start(old, new, said):
    # dossier, fault 18: a cap of another name than its metric let 99 degrees pass
    assert old in TEXT

    with pytest.raises(SettingsError) as caught:
        load_caps(TEXT.replace(old, new, 1).encode())

    assert any(said in problem for problem in caught.value.problems), caught.value.problems


def test_every_metric_of_a_sensor_is_one_that_the_watchdog_senses():
    from actors.safety_watchdog.sensors import SENSED

    sensed = {name: metric.unit for name, metric in METRICS.items() if metric.origin == "sensor"}

    assert sensed == dict(SENSED)
