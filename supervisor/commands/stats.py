"""`supervisor stats`: the loop in figures."""

import json
from typing import TYPE_CHECKING

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.stats import StatsReport


@click.command()
@home_option
@json_option
def command(home: Home, as_json: bool) -> None:
    """Show the loop in figures: pool, learner, bias, dreamer.

    While nothing runs, the last figures of the newest run are shown. Exit code 3 when there are none.

    \b
    Examples:
      supervisor stats
      supervisor stats --json | jq .pool.dreams_total
    """
    from supervisor.errors import NotRunningError
    from supervisor.rendering import draw_stats

    try:
        report = _find(home)
    except NotRunningError:
        if not as_json:
            raise
        click.echo(json.dumps({"running": False, "home": str(home.root)}, indent=2))
        raise click.exceptions.Exit(NotRunningError.exit_code) from None
    click.echo(json.dumps(report.tree(), indent=2) if as_json else draw_stats(report))


def _find(home: Home) -> "StatsReport":
    from supervisor.asking import ask_home
    from supervisor.control import Request
    from supervisor.errors import ControlError, NotRunningError

    try:
        report = ask_home(home, Request(verb="stats")).stats
    except NotRunningError:
        report = _last(home)
        if report is None:
            raise
    if report is None:
        raise ControlError("the supervisor's answer holds no figures")
    return report


def _last(home: Home) -> "StatsReport | None":
    from supervisor.runs import list_runs
    from supervisor.stats import StatsReport

    for run in reversed(list_runs(home)):
        figures = run.last_figures()
        if figures is not None:
            return StatsReport(
                running=False, run_id=figures.run_id, uptime_s=figures.uptime_s, sections=figures.sections
            )
    return None
