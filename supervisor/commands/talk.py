"""`supervisor talk`: a prompt to the field of the running loop; it answers, its friend stays silent."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from supervisor.home import Home
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.friend.talking import Turn

PROMPT = "> "


@click.command()
@click.option("--say", "texts", multiple=True, metavar="TEXT", help="Say this and end; may be repeated.")
@home_option
@json_option
def command(texts: tuple[str, ...], home: Home, as_json: bool) -> None:
    """Talk to the field that lives in the running loop.

    It answers with what it has heard: you, the reports of the loop, its own short origin. Now and then, after an
    answer, it talks with its imaginary friend; nothing of that is shown here. An empty line or Ctrl-D ends it. Without
    a terminal every line of standard input is said.

    \b
    Examples:
      supervisor talk
      supervisor talk --say "who are you?" --say "do you dream?" --json | jq -r '.turns[].answer'
    """
    from supervisor.friend.talking import talk

    turns = []
    for turn in talk(home, texts or _lines()):
        turns.append(turn)
        if not as_json:
            _show(turn, is_echoed=bool(texts))
    if as_json:
        click.echo(json.dumps({"turns": [turn.model_dump() for turn in turns]}, indent=2))


def _lines() -> Iterable[str]:
    return _prompted() if sys.stdin.isatty() else (line.rstrip("\r\n") for line in sys.stdin)


def _prompted() -> Iterator[str]:
    """What the user types, line by line, until an empty one."""
    while True:
        try:
            text = input(PROMPT)
        except EOFError:
            click.echo()
            return
        if not text.strip():
            return
        yield text


def _show(turn: "Turn", *, is_echoed: bool) -> None:
    from supervisor.log_lines import printable

    if is_echoed:
        click.echo(PROMPT + printable(turn.said))
    click.echo(printable(turn.answer))
