"""`supervisor status`: the processes of the running loop."""

import json

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option


@click.command()
@home_option
@json_option
def command(home: Home, as_json: bool) -> None:
    """Show the processes of the running loop.

    Process, state, restarts, memory, messages, queue, refusals and last step of each, and what needs attention.
    Exit code 3 when nothing runs.

    \b
    Examples:
      supervisor status
      supervisor status --json | jq '.actors[].state'
    """
    from supervisor.asking import ask_home, is_coloured
    from supervisor.control import Request
    from supervisor.errors import ControlError, NotRunningError
    from supervisor.rendering import draw_status

    try:
        report = ask_home(home, Request(verb="status")).status
    except NotRunningError:
        if not as_json:
            raise
        click.echo(json.dumps({"running": False, "home": str(home.root), "actors": []}, indent=2))
        raise click.exceptions.Exit(NotRunningError.exit_code) from None
    if report is None:
        raise ControlError("the supervisor's answer holds no status")
    click.echo(report.model_dump_json(indent=2) if as_json else draw_status(report, is_coloured()))
