"""A candidate pack is the seed's, whole, and says null where nothing was measured (seed 003, candidate_pack.v2)."""

import json
import math
from pathlib import Path

import jsonschema
import pytest

import schemas
from actors.regime_runner.baselines import Baselines
from actors.regime_runner.pack_files import SAMPLES_KEPT, pack_bytes, read_pack, samples_bytes
from actors.regime_runner.packs import Candidate, Confirmation, build_pack
from schemas.candidate_pack import pack_schema
from schemas.evidence import METRICS, REGIMES
from tests.actors.regime_runner.written_evidence import context, evidence, reading, steady, trial, unavailable

BASE = {"perf": 1000.0, "p95_ms": 10.0}
BETTER = {"perf": 1100.0, "p95_ms": 9.0}
SCHEMA_FILE = Path(schemas.__file__).parent / "candidate_pack_v2.schema.json"


def baselines(**changed):
    known = Baselines()
    for row in steady(BASE, BASE):
        known, refusal = known.with_run(row, context(**changed), {"threads": 1}, is_refresh=False)
        assert refusal is None
    return known


def candidate(rows, **changed):
    return Candidate(
        **{"generation": 0, "cand_id": "gen0_07", "genome": {"threads": 2}, "evidences": tuple(rows), **changed}
    )


def pack_of(rows, known=None, **changed):
    return build_pack(context(), candidate(rows, **changed), known or baselines())


def failing(rows, pairs, attempts=2):
    """The candidate's trials of `pairs` fail, each `attempts` times."""
    changed = []
    for row in rows:
        trials = []
        for found in row.trials:
            if found.arm == "candidate" and found.pair in pairs:
                gone = {name: reading(name, None) for name in METRICS}
                for attempt in range(attempts):
                    again = {"trial_id": f"{found.trial_id}-{attempt}", "retry_of": found.trial_id if attempt else None}
                    trials.append(
                        found.model_copy(update={"status": "failed", "readings": gone, "safe": None, **again})
                    )
            else:
                trials.append(found)
        changed.append(row.model_copy(update={"trials": tuple(trials)}))
    return changed


def test_the_schema_in_the_repository_is_that_of_the_records(request):
    if request.config.getoption("--update-golden"):
        SCHEMA_FILE.write_text(pack_schema())

    assert SCHEMA_FILE.read_text() == pack_schema(), "run: pytest tests/actors/regime_runner --update-golden"


def test_a_pack_is_what_the_schema_asks_for_and_comes_back_as_it_was():
    pack = pack_of(steady(BETTER, BASE))
    content = pack_bytes(pack)

    jsonschema.validate(json.loads(content), json.loads(SCHEMA_FILE.read_text()))

    assert read_pack(content) == pack
    assert pack_bytes(read_pack(content)) == content


@pytest.mark.parametrize("extra", ["schema_version", "fitness", "created_at_utc"])
def test_a_pack_with_another_field_is_refused(extra):
    tree = json.loads(pack_bytes(pack_of(steady(BETTER, BASE)))) | {extra: 4}

    with pytest.raises(jsonschema.ValidationError, match=extra):
        jsonschema.validate(tree, json.loads(SCHEMA_FILE.read_text()))
    with pytest.raises(ValueError, match=extra):
        read_pack(json.dumps(tree).encode())


def test_the_fields_of_the_seed_stand_where_the_seed_has_them():
    tree = json.loads(pack_bytes(pack_of(steady(BETTER, BASE))))

    assert list(tree) == [
        "schema", "run_id", "domain", "cand_id", "generation", "genome", "risk_profile", "regimes", "aggregate", "safe",
        "artifacts",
    ]  # fmt: skip
    assert [row["regime"] for row in tree["regimes"]] == list(REGIMES)
    assert all(list(row) == ["regime", "trials", "kpis", "baseline", "delta", "ci95"] for row in tree["regimes"])
    assert list(tree["aggregate"]) == ["means", "score_v2", "improves_over_baseline"]
    assert list(tree["aggregate"]["means"]["perf"]) == [*REGIMES, "overall"]
    assert tree["schema"] == "candidate_pack.v2"
    assert tree["artifacts"]["path"] == "artifacts/candidates/cpu/gen0_07.json"


def test_deltas_are_kpis_minus_the_baseline_of_the_same_length():
    pack = pack_of(steady(BETTER, BASE))

    for row in pack.regimes:
        assert row.baseline.baseline_id == f"cpu_{row.regime}_2026-01-02T03-04-05"
        assert row.delta.perf == pytest.approx([100.0] * 10)
        assert row.delta.p95_ms == pytest.approx([-1.0] * 10)
        assert row.delta.watts == (None,) * 10
        assert row.ci95.watts is None
        assert row.ci95.perf == pytest.approx((1100.0, 1100.0))


def test_a_better_candidate_improves_and_a_worse_one_does_not():
    assert pack_of(steady(BETTER, BASE)).aggregate.improves_over_baseline is True
    assert pack_of(steady(BASE, BETTER)).aggregate.improves_over_baseline is False


def test_without_a_baseline_nothing_is_said():
    pack = pack_of(steady(BETTER, BASE), known=Baselines())

    assert (pack.aggregate.score_v2, pack.aggregate.improves_over_baseline) == (None, None)
    assert pack.artifacts.status == "unscored"
    assert "idle: no baseline yet" in pack.artifacts.improves_reason
    assert pack.regimes[0].delta.perf == (None,) * 10


def test_a_trial_that_fails_twice_is_null_in_place_and_its_retry_is_told():
    # seed 003: failure_retry_count 1; null in place, length kept
    pack = pack_of(failing(steady(BETTER, BASE), pairs={3}))

    first, told = pack.regimes[0], pack.artifacts.regimes[0]
    assert first.trials == len(first.kpis.perf) == len(first.delta.perf) == 10
    assert [at for at, value in enumerate(first.kpis.perf) if value is None] == [3]
    assert all(getattr(first.kpis, metric)[3] is None for metric in METRICS)
    assert (told.failures, told.successes, told.retries) == (1, 9, 1)
    assert pack.artifacts.status == "scored"
    assert pack.aggregate.score_v2 == pytest.approx(1.1 - 0.2 * 0.9)


def test_a_retry_that_succeeds_counts():
    rows = list(steady(BETTER, BASE))
    broken = failing([rows[0]], pairs={3}, attempts=1)[0]
    rescue = trial("candidate", 3, {"perf": 1234.0, "p95_ms": 9.0}, retry_of="idle-candidate-3")
    rows[0] = broken.model_copy(update={"trials": (*broken.trials, rescue)})

    assert pack_of(rows).regimes[0].kpis.perf[3] == 1234.0


@pytest.mark.parametrize(("pairs", "status"), [({1, 4, 7}, "scored"), ({1, 4, 7, 9}, "invalid")])
def test_four_failures_of_ten_make_a_pack_invalid(pairs, status):
    pack = pack_of(failing(steady(BETTER, BASE), pairs))

    assert pack.artifacts.status == status
    assert (pack.aggregate.score_v2 is None) == (status == "invalid")
    assert (pack.artifacts.reason or "").startswith("idle: " if status == "invalid" else "")
    assert pack.aggregate.improves_over_baseline is (status == "scored")


def test_unavailable_is_told_and_is_no_failure():
    pack = pack_of([unavailable(regime) for regime in REGIMES])

    assert (pack.artifacts.status, pack.safe, pack.aggregate.score_v2) == ("unavailable", None, None)
    assert pack.artifacts.regimes[0].packages == ("stress-ng",)
    assert pack.artifacts.regimes[0].unavailable["perf"] == "stress-ng is not installed"
    assert [row.trials for row in pack.regimes] == [0, 0, 0, 0]


def test_what_is_unavailable_leaves_the_rest_comparable():
    pack = pack_of([*steady(BASE, BASE)[:3], unavailable("mixed")])

    assert pack.artifacts.scored_regimes == ("idle", "normal", "stress")
    assert pack.aggregate.means.perf.mixed is None
    assert pack.aggregate.score_v2 == pytest.approx(0.8)


@pytest.mark.parametrize(("told", "expected"), [([True], True), ([True, None], None), ([True, None, False], False)])
def test_safe_is_false_before_null_before_true(told, expected):
    rows = [evidence([trial("candidate", at, BASE, safe=safe) for at, safe in enumerate(told)], "idle", len(told))]

    assert pack_of(rows).safe is expected


def test_an_unsafe_pack_is_minus_infinity_in_json_that_every_reader_takes():
    # seed 003, acceptance 7: "safe": false, "score_v2": -Infinity
    rows = [
        row.model_copy(update={"trials": tuple(found.model_copy(update={"safe": False}) for found in row.trials)})
        for row in steady(BETTER, BASE)
    ]
    content = pack_bytes(pack_of(rows))

    assert b'"score_v2":-1e999' in content
    assert b"Infinity" not in content
    assert json.loads(content)["aggregate"]["score_v2"] == -math.inf
    assert read_pack(content).aggregate.score_v2 == -math.inf


@pytest.mark.parametrize("score", ["1e999", "-1e999"])
def test_infinity_of_a_pack_that_is_not_unsafe_is_refused(score):
    content = pack_bytes(pack_of(steady(BASE, BASE))).decode()
    found = json.loads(content)["aggregate"]["score_v2"]

    with pytest.raises(ValueError, match="minus infinity"):
        read_pack(content.replace(f'"score_v2":{found}', f'"score_v2":{score}').encode())


def test_a_confirmation_alone_decides():
    # best of many noisy candidates: measured again before it is believed
    lucky, again = steady(BETTER, BASE), steady(BASE, BASE)
    pack = pack_of(lucky, confirmation=Confirmation("session-2", again))

    assert pack.artifacts.judgement.verdict == "improved"
    assert (pack.artifacts.confirmation.session, pack.artifacts.confirmation.judgement.verdict) == (
        "session-2",
        "not improved",
    )
    assert pack.aggregate.improves_over_baseline is False


def test_repeats_of_a_genome_are_further_pairs_of_the_verdict_alone():
    pack = pack_of(steady(BETTER, BASE), repeats=steady(BETTER, BASE))

    assert pack.regimes[0].trials == 10
    assert pack.artifacts.judgement.overall.pairs == 80
    assert len(pack.artifacts.repeats) == 80


def test_worse_quality_is_no_improvement():
    pack = pack_of(steady(BETTER, BASE), quality_problems=("wer 0.70 is above 0.64",))

    assert pack.aggregate.improves_over_baseline is False
    assert pack.artifacts.improves_reason == "wer 0.70 is above 0.64"


def test_the_risk_profile_is_the_largest_seen():
    rows = [evidence([trial("candidate", at, {**BASE, "temp_peak_c": 60.0 + at}) for at in range(10)])]

    assert pack_of(rows).risk_profile.model_dump() == {"temp_peak_c": 69.0, "errors": 0.0, "oom": 0.0}


def test_a_setting_that_was_refused_in_one_trial_is_told():
    trials = [
        trial("candidate", at, BASE, applied={"nice": "applied" if at != 5 else "refused: EPERM"}) for at in range(10)
    ]

    assert pack_of([evidence(trials)]).artifacts.regimes[0].applied == {"nice": "refused: EPERM"}


def test_warm_ups_count_for_nothing_but_safety():
    warm = trial("candidate", -1, {"perf": 1.0, "p95_ms": 1.0}, trial_id="warm")
    rows = list(steady(BETTER, BASE))
    with_warm_up = [rows[0].model_copy(update={"trials": (warm, *rows[0].trials)}), *rows[1:]]

    pack = pack_of(with_warm_up)

    assert pack.regimes == pack_of(rows).regimes
    assert len(pack.artifacts.regimes[0].order) == 20
    hot = [rows[0].model_copy(update={"trials": (warm.model_copy(update={"safe": False}), *rows[0].trials)}), *rows[1:]]
    assert pack_of(hot).safe is False


def test_raw_samples_are_kept_beside_the_pack_with_the_rule_of_thinning():
    many = tuple(float(at) for at in range(SAMPLES_KEPT * 3 + 1))
    rows = [evidence([trial("candidate", 0, BASE, samples=many, samples_count=len(many))], planned=1)]

    content = json.loads(samples_bytes(candidate(rows)))["trials"]["idle-candidate-0"]

    assert (content["count"], content["every"]) == (len(many), 4)
    assert content["samples"] == list(many[::4])
    assert b'"samples":[' not in pack_bytes(pack_of(rows))
