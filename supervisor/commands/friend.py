"""`supervisor friend`: the imaginary friend's dialogues, what it is made of, how it drifts, and its rest."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.home import Home
from supervisor.options import Number, home_option, json_option

if TYPE_CHECKING:
    from actors.pool_keeper.friend_reading import FriendReader
    from schemas.friend_settings import FriendSettings

OWN = "field"
"""The host that lives in the friend's own process."""
host_option = click.option(
    "--host", default=OWN, show_default=True, metavar="NAME", help="Whose friend; a foreign host has a name of its own."
)
dialog_argument = click.argument("dialog", metavar="ID")


@click.group()
def command() -> None:
    """Show what the imaginary friend says when nobody listens, why, and what becomes of it.

    Looking works while the loop runs and when it does not, and disturbs nobody. `pause`, `forget` and `selftest` are
    said to the running friend; where none runs they end with exit code 3.

    \b
    Examples:
      supervisor friend dialogs
      supervisor friend declines
      supervisor friend drift --png drift.png
    """


@command.command()
@click.option("--host", metavar="NAME", help="Only those with this host.")
@click.option("--page", type=click.IntRange(min=1), default=1, metavar="N", help="Page to show.  [default: 1]")
@click.option("--size", type=click.IntRange(1, 10_000), default=20, metavar="N", help="A page.  [default: 20]")
@home_option
@json_option
def dialogs(host: str | None, page: int, size: int, home: Home, as_json: bool) -> None:
    """List the dialogues, newest first, each with the reason that it ran.

    \b
    Example:
      supervisor friend dialogs --json | jq -r '.dialogs[].why'
    """
    from supervisor.friend.friend_text import draw_page
    from supervisor.friend.looking import list_dialogs

    with _open(home) as reader:
        found = list_dialogs(reader, host, page, size)
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_page(found)))


@command.command()
@dialog_argument
@home_option
@json_option
def show(dialog: str, home: Home, as_json: bool) -> None:
    """Show a dialogue line by line, how each felt, and what the friend kept of it.

    ID is its id, a unique beginning of it, or its number.

    \b
    Example:
      supervisor friend show 3
    """
    from supervisor.friend.friend_text import draw_dialog
    from supervisor.friend.looking import show_dialog

    with _open(home) as reader:
        found = show_dialog(reader, dialog)
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_dialog(found)))


@command.command()
@host_option
@home_option
@json_option
def card(host: str, home: Home, as_json: bool) -> None:
    """Show what the friend is made of: each fragment with its weight, where it is from, how old it is.

    \b
    Example:
      supervisor friend card --json | jq '.fragments[] | select(.is_origin | not)'
    """
    import time

    from supervisor.friend.friend_text import draw_card_text
    from supervisor.friend.looking import draw_card

    with _open(home) as reader:
        _check_host(reader, host)
        found = draw_card(reader, host, _settings(home), time.time())
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_card_text(found)))


@command.command()
@host_option
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw it.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@home_option
@json_option
@click.pass_context
def drift(context: click.Context, /, host: str, png: Path | None, force: bool, home: Home, as_json: bool) -> None:
    """Show how far the friend has come from its origin, dialogue by dialogue.

    Origin share: of the weights. Lexical distance: between adopted and origin words. Turnover: fragments that were not
    there ten dialogues ago. Effective: how many equal fragments would be as varied. Exit code 1 when the origin is
    nearly gone, or half of its share was lost within 11 dialogues.

    \b
    Example:
      supervisor friend drift --png drift.png
    """
    from supervisor.friend.friend_text import draw_drift
    from supervisor.friend.looking import trace_drift

    with _open(home) as reader:
        _check_host(reader, host)
        found = trace_drift(reader, host, _settings(home).least_origin_share)
    if png is not None:
        from supervisor.friend.drift_chart import write_chart

        write_chart(found, png, is_forced=force)
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_drift(found)))
    context.exit(1 if found.alarm else 0)


@command.command()
@home_option
@json_option
def declines(home: Home, as_json: bool) -> None:
    """Show how often the friend did not speak, by reason, over all runs whose figures are kept.

    \b
    Example:
      supervisor friend declines --json | jq .declined
    """
    from supervisor.friend.friend_text import draw_declines
    from supervisor.friend.looking import count_declines
    from supervisor.friend.tallying import figures_of_runs

    home.check_is_there()
    figures = figures_of_runs(home)
    found = count_declines(figures, _settings(home))
    is_running = any(running for _, running in figures)
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_declines(found, is_running)))


@command.command()
@host_option
@click.option("--off", is_flag=True, help="End the pause.")
@home_option
def pause(host: str, off: bool, home: Home) -> None:
    """Let the friend be silent until the pause is ended, in later runs as well.

    \b
    Examples:
      supervisor friend pause
      supervisor friend pause --off
    """
    from schemas.friend import PauseFriend
    from supervisor.friend.saying import Addressed

    friend = Addressed(home)
    with _open(home) as reader:
        _check_host(reader, host)

    def settled() -> str | None:
        with _open(home) as reader:
            return "done" if (reader.persona(host).pause_reason is None) is off else None

    friend.order(PauseFriend(host_id=host, is_paused=not off))
    friend.await_sign(settled)
    click.echo(f"the friend of {host} {'speaks again' if off else 'is silent'}")


@command.command()
@dialog_argument
@home_option
def forget(dialog: str, home: Home) -> None:
    """Remove a dialogue, what the friend kept of it, and what the field learnt from it.

    The recorded messages of its run hold it until that run is pruned (`supervisor record prune`).

    \b
    Example:
      supervisor friend forget 3
    """
    from schemas.friend import ForgetDialog
    from supervisor.friend.saying import Addressed

    friend = Addressed(home)
    with _open(home) as reader:
        line = reader.dialog(dialog)

    def settled() -> str | None:
        with _open(home) as reader:
            return None if any(each.dialog_id == line.dialog_id for each in reader.dialogs(line.host_id)) else "done"

    friend.order(ForgetDialog(host_id=line.host_id, dialog_id=line.dialog_id))
    friend.await_sign(settled)
    click.echo(f"forgotten: {line.dialog_id}, {line.turns} lines")


@command.command()
@host_option
@click.option("--patience", type=Number(1.0, 35.0), default=35.0, metavar="SECONDS", help="For a moment.")
@home_option
@json_option
@click.pass_context
def selftest(context: click.Context, /, host: str, patience: float, home: Home, as_json: bool) -> None:
    """Hold one dialogue with the host as it is, keep nothing of it, and tell how many lines were said and heard.

    A foreign host is tried at the next moment that it offers. Exit code 1 when it came to nothing.

    \b
    Example:
      supervisor friend selftest
    """
    from schemas.friend import TryDialog
    from supervisor.friend.friend_text import draw_tried
    from supervisor.friend.saying import Addressed

    friend = Addressed(home)
    asked = friend.name_question()
    friend.order(TryDialog(try_id=asked, host_id=host))
    tried = json.loads(friend.answer_to(asked, patience))
    click.echo(json.dumps(tried, indent=2) if as_json else "\n".join(draw_tried(tried)))
    context.exit(0 if tried["reason"] == "done" else 1)


@command.command()
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where to.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@click.option("--host", metavar="NAME", help="Only the dialogues with this host.")
@home_option
def export(output: Path, force: bool, host: str | None, home: Home) -> None:
    """Copy the dialogues into a file for other tools, one JSON object a line, readable by you alone.

    \b
    Example:
      supervisor friend export --output dialogs.jsonl
    """
    import os

    from supervisor.friend.looking import show_dialog
    from supervisor.recorded.exporting import new_file

    with _open(home) as reader, new_file(output, is_forced=force) as file:
        os.fchmod(file.fileno(), 0o600)
        found = reader.dialogs(host)
        for line in found:
            file.write(show_dialog(reader, line.dialog_id).model_dump_json().encode() + b"\n")
    click.echo(f"{len(found)} dialogues in {output}")


@contextmanager
def _open(home: Home) -> "Iterator[FriendReader]":
    """The friends in the pool of `home`, for reading. What is not there is a mistake of the user's."""
    from actors.pool_keeper.friend_reading import DialogUnknownError, FriendReader
    from actors.pool_keeper.reading import PoolMissingError
    from supervisor.advice import advise
    from supervisor.errors import UsageError

    try:
        with FriendReader(home.root) as reader:
            yield reader
    except PoolMissingError as error:
        raise UsageError(f"{error}; {advise('up', home.root)} makes it") from error
    except DialogUnknownError as error:
        raise UsageError(f"{error}; {advise('friend dialogs', home.root)} shows the dialogues") from error


def _check_host(reader: "FriendReader", host: str) -> None:
    from supervisor.errors import UsageError

    hosts = reader.hosts()
    if host != OWN and host not in hosts:
        known = ", ".join(hosts) or "none"
        raise UsageError(f"the pool knows no host {host!r}; it knows: {known}")


def _settings(home: Home) -> "FriendSettings":
    """The settings that this home has now."""
    from supervisor.configuration import Sources, load_configuration

    return load_configuration(Sources(home, None, (), ())).settings.friend
