"""`supervisor regimes`: what this machine does under four loads, and whether a genome does better."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from schemas.regimes import Domain, Sampler
from supervisor.options import Number, configured, home_option, json_option

if TYPE_CHECKING:
    from supervisor.configuration import Sources
    from supervisor.home import Home
    from supervisor.regimes.kept import Kept

EXIT_FINDING = 1
EXIT_INTERRUPTED = 130
DOMAIN = click.Choice(get_args(Domain))
one_domain = click.argument("domain", type=DOMAIN, required=False, metavar="[DOMAIN]")
sensors = click.option(
    "--sensor-root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Read sensors below DIR, laid out as /sys (class/hwmon, class/thermal, class/powercap), instead of the "
    "machine's; packs are marked injected.",
)


def asked(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that say how much is to be measured."""
    options = (
        click.option(
            "--genome", "genes", multiple=True, metavar="GENE=VALUE", help="Measure this one genome; may be repeated."
        ),
        click.option("--generations", type=click.IntRange(1, 10_000), default=1, metavar="N", help="Of a search."),
        click.option("--population", type=click.IntRange(1, 1000), metavar="N", help="Candidates of a generation."),
        click.option("--quick", is_flag=True, help="Trials of a second or two; not comparable with full ones."),
        click.option("--trials", type=click.IntRange(1, 1000), metavar="N", help="Of each arm in each regime."),
        click.option("--budget", type=Number(min=0.0, min_open=True), metavar="SECONDS", help="Refuse more."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Measure what this machine does in four regimes, and search for settings that do it better.

    Nine domains, four regimes each. A candidate and the untouched default run in turn, and a verdict is only given
    when the difference is shown. What has no sensor or tool here is told, never guessed.

    \b
    Examples:
      supervisor regimes plan cpu --quick
      supervisor regimes evaluate cpu --generations 2 --quick
      supervisor regimes report --html report.html
    """


@command.command(name="list")
@one_domain
@click.option("--quick", is_flag=True, help="Show the seconds of the quick profile.")
@json_option
@configured
def list_(sources: "Sources", domain: Domain | None, quick: bool, as_json: bool) -> None:
    """List the rows: what each runs, what counts as a gain, whether it can run here. With DOMAIN its genes too.

    \b
    Examples:
      supervisor regimes list
      supervisor regimes list cpu --json | jq '.domains[0].genes[].name'
    """
    from supervisor.regimes.offers import Offers
    from supervisor.regimes.regimes_text import draw_offers

    offers = Offers.of(sources)
    found = offers.domains("quick" if quick else "full", domain)
    tree = {"files": offers.files, "domains": [row.model_dump(mode="json") for row in found]}
    _print(tree, as_json, draw_offers(found, has_genes=domain is not None))


@command.command()
@one_domain
@asked
@json_option
@configured
@click.pass_context
def plan(context: click.Context, /, *, sources: "Sources", domain: Domain | None, as_json: bool, **wanted: Any) -> None:
    """Tell what an evaluation takes in trials, seconds and bytes, and run nothing. Of all domains, or one.

    Exit code 1: it is over the budget, and would be refused.

    \b
    Examples:
      supervisor regimes plan --quick
      supervisor regimes plan storage --generations 5 --budget 3600
    """
    context.exit(_show_plan(sources, domain, wanted, as_json))


@command.command()
@click.argument("domain", type=DOMAIN, metavar="DOMAIN")
@asked
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Of the search.  [default: the run's]")
@click.option("--sampler", type=click.Choice(get_args(Sampler)), help="What proposes candidates.")
@click.option("--refresh-baseline", is_flag=True, help="Add a version to the baselines; the old ones are kept.")
@click.option(
    "--tier-b",
    multiple=True,
    metavar="NAME",
    help="Let trials change this machine-wide setting, e.g. governor; it is put back after each. A gene in `list`; "
    "a running loop has to have it in regimes.tier_b. May be repeated.",
)
@sensors
@click.option("--plan", "is_plan", is_flag=True, help="Tell what it takes, and run nothing.")
@json_option
@configured
@click.pass_context
def evaluate(
    context: click.Context, /, *, sources: "Sources", domain: Domain, is_plan: bool, as_json: bool, **wanted: Any
) -> None:
    """Measure candidates of DOMAIN in its four regimes against the untouched default, and judge them.

    Without --genome the search proposes candidates. The running loop does it, or two processes that are started for
    it. Ctrl-C ends the trial in order, cancels the rest and keeps the candidates that were measured. Exit code 1:
    nothing was measured, or a pack cannot be read; 2: the order is refused.

    \b
    Examples:
      supervisor regimes evaluate cpu --generations 2 --quick
      supervisor regimes evaluate memory --genome threads=2 --json | jq '.candidates[0].verdict'
    """
    if is_plan:
        context.exit(_show_plan(sources, domain, wanted, as_json))
    from supervisor.regimes.evaluation import carry_out
    from supervisor.regimes.ordering import Asked, Stated
    from supervisor.regimes.regimes_text import draw_evaluation

    stated = Stated(wanted.pop("budget"), wanted.pop("sensor_root"), wanted.pop("tier_b"))
    found = carry_out(sources, domain, Asked(**wanted), stated)
    _print(found.model_dump(mode="json"), as_json, draw_evaluation(found))
    if found.is_interrupted:
        context.exit(EXIT_INTERRUPTED)
    context.exit(0 if found.is_complete and found.has_measured and not found.faults else EXIT_FINDING)


@command.command()
@one_domain
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page to FILE.")
@json_option
@configured
@click.pass_context
def report(
    context: click.Context, /, *, sources: "Sources", domain: Domain | None, html: Path | None, as_json: bool
) -> None:
    """Show what the last evaluation of each domain found; with --html as one page with plots, readable offline.

    Exit code 1: a pack or a log cannot be read.

    \b
    Examples:
      supervisor regimes report cpu
      supervisor regimes report --html report.html
    """
    from bus.files import write_atomically
    from supervisor.log_lines import utc_text
    from supervisor.regimes.kept import read_kept

    kept = read_kept(sources.home, domain)
    if html is not None:
        from supervisor.regimes.capped import caps_here
        from supervisor.regimes.html_report import draw_report

        page = draw_report(kept, caps_here(sources, domain), utc_text(time.time()))
        try:
            write_atomically(html.absolute(), page.encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(html)) from error  # not the name of the file beside it
        click.echo(f"written: {html}", err=True)
    _print_report(kept, as_json)
    context.exit(EXIT_FINDING if kept.faults else 0)


@command.command()
@one_domain
@json_option
@home_option
@click.pass_context
def baselines(context: click.Context, /, *, home: "Home", domain: Domain | None, as_json: bool) -> None:
    """Show the baselines: what the untouched default does, which version, of which profile, host and code.

    \b
    Example:
      supervisor regimes baselines cpu --json | jq '.baselines[].kpis.perf'
    """
    from actors.regime_runner.fingerprint import look_at_machine
    from supervisor.regimes.kept import read_kept
    from supervisor.regimes.regimes_text import draw_baselines

    kept, machine = read_kept(home, domain), look_at_machine()
    found = [versions[-1] for (of, _), versions in kept.baselines.versions.items() if domain in (None, of)]
    versions = [row.model_dump(mode="json") for rows in kept.baselines.versions.values() for row in rows]
    tree = {
        "host": machine.host,
        "code_hash": machine.code_hash,
        "baselines": [row.model_dump(mode="json") for row in found],
        "versions": [row for row in versions if domain in (None, row["domain"])],
        "faults": kept.faults,
    }
    _print(tree, as_json, [*draw_baselines(found, machine.host, machine.code_hash), *kept.faults])
    context.exit(EXIT_FINDING if kept.faults else 0)


@command.command()
@one_domain
@sensors
@json_option
@configured
def caps(sources: "Sources", domain: Domain | None, sensor_root: Path | None, as_json: bool) -> None:
    """Show the caps: what no trial may exceed, and which sensor of this machine checks it.

    \b
    Examples:
      supervisor regimes caps
      supervisor regimes caps cpu --json | jq '.caps[] | select(.source == null)'
    """
    from supervisor.regimes.capped import caps_here
    from supervisor.regimes.ordering import Stated
    from supervisor.regimes.regimes_text import draw_caps

    found = caps_here(Stated(sensor_root=sensor_root).over(sources), domain)
    _print(found.model_dump(mode="json"), as_json, draw_caps(found))


def _show_plan(sources: "Sources", domain: Domain | None, wanted: dict[str, Any], as_json: bool) -> int:
    """Print the plan; the exit code."""
    from schemas.regime_settings import DOMAINS
    from supervisor.regimes.offers import Offers
    from supervisor.regimes.ordering import Asked, Stated, make_order
    from supervisor.regimes.regimes_text import draw_plans, over_budget

    stated = Stated(wanted.pop("budget"), wanted.pop("sensor_root", None), wanted.pop("tier_b", ()))
    offers = Offers.of(stated.over(sources))
    plans = [offers.plan(make_order(offers, name, Asked(**wanted))) for name in DOMAINS if domain in (None, name)]
    budget_s, budget_bytes = offers.settings.budget_s, offers.settings.budget_mib * 2**20
    over = {row.domain: over_budget(row, budget_s, budget_bytes) for row in plans}
    rows = [{**row.model_dump(mode="json"), "over_budget": over[row.domain]} for row in plans]
    tree = {"budget_s": budget_s, "budget_bytes": budget_bytes, "domains": rows}
    _print(tree, as_json, draw_plans(plans, budget_s, budget_bytes))
    return EXIT_FINDING if any(over.values()) else 0


def _print_report(kept: "Kept", as_json: bool) -> None:
    from supervisor.regimes.regimes_text import draw_candidates
    from supervisor.regimes.summary import summarise

    found = {domain: [summarise(pack) for pack in kept.latest(domain)] for domain in kept.domains}
    tree = {
        "domains": {domain: [row.model_dump(mode="json") for row in rows] for domain, rows in found.items()},
        "evolution": kept.lines,
        "faults": kept.faults,
    }
    lines = [line for domain, rows in found.items() for line in (domain, *draw_candidates(rows), "")]
    _print(tree, as_json, [*(lines[:-1] or ["no evaluation yet"]), *kept.faults])


def _print(tree: Any, as_json: bool, lines: Sequence[str]) -> None:
    from supervisor.log_lines import printable

    text = "\n".join(line if line.isprintable() else printable(line) for line in lines)
    click.echo(json.dumps(tree, indent=2, allow_nan=False) if as_json else text)
