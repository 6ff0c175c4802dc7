"""`supervisor trace MESSAGE_ID`: what led to a message, and what it led to."""

import json
from typing import Final

import click

from supervisor.commands.topic import run_option
from supervisor.home import Home
from supervisor.options import home_option, json_option

DEFAULT_DEPTH: Final = 8
"""From a profile back to the timer of the query whose dreams were judged."""
DEFAULT_WIDTH: Final = 4


@click.command()
@click.argument("message_id")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=DEFAULT_DEPTH,
    show_default=True,
    metavar="N",
    help="Go at most N steps back and forth; 0 for no limit.",
)
@click.option(
    "--width",
    type=click.IntRange(min=1),
    default=DEFAULT_WIDTH,
    show_default=True,
    metavar="N",
    help="Show at most N of a kind of tie below the first node, and fewer further away; JSON holds all.",
)
@run_option
@home_option
@json_option
def command(message_id: str, depth: int, width: int, run_name: str, home: Home, as_json: bool) -> None:
    """Show what led to a message and what it led to, across all actors.

    MESSAGE_ID is `sender/epoch/seq` as `topic echo` shows it; the id of a dream, profile, query, feedback batch,
    picture or fact; the file name of a picture; or a unique beginning of one of them. All is read from the journals.

    \b
    Examples:
      supervisor trace dreamer/1/57
      supervisor trace 2f1ef32b --depth 3
      supervisor trace bias-synthesizer/1/2 --json | jq '.edges[] | select(.relation == "entered")'
    """
    from supervisor.asking import is_coloured
    from supervisor.log_lines import printable
    from supervisor.recorded.listening import say_damages
    from supervisor.recorded.trace_report import trace_message

    report = trace_message(home, run_name, printable(message_id), depth or None)
    if as_json:
        click.echo(json.dumps(report.tree(), indent=2))
    else:
        click.echo("\n".join(report.draw(width, is_coloured())))
        say_damages(report.conversation)
    report.conversation.close()
