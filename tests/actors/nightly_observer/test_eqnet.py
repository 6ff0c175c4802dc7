"""EQNet's own logs, whole or damaged, give a night; nothing below the folder changes (seed 004)."""

import json
from pathlib import Path

import pytest

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.collectors.eqnet import EqnetNight, read_eqnet
from actors.nightly_observer.kernel import find_seeds
from schemas.night_files import load_runtime
from schemas.night_settings import RuntimeSettings
from tests.actors.nightly_observer.eqnet_folder import DATE, NOON_S, EqnetFolder, audit, event, item, nightly, turn

SETTINGS: RuntimeSettings = load_runtime((Path(__file__).parents[3] / "config" / "runtime.yaml").read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> EqnetFolder:
    return EqnetFolder(tmp_path / "eqnet")


def look(folder: EqnetFolder, *, parity: bool = False, key: bytes = bytes(32)) -> EqnetNight:
    folder.root.mkdir(exist_ok=True)
    return read_eqnet(folder.root, DATE, SETTINGS, Anchors(key, DATE, "mask"), parity)


def fired(night: EqnetNight) -> set[str]:
    return {seed.seed_type for seed in find_seeds(night.observed, night.health)}


def test_a_whole_night_tells_counts_made_disjoint_and_guards(folder: EqnetFolder):
    folder.document("reports/nightly.json", nightly())

    night = look(folder)

    assert night.problems == ()
    assert (night.observed.status, night.health.status) == ("observed", "observed")
    assert night.observed.duplicate_cluster_count == 1
    assert night.observed.conflict_cluster_count == 3
    assert night.health.delta_sign_balance == -1.0
    assert [(each.guard, each.k, each.n) for each in night.health.guards] == [("guard_counts", 12, 20)]
    assert fired(night) == {"duplicate", "conflict", "bridge", "guard_overuse"}
    assert [file.path for file in night.inputs.files] == ["reports/nightly.json"]


def test_a_night_that_crashed_is_read_from_what_it_left(folder: EqnetFolder):
    partial = {name: value for name, value in nightly().items() if name in ("ts", "defrag")}
    folder.document("reports/nightly/20260104_120000.json", partial)

    night = look(folder)

    assert night.observed.duplicate_cluster_count == 1
    assert night.health.status == "missing"


def test_what_the_last_report_lacks_is_filled_from_another_of_the_same_night(folder: EqnetFolder):
    whole = nightly()
    folder.document("reports/nightly.json", {name: value for name, value in whole.items() if name != "forgetting"})
    folder.document("reports/nightly/20260104_120000.json", whole)
    folder.document(
        "reports/nightly/20251224_120000.json", nightly(defrag={"status": "disabled"}, nightly_id="N-20251224-1")
    )

    night = look(folder)

    assert night.health.delta_abs_max == 0.98
    assert len(night.inputs.files) == 2


def test_masked_ids_give_anchors_by_position_and_the_evidence_says_so(folder: EqnetFolder):
    folder.document("reports/nightly.json", nightly())

    seeds = {seed.seed_type: seed for seed in find_seeds(*look(folder)[:2])}

    assert dict(seeds["duplicate"].evidence.numbers)["anchors_positional"] is True
    assert len(set(seeds["duplicate"].anchors)) == 2
    assert seeds["bridge"].tone == "neutral"
    assert dict(seeds["bridge"].evidence.numbers) == {"reference_candidate_count": 12, "saturated": False}


def test_replay_events_are_counted_again_with_disjoint_classes(folder: EqnetFolder):
    rows = [
        event(1, similarity=0.9, action="allow"),
        event(2, similarity=0.5),
        event(3, similarity=0.95, action="mask"),
    ]
    rows += [event(number, tags=["walk"]) for number in range(4, 7)] + [event(7)]
    folder.rows("state/replay_memory.jsonl", rows)

    ours, theirs = look(folder).observed, look(folder, parity=True).observed

    assert (ours.duplicate_cluster_count, ours.conflict_cluster_count) == (1, 2)
    assert (theirs.duplicate_cluster_count, theirs.conflict_cluster_count) == (1, 3)
    assert (ours.reference_candidate_count, theirs.reference_candidate_count) == (3, 3)
    assert [(band.low, band.count) for band in theirs.clusters_by_band] == [(0.5, 1), (0.7, 0), (0.85, 1), (0.95, 1)]
    assert theirs.top_similarities == (0.95, 0.9, 0.5)


def test_parity_stops_pairs_where_the_origin_does_and_ours_counts_them_all(folder: EqnetFolder):
    folder.rows("state/replay_memory.jsonl", [event(number, tags=["walk"]) for number in range(50)])

    ours, theirs = look(folder).observed, look(folder, parity=True).observed

    assert (ours.reference_candidate_count, ours.references_saturated) == (1225, False)
    assert (theirs.reference_candidate_count, theirs.references_saturated) == (1000, True)


def test_a_pair_that_shares_two_tags_is_one_pair(folder: EqnetFolder):
    rows = [event(1, tags=["walk", "home"]), event(2, tags=["walk", "home"]), event(3, tags=["home", "alone"])]
    folder.rows("state/replay_memory.jsonl", rows)

    assert look(folder).observed.reference_candidate_count == 3


@pytest.mark.parametrize(("events", "fires"), [(64, False), (65, True)])
def test_a_rollup_is_due_beyond_its_budget(folder: EqnetFolder, events: int, fires: bool):
    folder.rows("state/replay_memory.jsonl", [event(number, memory_kind="L1") for number in range(events)])

    finding = next(each for each in look(folder).observed.findings if each.evidence.formula == "eqnet.rollup_fill")

    assert finding.evidence.value == pytest.approx(events / 64, abs=1e-6)
    assert finding.fires == fires == (finding.evidence.value >= finding.evidence.threshold)


@pytest.mark.parametrize(("kind", "count"), [("experience", 0), ("L1", 6), ("l2-episodic", 6)])
def test_rollup_counts_kinds_by_substring(folder: EqnetFolder, kind: str, count: int):
    folder.rows("state/replay_memory.jsonl", [event(number, memory_kind=kind) for number in range(70)])

    night = look(folder)

    assert night.observed.rollup_candidate_count == count
    assert ("budget_pressure" in fired(night)) == (count > 0)


def test_events_without_an_episode_are_one(folder: EqnetFolder):
    folder.rows("state/replay_memory.jsonl", [event(n, episode_id="", similarity=0.9) for n in range(5)])

    assert look(folder, parity=True).observed.duplicate_cluster_count == 1


def test_thresholds_are_those_of_the_configuration_in_the_report(folder: EqnetFolder):
    snapshot = {"defrag": {"observe": {"duplicate_similarity_threshold": 0.99, "rollup_trigger_budget": 1}}}
    folder.document("reports/nightly.json", nightly(config_snapshot=snapshot))
    folder.rows("state/replay_memory.jsonl", [event(n, similarity=0.9, memory_kind="L1") for n in range(3)])

    observed = look(folder).observed

    assert (observed.duplicate_cluster_count, observed.rollup_candidate_count) == (0, 2)


def test_parity_forgets_by_the_formulas_of_the_origin(folder: EqnetFolder):
    snapshot = {"forgetting": {"consent_override_tags": ["private"]}}
    folder.document("reports/nightly.json", {"ts": NOON_S, "drift": {}, "config_snapshot": snapshot, "memory_gc": {}})
    recalling = {"replay_unified": {"seeds": [{"trace_id": "trace-1"}, {"trace_id": "trace-1"}]}}
    rows = [
        event(1, weight=0.5),
        event(2, weight=0.5, meta=recalling),
        event(3, weight=0.0, similarity=1.0),
        event(4, tags=["private"]),
        event(5, memory_kind="monument"),
        event(6, weight=0.03, episode_id="linked", tags=["private"]),
        event(7, weight=0.5, emotion_modulation=-1.0),
    ]
    folder.rows("state/replay_memory.jsonl", rows)
    folder.rows("memory/monuments.jsonl", [{"id": "a", "core_emotion": "joy", "episodes": ["linked"]}])

    health = look(folder, parity=True).health

    # 1: +0.1 x 0.25 x 2 recalls; 2: none; 3: 0 is read as 1, 0.2 x 1.0 clamped to 0.08; 4: 1.0 to 0.02; 5: locked;
    # 6: 0.03 to 0.02, lifted to 0.06; 7: 0.2 x 1.0 x 0.3
    assert health.delta_abs_max == pytest.approx(0.98)
    assert health.delta_abs_mean == pytest.approx((0.05 + 0.08 + 0.98 + 0.03 + 0.06) / 7, abs=1e-6)
    assert health.delta_nonzero_count == 5
    assert health.delta_sign_balance == pytest.approx(2 / 5)
    assert (health.evidence_nonzero_counts.recall, health.evidence_nonzero_counts.affect) == (1, 1)
    counts = health.guard_counts
    assert (counts.consent_overrides, counts.monument_locks, counts.floors_applied) == (2, 1, 1)


def test_the_last_night_of_the_item_log_counts_and_guarded_moves_are_split(folder: EqnetFolder):
    first = [item(number, 0.5) for number in range(4)]
    last = [item(0, -0.98, consent_override=True), item(1, -0.05), item(2, 0.03), item(3)]
    folder.rows("reports/forgetting/forgetting_items.jsonl", first + last)

    health = look(folder).health

    assert health.dreams == 4
    assert (health.delta_abs_max_free, health.delta_abs_max_guarded) == (0.05, 0.98)
    assert health.delta_sign_balance == pytest.approx(-1 / 3, abs=1e-6)
    assert health.guard_counts.consent_overrides == 1
    assert look(EqnetFolder(folder.root.parent / "idle")).health.delta_sign_balance is None


def test_equal_turns_are_duplicates_and_only_different_ones_are_verdicts(folder: EqnetFolder):
    rows = [turn(n, accepted=n % 2 == 0) for n in range(10)]
    copies = [
        {**row, "turn_id": f"again-{at}", "timestamp_ms": row["timestamp_ms"] + 50} for at, row in enumerate(rows[:2])
    ]
    folder.rows("trace_v1/2026-01-04/minimal-0e7f9e5c-a347-4f8e-802b-98d3424f2b34.jsonl", rows + copies)

    night = look(folder)

    by_formula = {finding.evidence.formula: finding for finding in night.observed.findings}
    assert by_formula["eqnet.equal_rows"].evidence.value == pytest.approx(2 / 12, abs=1e-6)
    assert by_formula["eqnet.verdict_mix"].evidence.n == 10
    assert dict(by_formula["eqnet.verdict_mix"].evidence.numbers)["repeated"] == 2
    assert fired(night) == {"duplicate", "conflict"}
    assert "0e7f9e5c" not in repr(night.inputs)


def test_the_repeats_of_the_origins_week_are_below_support(folder: EqnetFolder):
    """Two accepted, four rejected, every one of them there twice: one and two, of three."""
    half = [turn(0), turn(1, accepted=False), turn(2, accepted=False)]
    folder.rows("trace_v1_week/s04/2026-01-04/a.jsonl", half)
    folder.rows(
        "trace_v1_week/s04/2026-01-04/b.jsonl",
        [{**row, "turn_id": "b", "timestamp_ms": int(NOON_S * 1e3)} for row in half],
    )

    night = look(folder)

    mix = next(each for each in night.observed.findings if each.evidence.formula == "eqnet.verdict_mix")
    assert (mix.evidence.n, mix.fires) == (3, False)


def test_turns_of_other_days_take_no_part(folder: EqnetFolder):
    other = [{**turn(n), "timestamp_ms": int((NOON_S + 86_400) * 1000) + n} for n in range(3)]
    folder.rows("trace_v1/2026-01-05/a.jsonl", other)

    night = look(folder)

    assert night.observed.status == "missing"
    assert night.problems == ()


def test_guards_are_judged_by_the_low_end_of_their_rate(folder: EqnetFolder):
    folder.document("reports/audit/nightly_audit_2026-01-04.json", audit())
    folder.document("reports/weekly_audit_04.json", {"day": DATE, "nightly_audit": audit()})

    night = look(folder)

    rates = {each.guard: (each.k, each.n) for each in night.health.guards}
    assert rates == {"offer_throttle": (14, 20), "human_confirm": (1, 20)}
    assert [finding.fires for finding in night.health.findings] == [True, False]
    assert night.health.reasons == ("guard_overactive",)


def test_weekly_audits_of_a_day_are_added_up_where_there_is_no_daily_one(folder: EqnetFolder):
    for number in (1, 2):
        folder.document(f"reports/weekly_audit_0{number}.json", {"day": DATE, "nightly_audit": audit()})

    assert [(each.k, each.n) for each in look(folder).health.guards] == [(28, 40), (2, 40)]


def test_one_of_one_is_no_overuse(folder: EqnetFolder):
    folder.rows("trace_v1/2026-01-04/a.jsonl", [turn(1, policy={"throttles": {"safety_block": {"pass": True}}})])

    health = look(folder).health

    assert [(each.k, each.n) for each in health.guards if each.guard == "offer_throttle"] == [(1, 1)]
    assert not any(finding.fires for finding in health.findings)


def test_equal_qualia_vectors_follow_the_ratio_rule(folder: EqnetFolder):
    vectors = [[0.1, 0.2], [0.1, 0.2], [0.3, 0.4]]
    rows = [{"timestamp": "2026-01-04T07:12:00", "qualia_vec": vector} for vector in vectors]
    folder.rows("eqnet_data/telemetry/qualia-20260104.jsonl", rows)

    assert fired(look(folder)) == {"duplicate"}


def test_the_meter_of_the_metabolism_is_pressure(folder: EqnetFolder):
    budget = {"entropy": {"capacity": 1.0, "level": 0.1, "spent": 0.5, "recovered": 0.1}}
    budget |= {"attention": {"capacity": 1.0, "level": 0.1, "spent": 0.1, "recovered": 0.5}}
    meter = {"energy_budget_used": 0.09, "energy_budget_limit": 0.1, "budget_throttle_applied": False}
    folder.document("reports/runtime.json", {"ts": NOON_S, "memory_thermo": {**meter, "resource_budget": budget}})

    findings = look(folder).observed.findings

    assert [(each.evidence.formula, each.fires) for each in findings] == [
        ("eqnet.throttle", False),
        ("eqnet.energy_fill", True),
        ("eqnet.channel_level", False),
        ("eqnet.channel_level", True),
    ]


def test_bom_crlf_bad_lines_and_nan_cost_themselves_and_are_counted(folder: EqnetFolder):
    good = [json.dumps(event(number, similarity=0.9)).encode() for number in range(3)]
    nan = json.dumps(event(8)).replace("1.0", "NaN").encode()
    lines = [
        good[0],
        b'{"trace_id": "cut',
        nan,
        b"\xff\xfe{}",
        b"",
        b'{"strange": 1}',
        b"[" * 100_000,
        good[1],
        good[2],
    ]
    folder.write("state/replay_memory.jsonl", b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n")

    night = look(folder)

    assert night.observed.duplicate_cluster_count == 3
    assert {problem.what: problem.times for problem in night.problems} == {
        "is no JSON": 2,
        "number is not finite": 1,
        "bytes are no UTF-8": 1,
        "shape is not known: replay_memory.jsonl": 1,
    }
    assert night.inputs.files[0].counted_bytes == sum(len(line) + 2 for line in good) + 3


def test_unknown_shapes_are_named_and_pass_by(folder: EqnetFolder):
    folder.document("reports/mystery.json", {"hello": [1, 2]})
    folder.document("reports/nightly.json", nightly())

    night = look(folder)

    assert [problem.what for problem in night.problems] == ["shape is not known: mystery.json"]
    assert night.observed.status == "observed"


@pytest.mark.parametrize("odd", [None, [], "text", 3, {"observe": [1]}, {"observe": {"top_pairs": {"a": 1}}}])
def test_blocks_of_other_types_count_as_absent(folder: EqnetFolder, odd: object):
    folder.document("reports/nightly.json", nightly(defrag=odd, forgetting=odd, config_snapshot=odd))
    folder.rows("reports/forgetting/forgetting_items.jsonl", [{**item(1), "factors": odd, "guard": odd, "delta": odd}])
    folder.rows("trace_v1/2026-01-04/a.jsonl", [turn(1, prospection=odd, policy=odd, ru_v0=odd)])
    folder.rows("state/replay_memory.jsonl", [event(1, meta=odd, tags=odd, weight=odd, timestamp=odd)])

    for parity in (False, True):
        assert look(folder, parity=parity).health.status == "observed"


def test_disabled_stages_are_told_as_such(folder: EqnetFolder):
    folder.document("reports/nightly.json", nightly(defrag={"status": "disabled"}, forgetting={"status": "disabled"}))

    night = look(folder)

    assert (night.observed.status, night.health.status) == ("disabled", "disabled")


def test_an_empty_or_absent_folder_is_missing(folder: EqnetFolder, tmp_path: Path):
    night = look(folder)

    assert (night.observed.status, night.health.status, night.inputs.files) == ("missing", "missing", ())
    absent = read_eqnet(tmp_path / "nowhere", DATE, SETTINGS, Anchors(bytes(32), DATE, "mask"), False)
    assert absent.observed.status == "missing"


def test_nothing_below_the_folder_changes_and_links_are_not_followed(folder: EqnetFolder, tmp_path: Path):
    folder.document("reports/nightly.json", nightly())
    folder.rows("state/replay_memory.jsonl", [event(1)])
    (tmp_path / "outside.json").write_text(json.dumps(nightly()))
    (folder.root / "linked.json").symlink_to(tmp_path / "outside.json")
    before = manifest(folder.root)

    night = look(folder)

    assert manifest(folder.root) == before
    assert [problem.what for problem in night.problems] == ["cannot be opened"]


def test_no_raw_id_is_in_what_comes_out(folder: EqnetFolder):
    canaries = [f"canary-{number:04d}-secret" for number in range(8)]
    folder.document("reports/nightly.json", nightly())
    rows = [
        event(n, trace_id=name, episode_id=name, tags=["shared"], similarity=0.9) for n, name in enumerate(canaries)
    ]
    folder.rows("state/replay_memory.jsonl", rows)
    folder.rows("trace_v1/2026-01-04/a.jsonl", [turn(1, turn_id=name, scenario_id=name) for name in canaries])

    told = repr(look(folder))

    assert not any(canary in told for canary in canaries)
    assert "family_roles" not in told


def test_masked_anchors_of_two_keys_have_nothing_in_common(folder: EqnetFolder):
    folder.rows("state/replay_memory.jsonl", [event(1, similarity=0.9)])

    first, second = ({each.anchors for each in look(folder, key=bytes([k]) * 32).observed.findings} for k in (1, 2))

    assert not first & second


def manifest(root: Path) -> dict[str, tuple[int, int, int, int]]:
    stats = {str(path): path.lstat() for path in sorted(root.rglob("*"))}
    return {name: (each.st_size, each.st_mode, each.st_mtime_ns, each.st_ino) for name, each in stats.items()}
