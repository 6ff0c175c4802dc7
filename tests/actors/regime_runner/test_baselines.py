"""Baselines are of the default genome, from a valid and safe run, and none is ever lost (seed 003, baseline.py)."""

import json

import pytest

from actors.regime_runner.baselines import Baselines, BaselinesDamagedError
from schemas.evidence import REGIMES
from tests.actors.regime_runner.written_evidence import context, steady, trial, unavailable

BASE = {"perf": 1000.0, "p95_ms": 10.0, "temp_peak_c": 60.0}
OTHER = {"perf": 5.0, "p95_ms": 99.0, "temp_peak_c": 60.0}
DEFAULT = {"threads": 1}


def taken(known=None, base=BASE, is_refresh=False, **changed):
    """All four regimes taken in."""
    known = known or Baselines()
    for row in steady(OTHER, base):
        known, refusal = known.with_run(row, context(**changed), DEFAULT, is_refresh)
        assert refusal is None
    return known


def tree(known):
    return json.loads(known.to_bytes())


def test_there_is_one_for_each_regime_from_the_default_genome():
    # seed 003, acceptance 2: jq '.cpu | keys'
    found = tree(taken())

    assert found["schema"] == "baselines.v2"
    assert list(found["cpu"]) == list(REGIMES)
    idle = found["cpu"]["idle"]
    assert (idle["kpis"]["perf"], idle["n"], idle["genome"]) == (1000.0, 10, DEFAULT)
    assert idle["baseline_id"] == "cpu_idle_2026-01-02T03-04-05"
    assert (idle["code_hash"], idle["host"], idle["kpis"]["watts"]) == ("sha256:code", "sha256:host", None)
    assert idle["ci95"]["perf"] == [1000.0, 1000.0]


def test_a_second_run_does_not_overwrite():
    first = taken()

    assert taken(first, OTHER) == first


def test_a_refresh_adds_a_version_and_keeps_the_old():
    # seed 003: --refresh-baseline
    found = tree(taken(taken(), OTHER, is_refresh=True))["cpu"]["stress"]

    assert (found["version"], found["kpis"]["perf"]) == (2, 5.0)
    assert [(old["version"], old["kpis"]["perf"]) for old in found["history"]] == [(1, 1000.0)]
    assert found["baseline_id"] != found["history"][0]["baseline_id"]


def test_what_is_written_is_read_again():
    known = taken(taken(), OTHER, is_refresh=True)

    assert Baselines.from_bytes(known.to_bytes()) == known
    assert Baselines.from_bytes(b"") == Baselines()


@pytest.mark.parametrize("changed", [{"profile": "full"}, {"host": "sha256:other"}])
def test_another_profile_or_host_has_a_version_of_its_own(changed):
    row = steady(OTHER, OTHER)[0]
    here = taken()
    both = taken(here, OTHER, **changed)

    assert here.find(row, context(**changed)) is None
    assert "another" in here.why_none(row, context(**changed))
    assert both.find(row, context(**changed)).kpis.perf == 5.0
    assert both.find(row, context()).kpis.perf == 1000.0


def test_a_baseline_of_injected_sensors_is_none_for_those_of_the_machine():
    mine = steady(OTHER, BASE)[0]
    told = mine.model_copy(update={"trials": tuple(row.model_copy(update={"injected": True}) for row in mine.trials)})
    known, _ = Baselines().with_run(told, context(), DEFAULT, False)

    assert known.find(told, context()).injected is True and known.find(mine, context()) is None
    assert known.why_none(mine, context()).endswith("is of another origin of its sensors")


def test_another_workload_does_not_fit():
    row = steady(OTHER, BASE)[0].model_copy(update={"workload_id": "sha256:other tool"})

    assert taken().find(row, context()) is None
    assert taken().why_none(row, context()).endswith("is of another workload")


@pytest.mark.parametrize("base", ["hot", "failing", "short"])
def test_a_run_that_is_hot_or_fails_gives_none(base):
    changes = {
        "hot": {"safe": False, "breaches": ("temp_peak_c: 91 C is over 90",)},
        "failing": {"status": "failed"},
        "short": {},
    }
    trials = [
        trial("baseline", at, BASE, **(changes[base] if at < 4 else {})) for at in range(6 if base == "short" else 10)
    ]
    row = steady(OTHER, BASE)[0].model_copy(update={"trials": tuple(trials)})

    known, refusal = Baselines().with_run(row, context(), DEFAULT, is_refresh=False)

    assert known == Baselines()
    assert refusal.startswith("idle: no baseline taken: ")


def test_a_refresh_by_a_bad_run_leaves_the_old_in_place():
    row = steady(OTHER, BASE)[0].model_copy(update={"trials": (trial("baseline", 0, OTHER, status="failed"),)})
    known, refusal = taken().with_run(row, context(), DEFAULT, is_refresh=True)

    assert refusal is not None
    assert known == taken()


def test_an_unchecked_cap_is_recorded_and_no_reason_to_refuse():
    row = steady(OTHER, BASE)[0]
    row = row.model_copy(update={"trials": tuple(found.model_copy(update={"safe": None}) for found in row.trials)})

    known, refusal = Baselines().with_run(row, context(), DEFAULT, is_refresh=False)

    assert refusal is None
    assert known.find(row, context()).safe is None


def test_an_unavailable_regime_has_none():
    known, refusal = Baselines().with_run(unavailable("idle"), context(), DEFAULT, is_refresh=False)

    assert (known, refusal) == (Baselines(), "idle: stress-ng is not installed")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"schema": "baselines.v1"}',
        b'{"schema": "baselines.v2", "cpu": {"idle": {}}}',
        b'{"schema": "baselines.v2", "cpu": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_refused_by_name_and_never_wiped(content):
    with pytest.raises(BaselinesDamagedError, match=r"artifacts/baselines.json cannot be read: .*refresh"):
        Baselines.from_bytes(content)
