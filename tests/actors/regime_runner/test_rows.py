"""A row becomes the exact command of one trial: genes reach it, nothing else does, and what is absent is said."""

import re

import pytest

from actors.regime_runner.genomes import GenomeRefusedError, space_for
from actors.regime_runner.rows import Rendered, render, unreached
from schemas.regime_checks import PLACEHOLDER
from schemas.regime_settings import DOMAINS, REGIMES
from schemas.regimes import TrialOrder
from tests.regime_rows import CAPS, CONFIG, GIB, genome_of, host_of, missing, rendered

ROWS = [(domain, regime) for domain in DOMAINS for regime in REGIMES if domain != "gpu"]
GPU_HOST = host_of(gpus=1, modules=("pocketsphinx", "torch"))


def test_a_row_is_rendered_to_an_exact_command():
    row = rendered("cpu", "mixed", threads=2, zstd_level=9, blas_threads=3, nice=4, policy="batch", placement="spread")

    assert row.argv[1:] == (
        "-P",
        "-m",
        "actors.regime_runner.workloads.crunching",
        "--seconds=0.25",
        "--threads=2",
        "--request-kb=256",
        "--chunk-kb=64",
        "--zstd-level=9",
    )
    assert row.background == (
        (
            "/usr/bin/stress-ng",
            "--vm=1",
            "--vm-bytes=64m",
            "--switch=1",
            "--timeout=66",
            "--temp-path={scratch}",
            "--quiet",
        ),
    )
    assert (row.env["OPENBLAS_NUM_THREADS"], row.env["OMP_NUM_THREADS"]) == ("3", "3")
    assert (row.nice, row.policy, row.cpus, row.ionice) == (4, "batch", (0, 1), None)
    assert (row.unit, row.gain_metric, row.seconds, row.timeout_s) == ("requests/s", "perf", 0.25, 5.375)


@pytest.mark.parametrize(("domain", "regime"), [*ROWS, *(("gpu", regime) for regime in REGIMES)])
def test_every_row_makes_an_order_without_placeholders(domain, regime):
    for profile in ("quick", "full"):
        row = rendered(domain, regime, profile, GPU_HOST)

        order = TrialOrder(trial_id="t1", domain=domain, regime=regime, deadman="alive", **row.order_fields())

        held = [*order.argv, *(text for command in order.background for text in command), *order.env.values()]
        assert {name for text in held for name in PLACEHOLDER.findall(text)} <= {"scratch"}
        assert all(command[0].startswith("/") for command in (order.argv, *order.background))


@pytest.mark.parametrize(("domain", "regime"), [*ROWS, *(("gpu", regime) for regime in REGIMES)])
def test_a_gene_that_a_row_uses_changes_the_trial_and_any_other_does_not(domain, regime):
    # issue 6, shown 7; dossier, faults 6 and 9
    genes = space_for(CONFIG, domain, GPU_HOST).genes
    base = {gene.name: "packed" if gene.name == "placement" else gene.default for gene in genes}
    plain = render(CONFIG, CAPS, GPU_HOST, (domain, regime, "quick"), base)

    is_changed = {}
    for gene in genes:
        other = next(value for value in gene.grid if value != base[gene.name])
        is_changed[gene.name] = plain != render(
            CONFIG, CAPS, GPU_HOST, (domain, regime, "quick"), base | {gene.name: other}
        )

    unused = unreached(CONFIG.domains[domain], regime)
    assert is_changed == {gene.name: gene.name not in unused for gene in genes}


def test_every_gene_reaches_some_row():
    for domain in DOMAINS:
        settings = CONFIG.domains[domain]

        assert set.intersection(*(set(unreached(settings, regime)) for regime in REGIMES)) == set()


@pytest.mark.parametrize(
    ("placement", "width", "cpus"),
    [
        ("free", 2, None),
        ("packed", 1, (0,)),
        ("packed", 2, (0, 2)),
        ("packed", 3, (0, 1, 2)),
        ("spread", 1, (0,)),
        ("spread", 2, (0, 1)),
        ("spread", 4, (0, 1, 2, 3)),
    ],
)
def test_a_placement_fills_cores_or_spreads_over_them(placement, width, cpus):
    assert rendered("os_scheduler", "normal", placement=placement, width=width).cpus == cpus


@pytest.mark.parametrize(
    ("domain", "regime", "timeout"),
    [("cpu", "stress", 185.0), ("cpu", "idle", 35.0), ("os_scheduler", "stress", 185.0)],
)
def test_a_trial_may_take_half_as_long_again_and_its_set_up(domain, regime, timeout):
    # seed 003, execution: timeout multiplier 1.5
    assert rendered(domain, regime, "full").timeout_s == timeout


def test_no_trial_may_take_more_than_300_seconds():
    row = CONFIG.domains["cpu"].regimes["stress"]
    longer = row.model_copy(update={"seconds": row.seconds.model_copy(update={"full": 250.0})})
    regimes = CONFIG.domains["cpu"].regimes | {"stress": longer}
    domains = CONFIG.domains | {"cpu": CONFIG.domains["cpu"].model_copy(update={"regimes": regimes})}

    made = render(
        CONFIG.model_copy(update={"domains": domains}), CAPS, host_of(), ("cpu", "stress", "full"), genome_of("cpu")
    )

    assert isinstance(made, Rendered)
    assert made.timeout_s == 300.0


@pytest.mark.parametrize(
    ("free", "size"),
    [(100 * GIB, 1907), (10 * GIB, 1024), (2 * GIB, 204)],
)
def test_files_are_at_most_a_tenth_of_the_free_space_and_two_gigabytes(free, size):
    # dossier, fault 13
    row = rendered("storage", "stress", "full", host_of(scratch_free_bytes=free))

    assert f"--size={size * 1024 * 1024}" in row.argv
    assert row.planned_bytes == size * 1024 * 1024
    assert row.max_bytes == row.planned_bytes + 1024 * 1024


def test_jobs_share_the_bytes_of_a_trial():
    row = rendered("storage", "normal", "full", jobs=4)

    assert f"--size={GIB // 4}" in row.argv
    assert row.planned_bytes == 2 * GIB


def test_a_full_disk_makes_storage_unavailable():
    absent = missing("storage", "stress", host_of(scratch_free_bytes=5 * 1024 * 1024))

    assert "bytes are free" in absent.reason


def test_a_working_set_is_at_most_60_percent_of_the_available_memory():
    row = rendered("memory", "stress", "full", host_of(memory_available_bytes=GIB))

    assert f"--bytes={614 * 1024 * 1024}" in row.argv
    assert row.max_memory_bytes == (614 + 512) * 1024 * 1024


@pytest.mark.parametrize(
    ("domain", "regime", "lacking", "reason", "package"),
    [
        ("cpu", "mixed", "stress-ng", "stress-ng is not on PATH", "stress-ng"),
        ("storage", "normal", "fio", "fio is not on PATH", "fio"),
        ("os_scheduler", "idle", "cyclictest", "cyclictest is not on PATH", "rt-tests"),
        ("os_scheduler", "mixed", "stress-ng", "stress-ng is not on PATH", "stress-ng"),
        ("asr_tts", "normal", "espeak-ng", "espeak-ng is not on PATH", "espeak-ng"),
        ("memory", "normal", "python3", "python3 is not on PATH", "python3"),
    ],
)
def test_a_row_whose_tool_is_absent_names_the_package(domain, regime, lacking, reason, package):
    programs = {name: place for name, place in host_of().programs.items() if name != lacking}

    absent = missing(domain, regime, host_of(programs=programs))

    assert absent.reason == reason
    assert absent.packages == (package,)


def test_most_rows_run_with_nothing_installed():
    bare = host_of(programs={"python3": host_of().programs["python3"]}, modules=())

    runs = [
        (domain, regime)
        for domain in DOMAINS
        for regime in REGIMES
        if isinstance(render(CONFIG, CAPS, bare, (domain, regime, "quick"), genome_of(domain)), Rendered)
    ]

    assert len(runs) == 22


def test_an_empty_path_runs_nothing():
    # issue 6, shown 3
    for domain in DOMAINS:
        for regime in REGIMES:
            assert missing(domain, regime, host_of(programs={})).reason


def test_gpu_rows_say_what_is_absent():
    absent = missing("gpu", "normal", host_of())

    assert absent.reason == "the Python module torch is absent; NVML sees no GPU"
    assert absent.packages == ("pip: torch", "an NVIDIA driver with NVML")


def test_what_a_workload_starts_itself_is_found_where_it_was_found():
    assert rendered("asr_tts", "normal").env["PATH"] == "/opt/speech"


def test_settings_of_the_machine_travel_apart_from_the_command():
    plain, opted = rendered("cpu", "idle"), rendered("cpu", "idle", governor="performance")

    assert opted.settings == {"governor": "performance"}
    assert opted.order_fields() == plain.order_fields()
    assert rendered("cpu", "idle", governor="untouched").settings == {}


def test_a_genome_with_problems_is_never_rendered():
    with pytest.raises(GenomeRefusedError, match=re.escape("threads = 9 is not one of")):
        rendered("cpu", "idle", threads=9)


def test_versions_of_the_tools_are_told():
    assert rendered("storage", "normal").versions == ("fio: fio-3.33",)


def test_a_placebo_gene_changes_neither_the_command_nor_anything_around_it():
    # dossier, section 6, "gene reaches load": a gene that a row does not use leaves its trials as they are
    assert "zstd_level" in unreached(CONFIG.domains["cpu"], "idle")

    plain, placebo = rendered("cpu", "idle"), rendered("cpu", "idle", zstd_level=9)

    assert placebo == plain
    assert rendered("cpu", "stress", zstd_level=9) != rendered("cpu", "stress")
