"""What a candidate may set on this host: grids of values, the default genome, and the judgement of a genome.

In: the regimes and what the host offers. Out: spaces whose grids begin at lo and reach hi, in the file's order, and
problems in words. Settings of the machine are genes only when the operator names them. Refused: a gene that does not
exist, a value off its grid, a genome that breaks a constraint.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, Literal

from schemas.base import Record
from schemas.errors import OneirosError
from schemas.regime_checks import grid_of
from schemas.regime_settings import DomainConfig, GeneSpec, Host, RegimeConfig
from schemas.regimes import Domain, GeneValue, Genome

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


class GenomeRefusedError(OneirosError):
    """A genome does not fit its domain on this host."""

    def __init__(self, domain: str, problems: Sequence[str]) -> None:
        self.domain = domain
        self.problems = tuple(problems)
        super().__init__(f"genome of {domain} refused: {'; '.join(problems)}")


class Gene(Record):
    """One gene on one host."""

    name: str
    what: str
    kind: Literal["range", "choice"]
    """The values of a range have an order and a distance; those of a choice have names."""
    grid: tuple[GeneValue, ...]
    default: GeneValue
    is_of_machine: bool
    """A setting of the machine: the watchdog writes and restores it."""

    @property
    def is_fixed(self) -> bool:
        """Whether this host leaves it a single value."""
        return len(self.grid) == 1

    def at(self, position: float) -> GeneValue:
        """The value at `position` in [0, 1] of the grid: 0 is the first, 1 the last."""
        clamped = min(max(position, 0.0), 1.0)
        return self.grid[math.floor(clamped * (len(self.grid) - 1) + 0.5)]


class GenomeSpace(Record):
    """All genes of a domain on one host."""

    domain: Domain
    genes: tuple[Gene, ...]

    def size(self) -> int:
        """Number of genomes, constraints aside."""
        return math.prod(len(gene.grid) for gene in self.genes)


def space_for(config: RegimeConfig, domain: Domain, host: Host, tier_b: Iterable[str] = ()) -> GenomeSpace:
    """The space of `domain` on `host`; `tier_b` names the settings of the machine that the operator allows."""
    settings = config.domains[domain]
    allowed = set(tier_b)
    own = [_gene(name, spec, host, is_of_machine=False) for name, spec in settings.genes.items()]
    machine = [
        _gene(name, spec, host, is_of_machine=True) for name, spec in settings.machine.items() if name in allowed
    ]
    return GenomeSpace(domain=domain, genes=(*own, *machine))


def _gene(name: str, spec: GeneSpec, host: Host, *, is_of_machine: bool) -> Gene:
    return Gene(
        name=name,
        what=spec.what,
        kind="range" if spec.values is None else "choice",
        grid=grid_of(spec, len(host.cpus)),
        default=spec.default,
        is_of_machine=is_of_machine,
    )


def default_genome(config: RegimeConfig, domain: Domain) -> Genome:
    """What the host does untouched: every gene of the process at its default, no setting of the machine."""
    return {name: spec.default for name, spec in config.domains[domain].genes.items()}


def check(space: GenomeSpace, settings: DomainConfig, genome: Mapping[str, GeneValue]) -> tuple[str, ...]:
    """What is wrong with a whole genome; nothing when it can be run."""
    known = {gene.name: gene for gene in space.genes}
    problems = [_unknown(name, settings, known) for name in genome if name not in known]
    problems += [f"{name} is missing" for name, gene in known.items() if name not in genome and not gene.is_of_machine]
    problems += [
        f"{name} = {value!r} is not one of {_shown(known[name].grid)}"
        for name, value in genome.items()
        if name in known and not _is_on_grid(value, known[name].grid)
    ]
    return tuple(problems) or broken_constraints(settings, genome)


def broken_constraints(settings: DomainConfig, genome: Mapping[str, GeneValue]) -> tuple[str, ...]:
    """The constraints that `genome` breaks, in words."""
    broken = []
    for constraint in settings.constraints:
        values = [genome[name] for name in constraint.product_of]
        product = math.prod(value for value in values if isinstance(value, int | float))
        if product > constraint.at_most:
            broken.append(f"{' x '.join(constraint.product_of)} = {product:g} is more than {constraint.at_most}")
    return tuple(broken)


def parse_genome(assignments: Sequence[str], space: GenomeSpace, settings: DomainConfig) -> Genome:
    """`gene=value` texts over the default genome; raises GenomeRefusedError with every problem."""
    genome: Genome = {gene.name: gene.default for gene in space.genes if not gene.is_of_machine}
    known = {gene.name: gene for gene in space.genes}
    problems, given = list[str](), set[str]()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            problems.append(f"{assignment!r} is not written gene=value")
        elif name in given:
            problems.append(f"{name} is given twice")
        elif name not in known:
            problems.append(_unknown(name, settings, known))
        else:
            genome[name] = _read(text, known[name])
        given.add(name)
    problems += [] if problems else check(space, settings, genome)
    if problems:
        raise GenomeRefusedError(space.domain, problems)
    return genome


def quality_problems(
    settings: DomainConfig, candidate: Mapping[str, float], baseline: Mapping[str, float]
) -> tuple[str, ...]:
    """Where a candidate's figures of quality are worse than the baseline's by more than the slack."""
    problems = []
    for name, limit in settings.quality.items():
        if name not in candidate or name not in baseline:
            continue
        slack = limit.slack * abs(baseline[name]) if limit.is_relative else limit.slack
        sign = 1.0 if limit.direction == "at_most" else -1.0
        bound = baseline[name] + sign * slack
        if sign * (candidate[name] - bound) > 1e-9 * max(1.0, abs(bound)):
            word = "above" if limit.direction == "at_most" else "below"
            problems.append(f"{name} {candidate[name]:.6g} is {word} {bound:.6g} (baseline {baseline[name]:.6g})")
    return tuple(problems)


def _read(text: str, gene: Gene) -> GeneValue:
    """The value of the grid that `text` writes, or the text itself, to be refused with the grid."""
    for value in gene.grid:
        if str(value) == text:
            return value
        if not isinstance(value, str) and _NUMBER.fullmatch(text) and float(text) == value:
            return value
    return text


def _is_on_grid(value: GeneValue, grid: tuple[GeneValue, ...]) -> bool:
    return not isinstance(value, bool) and any(
        isinstance(value, str) == isinstance(allowed, str) and value == allowed for allowed in grid
    )


def _unknown(name: str, settings: DomainConfig, known: Mapping[str, Gene]) -> str:
    if name in settings.machine:
        return f"{name} is a setting of the machine; the operator has to opt in to it by name"
    near = get_close_matches(name, known, n=1)
    return f"there is no gene {name}; {f'did you mean {near[0]}?' if near else 'known are ' + ', '.join(known)}"


def _shown(grid: tuple[GeneValue, ...]) -> str:
    if len(grid) <= 12:
        return ", ".join(str(value) for value in grid)
    return f"{grid[0]}, {grid[1]}, ... {grid[-1]}"
