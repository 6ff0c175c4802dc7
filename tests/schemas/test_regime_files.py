"""A regime file is understood whole, or refused whole with every problem and its line; nothing of it is executed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.regime_checks import grid_of
from schemas.regime_files import load_caps, load_regimes
from schemas.regime_settings import DOMAINS, REGIMES, GeneSpec
from tests.regime_rows import CAPS_TEXT, REGIMES_TEXT

TEXT = REGIMES_TEXT.decode()
CAPS = CAPS_TEXT.decode()
NICE = "{what: niceness, lo: 0, hi: 10, step: 1, default: 0}"
"""A gene of the domain cpu, as it is written."""


def problems_of(load: Callable[[bytes], object], text: str | bytes) -> tuple[str, ...]:
    """Everything that is refused in `text`."""
    with pytest.raises(SettingsError) as caught:
        load(text.encode() if isinstance(text, str) else text)
    return caught.value.problems


def refused(load: Callable[[bytes], object], text: bytes) -> tuple[str, ...]:
    """What is refused in `text`, nothing where it is taken."""
    try:
        load(text)
    except SettingsError as error:
        return error.problems
    return ()


def changed(old: str, new: str, text: str = TEXT) -> str:
    """`text` with the first `old` replaced; it has to be there."""
    assert old in text
    return text.replace(old, new, 1)


def test_there_are_nine_domains_of_four_regimes():
    # seed 003: 9 domains x 4 regimes
    config = load_regimes(REGIMES_TEXT)

    rows = [(domain, regime) for domain in config.domains for regime in config.domains[domain].regimes]

    assert rows == [(domain, regime) for domain in DOMAINS for regime in REGIMES]


def test_nominal_seconds_are_those_of_the_seed():
    config = load_regimes(REGIMES_TEXT)

    seconds = {
        (domain, regime): row.seconds.full
        for domain, settings_ in config.domains.items()
        for regime, row in settings_.regimes.items()
    }

    usual = {"idle": 20, "normal": 30, "stress": 120, "mixed": 90}
    assert seconds == {
        (domain, regime): 60 if (domain, regime) == ("audio", "mixed") else usual[regime]
        for domain in DOMAINS
        for regime in REGIMES
    }


def test_a_trial_of_the_quick_profile_takes_about_a_second_with_its_start():
    config = load_regimes(REGIMES_TEXT)

    quick = [row.seconds.quick for settings_ in config.domains.values() for row in settings_.regimes.values()]

    assert len(quick) == 36
    assert min(quick) >= 0.25
    assert max(quick) <= 1.5


@pytest.mark.parametrize(
    "written",
    [
        "--rate=300; touch {mark}",
        "--rate=$(touch {mark})",
        "--rate=`touch {mark}`",
        "--rate=300 && touch {mark}",
        "--rate=300 | tee {mark}",
        "--rate=300 > {mark}",
        "--rate=300\\ntouch {mark}",
        "; touch {mark}",
        "$(touch {mark})",
        "-c",
        "--threads=../../{mark}",
        "--rate={{scratch}}",
    ],
)
def test_shell_metacharacters_are_refused_where_they_are_written_and_do_nothing(written, tmp_path):
    # issue 6, shown 7
    mark = tmp_path / "mark"
    text = changed("--rate=300", '"' + written.format(mark=mark) + '"')

    problems = problems_of(load_regimes, text)

    assert not mark.exists()
    line = text[: text.index('"' + written.format(mark=mark).split()[0])].count("\n") + 1
    assert any(problem.startswith(f"regimes.yaml:{line}: domains.cpu.regimes.normal.argv[2]:") for problem in problems)


@pytest.mark.parametrize(
    "program", ["sh", "/bin/sh", "bash", "python3", "sysbench", "stress-ng", "", "actors.x", "Crunching"]
)
def test_only_programs_of_the_list_may_measure(program):
    problems = problems_of(load_regimes, changed("argv: [wakeups,", f'argv: ["{program}",'))

    assert any("is not a program that may be started here" in problem for problem in problems)


@pytest.mark.parametrize("program", ["sh", "fio", "crunching", "nohup"])
def test_only_load_generators_may_run_beside(program):
    problems = problems_of(load_regimes, changed("- [stress-ng, --vm=1,", f"- [{program}, --vm=1,"))

    assert any("domains.cpu.regimes.mixed.background[0][0]" in problem for problem in problems)


@pytest.mark.parametrize(
    "option",
    [
        "--exec_prerun=reboot",
        "--filename=/dev/vda",
        "--directory=/etc",
        "--directory={scratch}/../..",
        "--directory={scratch}/a/b",
        "--rw=trim",
        "--ioengine=exec",
        "--size=1e9",
        "--client=host",
        "--unlink=0",
        "probe.fio",
    ],
)
def test_fio_is_given_no_command_no_device_and_no_folder_but_its_own(option):
    problems = problems_of(load_regimes, changed("--rwmixread=70", f'"{option}"'))

    assert any("domains.storage.regimes.normal.argv[4]" in problem for problem in problems)


def test_a_misspelt_key_is_named_with_its_line_and_what_was_meant():
    text = changed("        loop: open", "        lop: open")

    problems = problems_of(load_regimes, text)

    line = text[: text.index("lop: open")].count("\n") + 1
    assert f"regimes.yaml:{line}: domains.cpu.regimes.idle.lop: unknown key; did you mean loop?" in problems
    assert any(problem.endswith("domains.cpu.regimes.idle.loop: is missing") for problem in problems)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 2", "version: 3", "version: 3 does not fit"),
        ("version: 2", "version: 2\nextra: 1", "extra: unknown key"),
        ("  failure_retries: 1", "  failure_retrys: 1", "did you mean failure_retries?"),
        ("full: 10, quick: 10", "full: 10, quik: 10", "did you mean quick?"),
        ("full: 10, quick: 10", "full: 0, quick: 10", "at least one trial"),
        ("{what: worker threads, lo: 1", "{what: worker threads, low: 1", "unknown key"),
        ("  cpu:\n", "  cpux:\n", "domains.cpux"),
        ("      idle:\n        what: a sleeper", "      idel:\n        what: a sleeper", "domains.cpu.regimes.idel"),
        ("        loop: open", "        loop: sometimes", "loop: 'sometimes' does not fit"),
        ("seconds: {full: 20, quick: 0.5}", "seconds: {full: 20, quick: 0}", "more than 0 seconds"),
        ("seconds: {full: 20, quick: 0.5}", "seconds: {full: -1, quick: 0.5}", "greater than or equal to 0"),
        ("seconds: {full: 20, quick: 0.5}", 'seconds: {full: "20", quick: 1}', "seconds.full"),
        ("seconds: {full: 20, quick: 0.5}", "seconds: {full: true, quick: 0.5}", "seconds.full"),
        ("setup_s: 5", "setup_s: .nan", "setup_s"),
        ("unit: wakeups/s", "unit: 'wakeups; s'", "is a short unit"),
        ("--interval-us=1000", '"--interval-us={zeal}"', "holds one placeholder"),
        ("--interval-us=1000", '"--interval-us={nice}{nice}"', "holds one placeholder"),
        ("--interval-us=1000", "--interval-us=1000, --interval-us=1000", "is there twice"),
        (", --interval-us=1000", "", "wakeups needs --interval-us"),
        ("--interval-us=1000", "--interval_us=1000", "did you mean interval-us?"),
        ("--interval-us=1000", "--interval-us", "no value is given"),
        ("--interval-us=1000", "--interval-us=0", "a whole number from 1 on is"),
        ("--rate=300", "--rate=-300", "a number from 0 on is"),
        ("--switch=1", "--switch=100000", "a whole number from 1 to 999 is"),
        ("--interval-us=1000", "--interval-us=1.5", "a whole number from 1 on is"),
        ("default: 64}", "default: 65}", "is none of its values"),
        (NICE, "{what: n, lo: 0, hi: 10, step: 3, default: 0}", "whole number of steps"),
        (NICE, "{what: n, lo: 0, hi: 10, step: 0, default: 0}", "more than 0"),
        (NICE, "{what: n, lo: 9, hi: 1, step: 1, default: 9}", "not less than lo"),
        (NICE, "{what: n, lo: 0, hi: 1000000000, step: 1, default: 0}", "at most 1000"),
        (NICE, "{what: n, lo: 0, hi: 10, step: 1, default: 11}", "not on its grid"),
        (NICE, "{what: n, lo: -5, hi: 10, step: 1, default: 0}", "'-5', which nice can make"),
        (NICE, "{what: n, lo: 0, hi: 10, default: 0}", "either lo, hi and step, or values"),
        ("lo: 1, hi: cpus, step: 1, default: 1", "lo: 1, hi: cpus, step: 1, default: 2", "fits every machine"),
        ("values: [other, batch, idle]", "values: [other, batch, fifo]", "'fifo', which policy can make"),
        ("values: [other, batch, idle]", "values: [other, other, idle]", "different values"),
        ("values: [other, batch, idle]", "values: [other, 'ba tch', idle]", "values are numbers or words"),
        ("nice: {what", "voltage: {what: v, values: [1], default: 1}\n      nice: {what", "never set by a trial"),
        ("nice: {what", "placebo: {what: v, values: [1, 2], default: 1}\n      nice: {what", "reaches no argument"),
        ("nice: {what", "seconds: {what: v, values: [1, 2], default: 1}\n      nice: {what", "taken by a fact"),
        ("      boost: {what", "      undervolt: {what", "never set by a trial"),
        ("      boost: {what", "      bost: {what", "did you mean boost?"),
        ("values: [untouched, 0], default: untouched", "values: [untouched, 0], default: 0", "untouched among them"),
        ("env: {OPENBLAS_NUM_THREADS", "env: {LD_PRELOAD", "is not a variable that a regime may set"),
        ('OMP_NUM_THREADS: "{blas_threads}"', 'OMP_NUM_THREADS: "{placement}"', "which placement can make"),
        ('nice: "{nice}", policy', 'nise: "{nice}", policy', "did you mean nice or ionice?"),
        (', width: "{threads}"', "", "placement and width go together"),
        ("compression_ratio:", "compression:", "no row of this domain reports it; did you mean compression_ratio?"),
        ("direction: at_least", "direction: upwards", "direction"),
        ("product_of: [period, periods]", "product_of: [period, perids]", "did you mean period"),
        ("product_of: [period, periods]", "product_of: [period, method]", "a product needs numbers"),
        ("at_most: 4096", "at_most: 100", "the default genome breaks it"),
        ("        passes: 2  ", "        passes: 0  ", "storage.regimes.normal.passes"),
        ("        memory_bytes: {full: 268435456, quick: 67108864}\n", "", "holds one placeholder"),
        ("memory_bytes: {full", "bytes: {full: 1, quick: 1}\n        memory_bytes: {full", "no argument holds {bytes}"),
        ("  cpu:\n", "  cpu: &a\n", None),
        ("version: 2", "version: 2\nversion: 2", "the key is there twice"),
        ("    constraints: []", "    constraints: *nothing", "is not YAML"),
        ("version: 2", "version: !!python/object:os.system 2", "without a tag"),
        ("version: 2", "version: [2", "is not YAML"),
        ("version: 2", "\tversion: 2", "is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(old, new, said):
    if said is None:
        load_regimes(changed(old, new).encode())
        return

    problems = problems_of(load_regimes, changed(old, new))

    assert any(said in problem for problem in problems), problems
    assert all(re.match(r"regimes\.yaml:\d+: ", problem) for problem in problems)


def test_all_problems_come_at_once():
    text = changed("--rate=300", "--rate=fast", changed("--interval-us=1000", "--interval-us=often"))

    assert len(problems_of(load_regimes, text)) == 2


@pytest.mark.parametrize("domain", ["gpu", "conversation"])
def test_a_missing_domain_is_named(domain):
    text = re.sub(rf"(?ms)^  {domain}:.*?(?=^  [a-z]|\Z)", "", TEXT)

    assert any(f"domains are missing: {domain}" in problem for problem in problems_of(load_regimes, text))


def test_a_missing_regime_is_named():
    text = re.sub(r"(?ms)^      mixed:\n        what: the same while.*?(?=^  gpu:)", "", TEXT)

    assert any("domains.cpu: regimes are missing: mixed" in problem for problem in problems_of(load_regimes, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file"),
        (b"[]", "the file"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 1_100_000, "at most 1048576 are read"),
        (b"[" * 600, "is nested too deeply"),
        (b"a: &x [*x]", "anchors and aliases"),
        (b"a: &x 1\nb: *x", "anchors and aliases"),
    ],
)
@pytest.mark.parametrize("load", [load_regimes, load_caps])
def test_what_is_no_settings_file_is_refused_in_words(load, text, said):
    assert any(said in problem for problem in problems_of(load, text))


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(min_codepoint=9, max_codepoint=0x2FF), max_size=60), st.integers(0, len(CAPS) - 1))
def test_no_text_makes_anything_but_settings_or_a_refusal(noise, at):
    problems = refused(load_caps, (CAPS[:at] + noise + CAPS[at:]).encode())

    assert all(problem.startswith("caps.yaml") for problem in problems)


@pytest.mark.parametrize(
    "noise", ["0[", "[", "{", "a:\n", "- ", "? ", ": ", "!!int ", "| ", "%YAML 9\n", "---\n...\n", "\x00"]
)
@pytest.mark.parametrize("before", ["version: 2", "[wakeups"])
def test_no_slip_of_the_pen_makes_anything_but_settings_or_a_refusal(noise, before):
    problems = refused(load_regimes, changed(before, noise + before).encode())

    assert all(problem.startswith("regimes.yaml") for problem in problems)


def test_on_and_off_are_words():
    config = load_regimes(REGIMES_TEXT)

    assert config.domains["memory"].genes["prefault"].values == ("off", "on")


def test_a_grid_begins_at_lo_and_reaches_hi():
    # dossier 1.2: the origin's grid was anchored at 0
    gene = GeneSpec(what="tREFI", lo=7800, hi=15600, step=1300, default=7800)

    assert grid_of(gene, cpus=4) == (7800, 9100, 10400, 11700, 13000, 14300, 15600)


@pytest.mark.parametrize(("cpus", "grid"), [(1, (1,)), (3, (1, 2, 3))])
def test_a_range_up_to_cpus_fits_the_machine(cpus, grid):
    assert grid_of(GeneSpec(what="threads", lo=1, hi="cpus", step=1, default=1), cpus) == grid


def test_the_module_reads_no_file_of_its_own():
    source = Path(load_regimes.__code__.co_filename).read_text(encoding="utf-8")

    assert "open(" not in source
