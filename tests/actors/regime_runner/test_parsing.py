"""What a tool printed becomes numbers only when it is what the tool prints after measuring."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.regime_runner.parsers.output import spread
from actors.regime_runner.parsing import parse, unavailable_in
from actors.regime_runner.workloads.sampling import percentile
from tests.regime_rows import rendered, result_of

OUTPUTS = Path(__file__).parent / "outputs"
KERNEL = {
    "unit": "requests/s",
    "perf": 10.5,
    "elapsed_s": 1.0,
    "errors": 0,
    "count": 4,
    "kept_every": 1,
    "samples_ms": [4.0, 1.0, 3.0, 2.0],
    "figures": {"compression_ratio": 2.5},
}
CYCLIC = (OUTPUTS / "cyclictest.txt").read_text()
KEYS = (*KERNEL, "jobs", "thread", "error", "read", "write", "histogram", "cycles", "return_code")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)
CPU = rendered("cpu", "stress")


def parsed(row, text, **changes):
    return parse(row, result_of(text, **changes))


def numbers_of(measured):
    """perf, p95_ms, errors."""
    return tuple(measured.readings[name].value for name in ("perf", "p95_ms", "errors"))


def test_the_line_of_a_kernel_is_read():
    measured = parsed(CPU, json.dumps(KERNEL))

    assert numbers_of(measured) == (10.5, 4.0, 0.0)
    assert measured.samples == (4.0, 1.0, 3.0, 2.0)
    assert measured.quality == {"compression_ratio": 2.5}
    assert {name: reading.unit for name, reading in measured.readings.items()} == {
        "perf": "requests/s",
        "p95_ms": "ms",
        "errors": "errors",
    }


def test_fio_is_read_behind_its_warnings_and_agrees_with_its_own_percentile():
    text = (OUTPUTS / "fio_write.txt").read_text()
    job = json.loads(text)["jobs"][0]

    measured = parsed(rendered("storage", "stress"), text)

    own = job["write"]["clat_ns"]["percentile"]["95.000000"] / 1e6
    assert measured.readings["perf"].value == pytest.approx(job["write"]["bw_bytes"] / 1e6)
    assert measured.readings["p95_ms"].value == pytest.approx(own, rel=0.02)
    assert len(measured.samples) == job["write"]["total_ios"]


def test_fio_with_a_warning_before_it_counts_both_directions():
    text = (OUTPUTS / "fio_randrw.txt").read_text()
    job = json.loads(text[text.index("{") :])["jobs"][0]

    measured = parsed(rendered("storage", "normal"), text)

    assert not text.startswith("{")
    assert measured.readings["perf"].value == pytest.approx(job["read"]["iops"] + job["write"]["iops"])
    assert len(measured.samples) == job["read"]["total_ios"] + job["write"]["total_ios"]
    assert measured.quality == {"write_error_rate": 0.0}


def test_cyclictest_is_read_with_what_its_histogram_does_not_hold():
    thread = json.loads(CYCLIC)["thread"]["0"]

    measured = parsed(rendered("os_scheduler", "idle"), CYCLIC)

    beyond = thread["cycles"] - sum(thread["histogram"].values())
    assert beyond > 0
    assert measured.readings["perf"].value == thread["cycles"]
    assert measured.samples.count(thread["max"] / 1000) == beyond
    assert len(measured.samples) == thread["cycles"]


@pytest.mark.parametrize(
    ("domain", "regime", "text"),
    [
        ("storage", "normal", (OUTPUTS / "fio_failed.txt").read_text()),
        ("storage", "normal", (OUTPUTS / "fio_randrw.txt").read_text().replace('"error" : 0', '"error" : 5')),
        ("storage", "normal", (OUTPUTS / "fio_randrw.txt").read_text()[:3000]),
        ("storage", "normal", '{"jobs": []}'),
        ("storage", "normal", '{"jobs": 7}'),
        ("storage", "normal", '{"jobs": [{"error": 0, "read": {}, "write": {}}]}'),
        ("os_scheduler", "idle", CYCLIC.replace('"return_code": 0', '"return_code": 1')),
        ("os_scheduler", "idle", CYCLIC.replace('"histogram"', '"hist"')),
        ("os_scheduler", "idle", "# /dev/cpu_dma_latency set to 0us"),
        ("cpu", "stress", ""),
        ("cpu", "stress", "1.05"),
        ("cpu", "stress", "{}"),
        ("cpu", "stress", '{"perf": 1.05, "p95_ms": 42.3, "watts": 125.5, "errors": 0, "oom": 0}'),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": "10"})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": True})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": None})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": float("nan")})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": float("inf")})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": -1})),
        ("cpu", "stress", json.dumps(KERNEL | {"perf": 0})),
        ("cpu", "stress", json.dumps(KERNEL).replace("10.5", "1e999")),
        ("cpu", "stress", json.dumps(KERNEL).replace("10.5", "1" + "0" * 400)),
        ("cpu", "stress", json.dumps(KERNEL | {"samples_ms": []})),
        ("cpu", "stress", json.dumps(KERNEL | {"samples_ms": [1.0, "2"]})),
        ("cpu", "stress", json.dumps(KERNEL | {"samples_ms": [1.0, -2.0]})),
        ("cpu", "stress", json.dumps(KERNEL | {"samples_ms": "1 2 3"})),
        ("cpu", "stress", json.dumps(KERNEL | {"unit": "units/s"})),
        ("cpu", "stress", json.dumps(KERNEL | {"errors": -1})),
        ("cpu", "stress", json.dumps(KERNEL | {"figures": {"compression_ratio": "much"}})),
        ("cpu", "stress", "[" * 100_000),
        ("cpu", "stress", '{"a":' * 100_000),
    ],
)  # fmt: skip
def test_output_that_is_no_measurement_gives_an_error_and_no_number(domain, regime, text):
    # issue 6, shown 3
    measured = parsed(rendered(domain, regime), text)

    perf, p95_ms, errors = numbers_of(measured)
    assert (perf, p95_ms) == (None, None)
    assert errors >= 1
    assert measured.samples == ()
    assert measured.quality == {}
    assert measured.readings["perf"].reason


@pytest.mark.parametrize(
    "changes",
    [
        {"exit_code": 1, "status": "failed"},
        {"exit_code": 1},
        {"exit_code": None, "status": "timeout"},
        {"exit_code": 0, "status": "timeout"},
        {"exit_code": 0, "status": "killed"},
        {"exit_code": 0, "status": "watchdog-gone"},
        {"exit_code": None, "status": "refused"},
    ],
)
def test_a_trial_that_did_not_end_well_gives_no_number_whatever_it_printed(changes):
    measured = parsed(CPU, json.dumps(KERNEL), stderr="first\nlast words", **changes)

    assert numbers_of(measured) == (None, None, 1.0)
    assert "last words" in (measured.readings["perf"].reason or "")


@settings(max_examples=40, deadline=None)
@given(ANYTHING)
def test_nothing_that_is_printed_makes_a_parser_fail(value):
    text = json.dumps({"perf": 1.0} | value if isinstance(value, dict) else value)

    for row in (CPU, rendered("storage", "normal"), rendered("os_scheduler", "idle")):
        assert parsed(row, text).readings["errors"].value is not None


def test_a_workload_that_finds_its_device_gone_is_unavailable_not_failed():
    told = result_of(stderr="warning\nunavailable: torch sees no CUDA device\n", status="failed", exit_code=69)

    assert unavailable_in(told) == "torch sees no CUDA device"
    assert unavailable_in(result_of(stderr="unavailable: x", status="failed", exit_code=1)) is None
    assert unavailable_in(result_of(status="failed", exit_code=69))


def test_a_histogram_becomes_its_samples_thinned_evenly():
    counts = [(2.0, 3), (1.0, 2), (9.0, 1)]

    assert spread(counts, 10) == (1.0, 1.0, 2.0, 2.0, 2.0, 9.0)
    assert spread(counts, 3) == (1.0, 2.0, 2.0)
    assert len(spread([(1.0, 1_000_000), (2.0, 1_000_000)], 20_000)) == 20_000
    assert spread([(1.0, 1_000_000), (2.0, 1_000_000)], 20_000).count(2.0) == 10_000


@pytest.mark.parametrize(("share", "value"), [(0.95, 95.0), (0.5, 50.0), (1.0, 100.0), (0.001, 1.0)])
def test_a_percentile_is_one_of_the_samples(share, value):
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value
