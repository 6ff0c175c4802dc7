"""What has to agree inside `regimes.yaml`: genes with what uses them, arguments with the programs that take them.

In: a `RegimeConfig` whose single values are sound. Out: every problem, with its place. An argument is judged with each
value that its gene can take, so that whatever a search proposes has already been allowed where it was written; nothing
of a regime is ever given to a shell, and what no rule of `schemas.regime_programs` allows is refused.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

from schemas.regime_programs import BACKGROUND, ENVIRONMENT, FOREGROUND, PROGRAMS, Option, Program
from schemas.regime_settings import UNTOUCHED, DomainConfig, GeneSpec, RegimeConfig, RegimeRow
from schemas.regimes import GeneValue
from schemas.tiers import TIER_B, why_never

Place = tuple[str | int, ...]

PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
FACTS: Final = {
    "seconds": "1.5",
    "milliseconds": "1500",
    "whole_seconds": "2",
    "long_seconds": "60",
    "cpus": "2",
    "bytes": "1048576",
    "job_bytes": "1048576",
    "memory_bytes": "1048576",
}
"""What an argument may hold beside genes, each with an example: times of the profile, and sizes for this host.
`whole_seconds` is rounded up; `long_seconds` is beyond the limit of the trial, for what runs beside it."""
MAX_GRID: Final = 1000
"""Most values of one gene."""

_WORD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9 /_-]{0,31}")
_PROCESS: Final = {
    "nice": Option("word", tuple(str(level) for level in range(20))),
    "policy": Option("word", ("other", "batch", "idle")),
    "ionice": Option("word", ("none", "best-effort", "idle")),
    "placement": Option("word", ("free", "packed", "spread")),
    "width": Option("whole"),
    "timer_slack_us": Option("whole"),
}


class Problem(NamedTuple):
    """Something wrong, and where."""

    place: Place
    text: str


def problems_of(config: RegimeConfig) -> Iterator[Problem]:
    """Everything in `config` that does not agree."""
    if config.execution.trials.full < 1 or config.execution.trials.quick < 1:
        yield Problem(("execution", "trials"), "at least one trial is needed")
    for name, domain in config.domains.items():
        for problem in _of_domain(domain):
            yield Problem(("domains", name, *problem.place), problem.text)


def grid_of(gene: GeneSpec, cpus: int) -> tuple[GeneValue, ...]:
    """All values of a gene on a machine of `cpus` processors, lowest or first-named first."""
    if gene.values is not None:
        return gene.values
    low, step = gene.lo or 0, gene.step or 1
    high = max(low, cpus) if isinstance(gene.hi, str) else gene.hi
    steps = 0.0 if high is None else (high - low) / step + 1e-9
    return tuple(round(low + index * step, 9) for index in range(int(min(max(steps, 0), MAX_GRID)) + 1))


def _of_domain(domain: DomainConfig) -> Iterator[Problem]:
    for name, gene in domain.genes.items():
        yield from (Problem(("genes", name), text) for text in _of_gene(name, gene))
    yield from _of_machine(domain)
    yield from _of_process(domain)
    yield from _of_constraints(domain)
    emitted = {
        figure for row in domain.regimes.values() if (made := PROGRAMS.get(row.argv[0])) for figure in made.figures
    }
    for figure in domain.quality:
        if figure not in emitted:
            yield Problem(("quality", figure), f"no row of this domain reports it{_hint(figure, emitted)}")
    for regime, row in domain.regimes.items():
        for problem in _of_row(row, domain):
            yield Problem(("regimes", regime, *problem.place), problem.text)
    used = used_names(domain)
    for name in domain.genes:
        if name not in used:
            yield Problem(("genes", name), "reaches no argument, variable or setting of a process; use it or remove it")


def used_names(domain: DomainConfig) -> set[str]:
    """Every name that a placeholder of the domain holds."""
    texts = [*domain.env.values(), *(text for text in domain.process.model_dump().values() if text)]
    for row in domain.regimes.values():
        texts += [*row.argv, *(text for command in row.background for text in command)]
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


def _of_machine(domain: DomainConfig) -> Iterator[Problem]:
    for name, gene in domain.machine.items():
        place: Place = ("machine", name)
        if reason := why_never(name):
            yield Problem(place, f"is never set by a trial: {reason}")
        elif name not in TIER_B:
            yield Problem(place, f"is no setting of the machine{_hint(name, TIER_B)}")
        if name in domain.genes:
            yield Problem(place, "is a gene of the process too; a name stands for one thing")
        if gene.values is None or gene.default != UNTOUCHED or UNTOUCHED not in gene.values:
            yield Problem(place, f"has a list of values with {UNTOUCHED} among them, and that as its default")


def _of_gene(name: str, gene: GeneSpec) -> Iterator[str]:
    if name in FACTS or name == "scratch":
        yield "this name is taken by a fact of the host; choose another"
    if reason := why_never(name):
        yield f"is never set by a trial: {reason}"
    if gene.values is not None:
        if not 1 <= len(set(gene.values)) == len(gene.values) <= MAX_GRID:
            yield f"has 1 to {MAX_GRID} different values"
        if bad := [value for value in gene.values if isinstance(value, str) and not _WORD.fullmatch(value)]:
            yield f"values are numbers or words of a-z, 0-9, '_', '.' and '-', not {bad[0]!r}"
    else:
        yield from _of_range(gene)
        return
    if gene.default not in gene.values:
        yield f"default {gene.default!r} is none of its values"


def _of_range(gene: GeneSpec) -> Iterator[str]:
    low, high, step = gene.lo or 0, gene.hi, gene.step or 0
    if step <= 0:
        yield f"step is more than 0, not {step}"
    elif high == "cpus":
        if (low, step) != (1, 1) or gene.default != 1:
            yield "a range up to cpus has lo 1, step 1 and default 1, so that it fits every machine"
    elif high is None or high < low:
        yield f"hi is not less than lo, as {high} is than {low}"
    elif (high - low) / step > MAX_GRID or abs((high - low) / step - round((high - low) / step)) > 1e-9:
        yield f"hi is lo and a whole number of steps, at most {MAX_GRID}: {low} to {high} by {step} is not"
    elif gene.default not in grid_of(gene, 1):
        yield f"default {gene.default!r} is not on its grid from {low} to {high} by {step}"


def _of_process(domain: DomainConfig) -> Iterator[Problem]:
    for name, template in domain.process.model_dump().items():
        if template is not None:
            yield from _of_value(("process", name), template, _PROCESS[name], domain, ())
    if (domain.process.placement is None) != (domain.process.width is None):
        yield Problem(("process",), "placement and width go together")
    for name, template in domain.env.items():
        if name not in ENVIRONMENT:
            yield Problem(("env", name), f"is not a variable that a regime may set{_hint(name, ENVIRONMENT)}")
        yield from _of_value(("env", name), template, Option("whole"), domain, ())


def _of_constraints(domain: DomainConfig) -> Iterator[Problem]:
    for index, constraint in enumerate(domain.constraints):
        place: Place = ("constraints", index)
        product = 1.0
        for name in constraint.product_of:
            gene = domain.genes.get(name)
            if gene is None:
                yield Problem(place, f"there is no gene {name}{_hint(name, domain.genes)}")
            elif any(isinstance(value, str) for value in grid_of(gene, 1)):
                yield Problem(place, f"{name} is a word; a product needs numbers")
            elif isinstance(gene.default, int | float):
                product *= gene.default
        if product > constraint.at_most:
            yield Problem(place, f"the default genome breaks it: {product:g} is more than {constraint.at_most}")


def _of_row(row: RegimeRow, domain: DomainConfig) -> Iterator[Problem]:
    if not _UNIT.fullmatch(row.unit):
        yield Problem(("unit",), "is a short unit such as MB/s")
    if min(row.seconds.full, row.seconds.quick) <= 0:
        yield Problem(("seconds",), "a measured window has more than 0 seconds")
    sizes = tuple(name for name in ("bytes", "memory_bytes") if getattr(row, name) is not None)
    facts = (*sizes, "job_bytes") if "bytes" in sizes else sizes
    known = tuple(name for name in FACTS if not name.endswith("bytes")) + facts
    yield from _of_command(("argv",), row.argv, FOREGROUND, domain, known)
    for index, command in enumerate(row.background):
        yield from _of_command(("background", index), command, BACKGROUND, domain, known)
    held = " ".join((*row.argv, *(text for command in row.background for text in command)))
    for name in sizes:
        if f"{{{name}}}" not in held and not (name == "bytes" and "{job_bytes}" in held):
            yield Problem((name,), f"no argument holds {{{name}}}; use it or remove it")
    if row.passes != 1 and row.bytes is None:
        yield Problem(("passes",), "without bytes nothing is written; remove it")


def _of_command(
    place: Place, argv: tuple[str, ...], programs: tuple[str, ...], domain: DomainConfig, facts: tuple[str, ...]
) -> Iterator[Problem]:
    if not argv or argv[0] not in programs:
        named = argv[0] if argv else ""
        yield Problem((*place, 0), f"{named!r} is not a program that may be started here{_hint(named, programs)}")
        return
    program, given = PROGRAMS[argv[0]], list[str]()
    for index, text in enumerate(argv[1:], 1):
        name, _, value = text.removeprefix("--").partition("=")
        option = program.options.get(name) if text.startswith("--") else None
        if option is None:
            yield Problem((*place, index), f"{text!r} is no option of {argv[0]}{_hint(name, program.options)}")
            continue
        if name in given:
            yield Problem((*place, index), f"--{name} is there twice")
        given.append(name)
        yield from _of_value((*place, index), value if "=" in text else None, option, domain, facts)
    yield from (Problem(place, f"{argv[0]} needs --{name}") for name in _absent(program, given))


def _absent(program: Program, given: list[str]) -> list[str]:
    if not program.is_kernel:
        return []
    return [name for name, option in program.options.items() if option.default is None and name not in given]


def _of_value(
    place: Place, template: str | None, option: Option, domain: DomainConfig, facts: tuple[str, ...]
) -> Iterator[Problem]:
    """Judges a value with everything that its placeholder can stand for."""
    if template is None or option.kind == "scratch" or "{" not in template:
        if not option.takes(template):
            given = "no value" if template is None else repr(template)
            yield Problem(place, f"{given} is given; {option.allowed()} is allowed")
        return
    names = PLACEHOLDER.findall(template)
    name = names[0] if len(names) == 1 else ""
    gene = domain.genes.get(name)
    if gene is None and name not in facts:
        known = (*domain.genes, *facts)
        yield Problem(place, f"{template!r} holds one placeholder, a gene of the domain or a fact{_hint(name, known)}")
        return
    stands_for: Iterable[GeneValue] = grid_of(gene, 64) if gene else (FACTS[name],)
    for value in stands_for:
        text = PLACEHOLDER.sub(str(value), template)
        if not option.takes(text):
            yield Problem(place, f"{text!r}, which {name} can make, is not allowed; {option.allowed()} is")
            return


def _hint(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(wrong, names, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known are {', '.join(names)}"
