"""`supervisor replay`: prove that each actor of a recorded run decides the same again."""

import json

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option


@click.command()
@click.argument("run", default="latest")
@click.option("--actor", "actors", multiple=True, metavar="NAME", help="Replay this actor; may be repeated.")
@click.option("--until", type=click.IntRange(min=1), metavar="STEP", help="Stop after this step of each actor.")
@click.option("--from-snapshot", is_flag=True, help="Start from the last snapshot that has a step after it.")
@click.option("--tolerance", metavar="ulp=N", help="Let floats differ by N units in the last place, and say so.")
@home_option
@json_option
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - the options of the command
    context: click.Context,
    /,
    home: Home,
    run: str,
    actors: tuple[str, ...],
    until: int | None,
    from_snapshot: bool,
    tolerance: str | None,
    as_json: bool,
) -> None:
    """Prove that each actor of RUN decides the same again, byte for byte.

    RUN is a run id, a unique beginning of one, its ordinal, or `latest`. Each actor is built alone in a process of its
    own and fed what its journal says that it was fed; the learner trains again, the pool-keeper fills a fresh
    database. Of a run that goes on, or was left open, the steps are compared and the pool's content is not.

    Exit code 0: identical; 4: diverged; 3: the log is damaged, or part of it is missing; 5: not replayable: pruned,
    without its manifest or its inputs, or recorded on another kind of machine; 130: interrupted.

    \b
    Examples:
      supervisor replay
      supervisor replay 20261120T081017Z-0001 --actor learner --json
    """
    from supervisor.cli import EXIT_INTERRUPTED
    from supervisor.recorded.replay_report import Wanted, draw_replay, replay_run

    wanted = Wanted(actors, until, from_snapshot, _ulps(tolerance))
    try:
        report = replay_run(home, run, wanted, is_terminal=not as_json)
    except KeyboardInterrupt:
        click.echo("interrupted: the replay has no verdict", err=True)
        context.exit(EXIT_INTERRUPTED)
    click.echo(json.dumps(report.tree(), indent=2) if as_json else draw_replay(report))
    context.exit(report.exit_code)


def _ulps(text: str | None) -> int:
    """N of `ulp=N`; 0 for nothing. Raises UsageError."""
    from supervisor.errors import UsageError

    name, _, number = (text or "ulp=0").partition("=")
    if name != "ulp" or not number.isdigit():
        raise UsageError(f"--tolerance {text}: write ulp=N with a whole number N, such as ulp=2")
    return int(number)
