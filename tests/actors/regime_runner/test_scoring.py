"""Scores are the seed's formula, on ratios and on raw units; what is missing is never a bonus (design, 5.13)."""

import math

import pytest

from actors.regime_runner.baselines import Baselines
from actors.regime_runner.packs import Candidate, build_pack
from actors.regime_runner.scoring import (
    NotComparableError,
    check_comparable,
    composite_score,
    front_of,
    objectives,
    rank,
)
from tests.actors.regime_runner.written_evidence import context, evidence, steady, trial, unavailable

BASE = {"perf": 1000.0, "p95_ms": 10.0, "watts": 50.0}
DEFAULT = {"threads": 1}


def pack_of(candidate, baseline=BASE, cand_id="gen0_00", rows=None, **changed):
    rows = rows or steady(candidate, baseline)
    known = Baselines()
    for row in steady(baseline, baseline):
        known, _ = known.with_run(row, context(**changed), DEFAULT, is_refresh=False)
    return build_pack(context(**changed), Candidate(0, cand_id, {"threads": 2}, tuple(rows)), known)


def test_the_formula_is_the_seed_s():
    # seed 003, scoring.py: perf - 0.2 p95_ms - 0.1 watts
    assert composite_score(1.0, 10.0, 50.0) == pytest.approx(-6.0)
    assert composite_score(1.0, 10.0, None) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (BASE, 0.7),
        ({"perf": 1100.0, "p95_ms": 10.0, "watts": 50.0}, 0.8),
        ({"perf": 1000.0, "p95_ms": 20.0, "watts": 50.0}, 0.5),
        ({"perf": 1000.0, "p95_ms": 10.0, "watts": 100.0}, 0.6),
        ({"perf": 100.0, "p95_ms": 100.0, "watts": 500.0}, 0.1 - 2.0 - 1.0),
    ],
)
def test_score_v2_is_the_formula_on_ratios_to_the_baseline(candidate, expected):
    assert pack_of(candidate).aggregate.score_v2 == pytest.approx(expected)


def test_score_raw_is_the_formula_on_raw_units():
    assert pack_of(BASE).artifacts.score_raw == pytest.approx(1000.0 - 2.0 - 5.0)


def test_the_overall_mean_is_that_of_the_regimes_whatever_their_number_of_trials():
    rows = list(steady(BASE, BASE))
    rows[0] = evidence(
        [trial(arm, at, {**BASE, "perf": 4000.0}) for at in range(40) for arm in ("candidate", "baseline")], "idle", 40
    )

    means = pack_of(BASE, rows=rows).aggregate.means.perf

    assert (means.idle, means.normal, means.overall) == (4000.0, 1000.0, (4000.0 + 3 * 1000.0) / 4)


def test_no_wattmeter_is_no_bonus():
    without = {"perf": 1000.0, "p95_ms": 10.0}
    packs = [pack_of(BASE), pack_of(without, without, cand_id="gen0_01")]

    assert packs[1].aggregate.score_v2 == pytest.approx(0.8)
    assert packs[1].artifacts.score_terms == ("perf", "p95_ms")
    with pytest.raises(NotComparableError, match=r"measured metrics perf\+p95_ms\+watts and perf\+p95_ms"):
        rank(packs)


@pytest.mark.parametrize(
    ("changed", "name"), [({"profile": "full"}, "profile quick and full"), ({"host": "sha256:other"}, "host ")]
)
def test_packs_of_other_profiles_and_hosts_are_not_comparable(changed, name):
    with pytest.raises(NotComparableError, match=name):
        check_comparable(pack_of(BASE), pack_of(BASE, **changed))


def test_packs_of_other_regimes_are_not_comparable():
    fewer = pack_of(BASE, rows=[*steady(BASE, BASE)[:3], unavailable("mixed")])

    assert fewer.aggregate.score_v2 == pytest.approx(0.7)
    with pytest.raises(NotComparableError, match="measured regimes"):
        check_comparable(pack_of(BASE), fewer)


def test_a_candidate_that_fails_everywhere_ranks_last():
    failing = [
        row.model_copy(
            update={
                "trials": tuple(
                    found if found.arm == "baseline" else found.model_copy(update={"status": "failed"})
                    for found in row.trials
                )
            }
        )
        for row in steady(BASE, BASE)
    ]
    good, bad = pack_of(BASE), pack_of(BASE, cand_id="gen0_01", rows=failing)
    worse = pack_of({"perf": 1.0, "p95_ms": 1000.0, "watts": 5000.0}, cand_id="gen0_02")

    assert bad.aggregate.score_v2 is None
    assert bad.aggregate.improves_over_baseline is False
    assert [pack.cand_id for pack in rank([bad, worse, good])] == ["gen0_00", "gen0_02", "gen0_01"]


def test_an_unsafe_candidate_has_minus_infinity_and_is_never_on_the_front():
    hot = [
        row.model_copy(update={"trials": tuple(found.model_copy(update={"safe": False}) for found in row.trials)})
        for row in steady({**BASE, "perf": 9000.0}, BASE)
    ]
    packs = [pack_of(BASE), pack_of(BASE, cand_id="gen0_01", rows=hot)]

    assert (packs[1].safe, packs[1].aggregate.score_v2, packs[1].artifacts.score_raw) == (False, -math.inf, -math.inf)
    assert front_of(packs) == ("gen0_00",)
    assert rank(packs)[-1].cand_id == "gen0_01"


def test_the_search_is_told_paired_ratios():
    found = objectives(steady({"perf": 1200.0, "p95_ms": 8.0, "watts": 55.0}, BASE))

    assert found == pytest.approx({"perf": 1.2, "p95_ms": 0.8, "watts": 1.1})


def test_the_search_is_told_nothing_of_a_candidate_without_perf():
    assert objectives(steady({"perf": None, "p95_ms": 8.0}, BASE)) is None
    assert objectives([unavailable("idle")]) is None
