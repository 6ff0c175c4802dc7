"""Every number comes from a file that was read; where there is no file there is no number but a reason."""

from pathlib import Path

import pytest

from actors.safety_watchdog import caps
from actors.safety_watchdog.energy import package_energy
from actors.safety_watchdog.layout import SensorTree, part_of
from actors.safety_watchdog.sensors import SENSED, Sensors, probe
from schemas.regime_files import load_caps
from schemas.regimes import Domain, Reading
from tests.trial_house import ROOT, SensorFiles

CAPS = load_caps((ROOT / "config" / "caps.yaml").read_bytes())
CPUS = 4
NOT_IN_SYSFS = {"load1", "swap_mb_s"}
ZERO = Reading(value=0.0, unit="", source="the trial", reason=None)


def read(files: SensorFiles, domain: Domain, *moments_s: float, before=lambda moment_s: None) -> dict[str, Reading]:
    """What a domain's sensors come to when they are read at these moments."""
    before(0.0)
    feeds, absent = Sensors(SensorTree(files.root)).feeds(domain, CAPS.caps_of(domain, CPUS))
    meters = {metric: feed.meter(SENSED[metric]) for metric, feed in feeds.items()}
    for moment_s in moments_s or (0.0,):
        before(moment_s)
        for meter in meters.values():
            meter.sample(moment_s)
    return absent | {metric: meter.reading() for metric, meter in meters.items()}


def verdict(files: SensorFiles, domain: Domain, **told: float) -> bool | None:
    """Safe or not, when the trial itself tells of nothing bad but what is given."""
    limits = CAPS.caps_of(domain, CPUS)
    workload = {metric: ZERO for metric in limits if metric not in SENSED}
    workload |= {metric: ZERO.model_copy(update={"value": value}) for metric, value in told.items()}
    readings = caps.merged(read(files, domain, 0.0, 1.0), workload)
    return caps.is_safe(caps.breaches(readings, limits), caps.unchecked(readings, limits))


def raised(files: SensorFiles, metric: str, value: float) -> dict[str, float]:
    """Let a sensor say `value`; what the trial has to tell of instead, where no sensor file does."""
    chips = {"cpu_temp_c": "coretemp", "gpu_temp_c": "amdgpu", "dimm_temp_c": "spd5118", "nvme_temp_c": "nvme"}
    chips["psu_temp_c"] = "corsairpsu"
    if metric in chips:
        files.write(f"class/hwmon/{chips[metric]}/temp1_input", round(value * 1000))
    elif metric == "power_draw_w":
        files.write("class/hwmon/amdgpu/power1_average", round(value * 1e6))
    elif metric == "load1":
        files.write("proc/loadavg", f"{value} 0 0 1/100 1")
    else:
        return {metric: value}
    return {}


def parts(domain: Domain) -> dict[str, str]:
    """Capped metric -> the metric of the sensor behind it."""
    main = {"gpu": "gpu_temp_c", "memory": "dimm_temp_c", "storage": "nvme_temp_c"}.get(domain, "cpu_temp_c")
    return {metric: main if metric == "temp_peak_c" else metric for metric in CAPS.caps_of(domain, CPUS)}


@pytest.mark.parametrize(
    ("domain", "metric"), [(domain, metric) for domain, capped in CAPS.domains.items() for metric in capped]
)
def test_a_cap_flips_beyond_its_value_and_not_at_it(tmp_path: Path, domain: Domain, metric: str) -> None:
    files = SensorFiles(tmp_path).everything(millidegrees=20_000)
    sensor, cap = parts(domain)[metric], CAPS.caps_of(domain, CPUS)[metric]

    at = verdict(files, domain, **raised(files, sensor, cap))
    beyond = verdict(files, domain, **raised(files, sensor, cap + 0.1))

    assert (at, beyond) == (True, False)


def test_ninety_one_degrees_are_too_many_and_eighty_nine_are_not_and_none_is_not_known(tmp_path: Path) -> None:
    # seed 003, acceptance test 7
    hot, warm, blind = (SensorFiles(tmp_path / name).everything() for name in ("hot", "warm", "blind"))
    hot.chip("coretemp", 91_000)
    warm.chip("coretemp", 89_000)
    (blind.root / "class/hwmon/coretemp/temp1_input").unlink()

    assert [verdict(files, "cpu") for files in (hot, warm, blind)] == [False, True, None]
    limits = CAPS.caps_of("cpu", CPUS)
    missing = caps.unchecked(read(blind, "cpu"), {"temp_peak_c": limits["temp_peak_c"]})
    assert [found.cap for found in missing] == ["temp_peak_c"] and "no temperature sensor" in missing[0].reason


@pytest.mark.parametrize("domain", list(CAPS.domains))
def test_an_empty_tree_gives_no_number_of_any_sensor(tmp_path: Path, domain: Domain) -> None:
    found = read(SensorFiles(tmp_path), domain, 0.0, 1.0)

    assert {metric for metric, reading in found.items() if reading.value is not None} <= NOT_IN_SYSFS
    assert all(reading.reason for reading in found.values() if reading.value is None)
    assert [row.metric for row in probe(tmp_path) if row.source and row.metric not in NOT_IN_SYSFS] == []


def test_every_cap_of_a_sensor_is_one_that_can_be_read(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path).everything()

    without = [row for row in probe(files.root) if row.reason]

    assert without == []
    assert {row.metric for row in probe(files.root)} == set(SENSED)


@pytest.mark.parametrize("begin", ["class", "", "sys/class"])
def test_an_injected_tree_may_begin_above_or_below_what_sys_is(tmp_path: Path, begin: str) -> None:
    files = SensorFiles(tmp_path)
    files.write(f"{begin}/hwmon/hwmon3/name".lstrip("/"), "k10temp")
    files.write(f"{begin}/hwmon/hwmon3/temp1_input".lstrip("/"), 61_500)

    assert read(files, "cpu")["temp_peak_c"].value == 61.5


def test_the_temperature_of_a_part_is_that_of_its_hottest_sound_channel(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)
    files.chip("coretemp", 40_000, temp2_input=71_000, temp3_input=127_000, temp3_fault=1)
    files.write("class/thermal/thermal_zone0/type", "x86_pkg_temp")
    files.write("class/thermal/thermal_zone0/temp", 73_000)
    files.write("class/thermal/thermal_zone1/type", "acpitz")
    files.write("class/thermal/thermal_zone1/temp", 99_000)
    files.chip("iwlwifi_1", 95_000)

    assert read(files, "cpu")["temp_peak_c"].value == 73.0


def test_a_thermal_zone_made_by_hand_without_a_type_is_that_of_the_processor(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)
    files.write("class/thermal/thermal_zone0/temp", 91_000)

    assert read(files, "cpu")["temp_peak_c"].value == 91.0


@pytest.mark.parametrize("degrees", range(20, 120))
def test_whole_degrees_and_tenths_are_exact(tmp_path: Path, degrees: int) -> None:
    files = SensorFiles(tmp_path)
    files.chip("coretemp", degrees * 1000, temp2_input=degrees * 1000 - 100)

    assert read(files, "cpu")["temp_peak_c"].value == degrees
    files.chip("coretemp", degrees * 1000 + 100)
    assert read(files, "cpu")["temp_peak_c"].value == degrees + 0.1 == pytest.approx(degrees + 0.1, abs=1e-9)


@pytest.mark.parametrize("name", ["iwlwifi_1", "acpitz", "", "nct6798"])
def test_the_kind_of_a_chip_is_not_guessed(name: str) -> None:
    assert part_of(name) is None


def test_watts_are_energy_over_time_across_the_wrap_of_the_counter(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)
    energy = {0.0: 900_000_000, 1.0: 950_000_000, 2.0: 30_000_000, 3.0: 60_000_000}
    files.package(0, wraps_at=1_000_000_000)

    found = read(files, "cpu", *energy, before=lambda moment_s: files.package(energy[moment_s], wraps_at=1_000_000_000))

    assert found["watts"].value == pytest.approx((50 + 80 + 30) / 3)
    assert found["package_power_w"].value == pytest.approx(80.0)
    assert "energy_uj" in (found["watts"].source or "")


def test_packages_are_added_and_one_that_shows_up_twice_counts_once(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)
    for index in (0, 1):
        files.package(0, index=index)
    files.write("class/powercap/intel-rapl-mmio:0/name", "package-0")
    files.write("class/powercap/intel-rapl-mmio:0/energy_uj", 0)
    files.write("class/powercap/intel-rapl:0:0/name", "core")
    files.write("class/powercap/intel-rapl:0:0/energy_uj", 0)

    def grow(moment_s: float) -> None:
        for index, watts in ((0, 10), (1, 20)):
            files.package(int(moment_s * watts * 1_000_000), index=index)

    found = read(files, "cpu", 0.0, 1.0, 2.0, before=grow)

    assert found["watts"].value == pytest.approx(30.0)


def test_an_energy_counter_that_may_not_be_read_is_null_and_says_so(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)
    files.package(0)
    (tmp_path / "class/powercap/intel-rapl:0/energy_uj").write_text("")

    energy = package_energy(SensorTree(tmp_path))
    found = read(files, "cpu", 0.0, 1.0)["watts"]

    assert isinstance(energy, str) and "cannot be read" in energy
    assert found.value is None and found.reason == energy


@pytest.mark.parametrize(
    ("metric", "domain"), [("thermal_throttle_events", "cpu"), ("ecc_errors", "memory"), ("io_errors", "storage")]
)
def test_counters_are_judged_by_what_they_grew_during_the_trial(tmp_path: Path, metric: str, domain: Domain) -> None:
    files = SensorFiles(tmp_path).everything()

    def count(moment_s: float) -> None:
        grown = 1000 + int(moment_s >= 1.0)
        files.throttle(grown)
        files.write("devices/system/edac/mc/mc0/ue_count", grown)
        files.write("block/sda/device/ioerr_cnt", hex(grown))

    quiet = read(files, domain, 0.0, 0.5, before=count)[metric]
    bad = read(files, domain, 0.0, 1.0, before=count)[metric]

    assert quiet.value == 0.0
    assert bad.value == (2.0 if metric == "thermal_throttle_events" else 1.0)


def test_a_package_that_every_cpu_repeats_is_throttled_once(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)

    def count(moment_s: float) -> None:
        for cpu in range(4):
            files.throttle(int(moment_s), cpu)
            files.write(f"devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count", 0)

    found = read(files, "cpu", 0.0, 1.5, 3.0, before=count)

    assert found["thermal_throttle_events"].value == 3.0


def test_a_sensor_that_falls_silent_for_long_gives_no_number(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path).everything(millidegrees=50_000)

    def fall_silent(moment_s: float) -> None:
        if moment_s == 1.0:
            (tmp_path / "class/hwmon/coretemp/temp1_input").unlink()

    short = read(files, "cpu", 0.0, 1.0, 2.5, before=lambda moment_s: None)
    silent = read(files, "cpu", 0.0, 1.0, 2.5, before=fall_silent)

    assert short["temp_peak_c"].value == 50.0
    assert silent["temp_peak_c"].value is None and "2.5 s of the trial" in (silent["temp_peak_c"].reason or "")


def test_swapping_and_load_are_taken_from_procfs(tmp_path: Path) -> None:
    files = SensorFiles(tmp_path)

    def swap(moment_s: float) -> None:
        files.write("proc/vmstat", f"pswpin 0\npswpout {int(moment_s) * 25_000}\noom_kill 0")
        files.write("proc/loadavg", f"{moment_s} 0 0 1/1 1")

    found = read(files, "memory", 0.0, 1.0, 2.0, before=swap) | read(files, "os_scheduler", 0.0, 2.0, before=swap)

    assert found["swap_mb_s"].value == pytest.approx(25_000 * 4096 / 1e6)
    assert found["load1"].value == 2.0
