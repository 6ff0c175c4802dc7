"""Rows really measure: two runs differ, work follows the genes, a broken tool gives errors (issue 6, shown 3 and 7).

Here is one row of each kind; `make bench BENCH=trialling` runs all of them twice, under a real guard.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.regime_runner.host import look
from actors.regime_runner.parsing import parse, unavailable_in
from actors.regime_runner.rows import Rendered, Unavailable, render
from schemas.cap_settings import METRICS
from schemas.regime_programs import PROGRAMS
from schemas.regime_settings import DOMAINS, REGIMES
from tests.regime_rows import CAPS, CONFIG, genome_of, run_plainly

ROWS = [(domain, regime) for domain in DOMAINS for regime in REGIMES]
HOST = look(Path("/tmp"))
BRIEF = 0.1
"""Seconds of a window: the whole suite has to end."""
KINDS = [
    ("cpu", "idle"),
    ("cpu", "mixed"),
    ("audio", "mixed"),
    ("memory", "idle"),
    ("memory", "stress"),
    ("storage", "idle"),
    ("storage", "mixed"),
    ("asr_tts", "normal"),
    ("power_thermal", "mixed"),
    ("os_scheduler", "idle"),
    ("os_scheduler", "stress"),
    ("conversation", "mixed"),
]
"""One row of each kernel and tool."""


def brief(domain, regime, **genes):
    """The row with a short window, or what is absent."""
    row = render(CONFIG, CAPS, HOST, (domain, regime, "quick"), genome_of(domain, **genes))
    if isinstance(row, Rendered):
        shorter = tuple(f"--seconds={BRIEF}" if text.startswith("--seconds=") else text for text in row.argv)
        row = row.model_copy(update={"argv": shorter})
    return row


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Both runs of every row that this machine has, two at a time."""
    folder = tmp_path_factory.mktemp("trials")

    def measure(place):
        row = brief(*place)
        if isinstance(row, Unavailable):
            return place, row, []
        return place, row, [run_plainly(row, folder / f"{'-'.join(place)}-{number}") for number in range(2)]

    with ThreadPoolExecutor(2) as pool:
        yield {place: (row, results) for place, row, results in pool.map(measure, KINDS)}
    shutil.rmtree(folder)


@pytest.mark.parametrize(("domain", "regime"), KINDS)
def test_two_runs_differ_in_their_raw_samples(domain, regime, two_runs):
    row, results = two_runs[domain, regime]
    if isinstance(row, Unavailable):
        assert row.reason
        assert row.packages
        return

    measured = [parse(row, result) for result in results]

    for trial, result in zip(measured, results, strict=True):
        assert trial.readings["errors"].value == 0, result.stderr_tail
        assert trial.readings["perf"].value > 0
        assert trial.readings["p95_ms"].value in trial.samples
    assert measured[0].samples != measured[1].samples


def test_every_cap_on_a_workload_is_told_by_its_rows(two_runs):
    # dossier, fault 18
    for (domain, regime), (row, results) in two_runs.items():
        caps = {name for name in CAPS.caps_of(domain, 2) if METRICS[name].origin == "workload"} - {"errors", "oom"}
        if isinstance(row, Rendered):
            assert caps <= set(parse(row, results[0]).quality), (domain, regime)


def test_figures_are_those_of_the_table(two_runs):
    for row, results in two_runs.values():
        if isinstance(row, Rendered):
            assert set(parse(row, results[0]).quality) <= set(PROGRAMS[row.program].figures)


@pytest.mark.parametrize(("domain", "regime"), ROWS)
def test_a_failing_stub_in_place_of_the_tool_gives_errors_and_no_number(domain, regime, tmp_path):
    row = brief(domain, regime)
    if isinstance(row, Unavailable):
        pytest.skip(row.reason)
    stub = tmp_path / "stub"
    stub.write_text('#!/bin/sh\necho \'{"perf": 1.05, "p95_ms": 42.3, "errors": 0}\'\nexit 1\n')
    stub.chmod(0o755)

    result = run_plainly(row.model_copy(update={"argv": (str(stub), *row.argv[1:]), "background": ()}), tmp_path / "s")

    measured = parse(row, result)
    assert measured.readings["errors"].value >= 1
    assert measured.readings["perf"].value is None
    assert measured.readings["p95_ms"].value is None


def test_a_smaller_level_packs_less(tmp_path):
    ratios = []
    for level in (1, 9):
        row = brief("cpu", "stress", zstd_level=level)
        ratios.append(parse(row, run_plainly(row, tmp_path / str(level))).quality["compression_ratio"])

    assert ratios[0] < ratios[1]


def test_a_module_that_is_gone_at_run_time_is_unavailable(tmp_path):
    row = brief("cpu", "idle")
    argv = (row.argv[0], "-P", "-m", "actors.regime_runner.workloads.gpu", "--seconds=1", "--mode=poll")

    result = run_plainly(row.model_copy(update={"argv": argv}), tmp_path / "s", PYTHONNOUSERSITE="1")

    if result.exit_code == 0:
        pytest.skip("there is a GPU")
    assert "torch" in (unavailable_in(result) or "")
