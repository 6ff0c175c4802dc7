"""A genome is whole, on its grid and within its constraints, or it is refused in words."""

import pytest

from actors.regime_runner.genomes import (
    GenomeRefusedError,
    broken_constraints,
    check,
    default_genome,
    parse_genome,
    quality_problems,
    space_for,
)
from schemas.regime_settings import DOMAINS, UNTOUCHED
from tests.regime_rows import CONFIG, genome_of, host_of


def space_of(domain, *tier_b, **facts):
    return space_for(CONFIG, domain, host_of(**facts), tier_b)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_default_genome_of_every_domain_can_be_run(domain):
    assert check(space_of(domain), CONFIG.domains[domain], default_genome(CONFIG, domain)) == ()


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_extremes_of_every_gene_can_be_reached(domain):
    # dossier 1.2: the origin's genes never left the middle
    for gene in space_of(domain).genes:
        assert (gene.at(0.0), gene.at(1.0)) == (gene.grid[0], gene.grid[-1])
        assert {gene.at(index / 1000) for index in range(1001)} == set(gene.grid)


def test_settings_of_the_machine_are_genes_only_when_they_are_named():
    plain = {gene.name for gene in space_of("cpu").genes}
    opted = {gene.name: gene for gene in space_of("cpu", "governor").genes}

    assert "governor" not in plain
    assert "boost" not in opted
    assert opted["governor"].is_of_machine
    assert opted["governor"].default == UNTOUCHED


def test_a_machine_with_one_processor_leaves_one_number_of_threads():
    (threads,) = [gene for gene in space_of("cpu", cpus=(0,), cores=((0,),)).genes if gene.name == "threads"]

    assert threads.is_fixed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threads": 5}, "threads = 5 is not one of 1, 2, 3, 4"),
        ({"threads": True}, "threads = True is not one of"),
        ({"threads": "2"}, "threads = '2' is not one of"),
        ({"policy": "fifo"}, "policy = 'fifo' is not one of other, batch, idle"),
        ({"zeal": 1}, "there is no gene zeal"),
        ({"thread": 1}, "did you mean threads?"),
        ({"governor": "performance"}, "the operator has to opt in"),
        ({"zstd_level": 2.5}, "is not one of"),
        ({"zstd_level": float("nan")}, "is not one of"),
    ],
)
def test_a_value_off_the_grid_is_refused(changes, said):
    (problem,) = check(space_of("cpu"), CONFIG.domains["cpu"], genome_of("cpu", **changes))

    assert said in problem


def test_a_missing_gene_is_named():
    genome = genome_of("cpu")
    del genome["nice"]

    assert check(space_of("cpu"), CONFIG.domains["cpu"], genome) == ("nice is missing",)


def test_a_buffer_that_is_too_long_breaks_its_constraint():
    settings = CONFIG.domains["audio"]

    assert broken_constraints(settings, genome_of("audio", period=2048, periods=2)) == ()
    assert broken_constraints(settings, genome_of("audio", period=2048, periods=3)) == (
        "period x periods = 6144 is more than 4096",
    )


def test_assignments_change_the_default_genome():
    settings = CONFIG.domains["cpu"]

    genome = parse_genome(("threads=2", "policy=batch", "nice=5.0"), space_of("cpu"), settings)

    assert genome == genome_of("cpu", threads=2, policy="batch", nice=5)
    assert isinstance(genome["nice"], int)


def test_all_problems_of_assignments_come_at_once():
    settings = CONFIG.domains["cpu"]

    with pytest.raises(GenomeRefusedError) as caught:
        parse_genome(("threads=2", "threads=3", "thread=2", "nice"), space_of("cpu"), settings)

    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "threads is given twice",
        "there is no gene thread",
        "'nice' is not written gene=value",
    ]


@pytest.mark.parametrize("text", ["", "many", "1e999", "nan", "2; touch x", " 2", "0x2"])
def test_a_value_that_is_none_is_refused_with_the_grid(text):
    with pytest.raises(GenomeRefusedError, match="is not one of 1, 2, 3, 4"):
        parse_genome((f"threads={text}",), space_of("cpu"), CONFIG.domains["cpu"])


@pytest.mark.parametrize(
    ("domain", "candidate", "baseline", "is_worse"),
    [
        ("asr_tts", {"wer": 0.32}, {"wer": 0.30}, False),
        ("asr_tts", {"wer": 0.33}, {"wer": 0.30}, True),
        ("cpu", {"compression_ratio": 2.86}, {"compression_ratio": 3.0}, False),
        ("cpu", {"compression_ratio": 2.84}, {"compression_ratio": 3.0}, True),
        ("asr_tts", {}, {"wer": 0.30}, False),
        ("storage", {"write_error_rate": 1.0}, {"write_error_rate": 0.0}, False),
    ],
)
def test_speed_that_costs_quality_is_no_gain(domain, candidate, baseline, is_worse):
    # dossier 3: narrow beams cut the time and ruin the text
    assert bool(quality_problems(CONFIG.domains[domain], candidate, baseline)) is is_worse
