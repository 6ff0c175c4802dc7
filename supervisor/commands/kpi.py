"""`supervisor kpi`: the five figures of every epoch, and whether the logs give them again."""

import json

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option


@click.command()
@click.option("--recompute", is_flag=True, help="Compute every figure anew from the interface logs, and compare.")
@click.option("--learner", metavar="NAME", help="Only the epochs of this learner.")
@click.option("--run", "run_name", metavar="RUN", help="Only this run: its id, a unique beginning of it, or `latest`.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N epochs.")
@home_option
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - the options of the command
    context: click.Context,
    /,
    *,
    recompute: bool,
    learner: str | None,
    run_name: str | None,
    last: int | None,
    home: Home,
    as_json: bool,
) -> None:
    """Show the figures of every epoch, and whether the logs give them again.

    Precision, utilization, improvement, coverage and recency, as each learner reported them to the pool-keeper. With
    --recompute each is computed anew from what the pool-keeper logged of answers, feedback and dreams; exit code 1
    when one differs or a log is damaged. Works while the loop runs, and afterwards.

    \b
    Examples:
      supervisor kpi --last 10
      supervisor kpi --recompute --json | jq '.epochs[].differences'
    """
    from supervisor.pool.epochs import logs_bytes, read_epochs
    from supervisor.pool.kpi_text import draw_kpis
    from supervisor.recorded.progress import shown_progress
    from supervisor.runs import resolve_run

    home.check_is_there()
    run_id = None if run_name is None else resolve_run(home, run_name).run_id
    with shown_progress(logs_bytes(home, is_recomputing=recompute), "reading") as watch:
        report = read_epochs(home, is_recomputing=recompute, watch=watch)
    report = report.only(learner=learner, run_id=run_id, last=last)
    if as_json:
        click.echo(json.dumps({**report.model_dump(), "has_finding": report.has_finding}, indent=2))
    else:
        click.echo("\n".join(draw_kpis(report)))
    context.exit(1 if report.has_finding else 0)
