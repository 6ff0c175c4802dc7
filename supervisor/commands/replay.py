"""`supervisor replay`: prove that each actor of a recorded run decides the same again."""

import json

import click

if TYPE_CHECKING:
    from supervisor.replay_report import Wanted, draw_replay, replay_run

    wanted = Wanted(actors, until, from_snapshot, _ulps(tolerance))
    report = replay_run(home, run, wanted, is_terminal=not as_json)
    click.echo(json.dumps(report.tree(), indent=2) if as_json else draw_replay(report))
    context.exit(report.exit_code)


def _ulps(text: str | None) -> int:
    """N of `ulp=N`; 0 for nothing. Raises UsageError."""
    from supervisor.errors import UsageError

    name, _, number = (text or "ulp=0").partition("=")
    if name != "ulp" or not number.isdigit():
        raise UsageError(f"--tolerance {text}: write ulp=N with a whole number N, such as ulp=2")
    return int(number)
