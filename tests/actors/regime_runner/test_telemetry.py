"""Every generation leaves a line that leads to its packs, every evaluation a manifest (seed 003)."""

import json
import re
from pathlib import Path

from actors.regime_runner.fingerprint import code_hash, look_at_machine
from actors.regime_runner.packs import Candidate, build_pack
from actors.regime_runner.places import evolution_path
from actors.regime_runner.telemetry import evolution_line, last_generation, manifest_bytes, run_name
from schemas.evidence import REGIMES
from tests.actors.regime_runner.test_packs import baselines
from tests.actors.regime_runner.written_evidence import context, steady

BASE = {"perf": 1000.0, "p95_ms": 10.0}


def pack_of(perf, cand_id, is_safe=True):
    rows = [
        row.model_copy(update={"trials": tuple(found.model_copy(update={"safe": is_safe}) for found in row.trials)})
        for row in steady({**BASE, "perf": perf}, BASE)
    ]
    return build_pack(context(), Candidate(1, cand_id, {"threads": 2, "nice": 0}, tuple(rows)), baselines())


def line_of(packs):
    return json.loads(evolution_line(context(), 1, packs, REGIMES, 10, 20, 0.75))


def test_a_line_is_that_of_the_seed():
    line = line_of([pack_of(1100.0, "gen1_00"), pack_of(900.0, "gen1_01")])

    assert line["candidate_packs"] == ["artifacts/candidates/cpu/gen1_00.json", "artifacts/candidates/cpu/gen1_01.json"]
    assert line["regimes"] == ["idle", "normal", "stress", "mixed"]
    assert (line["trials_per_regime"], line["generation"], line["domain"]) == (10, 1, "cpu")
    assert (round(line["best_fitness"], 6), round(line["min_fitness"], 6), line["valid_individuals"]) == (0.9, 0.7, 2)
    assert line["pareto_front"] == ["gen1_00"]
    assert line["run_id"] == context().run_id
    assert evolution_path("cpu") == "artifacts/domain_evolution/cpu_evolution.jsonl"


def test_an_unsafe_candidate_is_never_the_best_and_the_line_stays_json():
    line = line_of([pack_of(9000.0, "gen1_00", is_safe=False), pack_of(900.0, "gen1_01")])

    assert (round(line["best_fitness"], 6), line["valid_individuals"]) == (0.7, 1)
    assert line_of([pack_of(9000.0, "gen1_00", is_safe=False)])["best_fitness"] is None


def test_the_run_id_has_the_form_of_the_seed():
    assert run_name(1_759_920_917_000_000_000, 317) == "2025-10-08T10-55-17_r317"


def test_the_last_generation_is_found_whatever_else_is_in_the_file():
    assert last_generation(b'{"generation": 4}\n{"generation": 2}\nnot json\n[1]\n') == 4
    assert last_generation(b"") is None


def test_a_manifest_names_seeds_code_and_configuration():
    found = json.loads(manifest_bytes(context(), ["cpu"], {"regimes.yaml": "ab"}, {"numpy": 7}))

    assert (found["seeds"], found["configs"], found["code_hash"]) == (
        {"numpy": 7},
        {"regimes.yaml": "ab"},
        "sha256:code",
    )
    assert (found["run_id"], found["timestamp"]) == ("2026-01-02T03-04-05_r007", "2026-01-02T03-04-05")


def test_the_code_hash_follows_every_file(tmp_path: Path):
    for package in ("actors", "config"):
        (tmp_path / package).mkdir()
    (tmp_path / "actors" / "core.py").write_text("a = 1\n")
    before = code_hash(tmp_path)
    (tmp_path / "config" / "caps.yaml").write_text("version: 2\n")
    more = code_hash(tmp_path)
    (tmp_path / "actors" / "core.py").write_text("a = 2\n")

    assert re.fullmatch(r"sha256:[0-9a-f]{16}", before)
    assert len({before, more, code_hash(tmp_path)}) == 3


def test_this_machine_has_the_same_fingerprint_twice():
    found = look_at_machine()

    assert found == look_at_machine()
    assert found.host_facts["kernel"]
    assert found.tools["numpy"]
