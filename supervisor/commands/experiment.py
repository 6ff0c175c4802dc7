"""`supervisor experiment`: does the hint reach the dreams, and do the dreams help?"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from supervisor.options import configured, json_option

if TYPE_CHECKING:
    from supervisor.configuration import Configuration, Sources

EXIT_INTERRUPTED: Final = 130
SMALL: Final = ("tensor.rows=16", "tensor.cols=16", "tensor.layers=2")
"""Settings of planted-hue where the user sets no others: a hue needs no large tensors."""
MANY_SEEDS: Final = 100_000


def _asked(default_seeds: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of every experiment."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        seeds = click.option(
            "--seeds", type=click.IntRange(1, MANY_SEEDS), default=default_seeds, show_default=True, metavar="N"
        )
        first = click.option(
            "--seed", "first_seed", type=click.IntRange(min=0), default=1, show_default=True, metavar="S", help="First."
        )
        jobs = click.option(
            "--jobs", type=click.IntRange(1, 64), metavar="N", help="Processes.  [default: one a core, at most 2]"
        )
        out = click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Folder of the report.  [default: HOME/artifacts/experiments/NAME-SEEDS-SETTINGS]",
        )
        return seeds(first(jobs(out(json_option(configured(function))))))

    return decorate


@click.group()
def command() -> None:
    """Ask whether the hint reaches the dreams, and whether the dreams help the learner.

    Arms that differ in one thing run side by side in virtual time, seed by seed. Each report comes as JSON, Markdown
    and PNG. Ctrl-C keeps the seeds that are done. Exit code 0: the experiment is done, whatever it found.

    \b
    Examples:
      supervisor experiment planted-hue --seeds 20
      supervisor experiment help --seeds 10 --json
    """


@command.command("planted-hue")
@_asked(20)
@click.pass_context
def planted_hue_command(context: click.Context, /, **asked: Any) -> None:
    """Does the hint reach the dreams? A scripted learner loves a hidden hue, and says so with noise.

    Compared are the dreams with the hint, without it, and with shuffled feedback; then the hue jumps to its opposite.

    \b
    Example:
      supervisor experiment planted-hue --seeds 20 --json
    """
    from supervisor.experiments.hue_report import HueReport
    from supervisor.experiments.planted_hue import planted_hue

    context.exit(_conduct("planted-hue", planted_hue, HueReport, **asked))


@command.command("help")
@_asked(10)
@click.pass_context
def help_command(context: click.Context, /, **asked: Any) -> None:
    """Do dreams help? Four arms with equal gradient steps: none, random, retrieved, shuffled feedback.

    The figure that counts is the accuracy on test patches at the end, retrieved against none, paired by seed.

    \b
    Example:
      supervisor experiment help --seeds 10
    """
    from supervisor.experiments.help_report import HelpReport
    from supervisor.experiments.helping import help_of

    context.exit(_conduct("help", help_of, HelpReport, **asked))


def _conduct(  # noqa: PLR0913 - the options of the command
    name: str,
    one_seed: Callable[..., Any],
    report_of: Callable[..., Any],
    *,
    sources: "Sources",
    seeds: int,
    first_seed: int,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Run, write, print; the exit code."""
    from supervisor.configuration import load_configuration
    from supervisor.experiments.campaign import run_seeds
    from supervisor.experiments.reporting import FOLDER, Question, prepared_folder, write_report
    from supervisor.recorded.progress import shown_progress
    from supervisor.simulating import usable_cores

    settings = (*(SMALL if name == "planted-hue" else ()), *sources.assignments)
    configuration = load_configuration(replace(sources, assignments=settings))
    _check_time_passes(configuration)
    question = Question(name, configuration.sha256, first_seed, seeds)
    folder = out or sources.home.artifacts / FOLDER / question.folder_name
    with prepared_folder(folder):
        with shown_progress(seeds, name) as advance:
            campaign = run_seeds(
                partial(one_seed, configuration),
                range(first_seed, first_seed + seeds),
                jobs or min(2, usable_cores()),
                advance,
            )
        if not campaign.seeds:
            click.echo("interrupted before the first seed was done; nothing is written", err=True)
            return EXIT_INTERRUPTED
        report = report_of(question, campaign)
        written = write_report(report, folder)
    click.echo(json.dumps(report.tree(), indent=2) if as_json else report.markdown())
    click.echo(f"written: {', '.join(str(path) for path in written)}", err=True)
    return 0 if campaign.is_complete else EXIT_INTERRUPTED


def _check_time_passes(configuration: "Configuration") -> None:
    """Refuse `as fast as possible`: in virtual time nothing takes any, so that none would pass."""
    from supervisor.errors import UsageError

    rates = {"dreamer.rate_hz": configuration.settings.dreamer, "learner.rounds_hz": configuration.settings.learner}
    for name, section in rates.items():
        if getattr(section, name.partition(".")[2]) == 0.0:
            raise UsageError(f"{name} = 0 is as fast as possible; an experiment runs in virtual time, so give a rate")
