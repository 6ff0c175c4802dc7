"""`supervisor nightly`: nights that look back on a day, what they left, and whether it holds."""

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from supervisor.options import configured, home_option, json_option

if TYPE_CHECKING:
    from actors.nightly_observer.verifying import Opening
    from supervisor.configuration import Sources
    from supervisor.home import Home

VIEWS: Final = {
    "report": "Show a night as one offline page.",
    "diff": "Show what is new, gone and the same between two nights.",
    "trend": "Show seeds night by night.",
    "explain": "Show the formula, the numbers and the threshold of a seed.",
}
"""Commands of `supervisor.commands.nightly_views`."""
ALL: Final = "all"
FAULTS: Final = ("input_error", "no_recipient", "no_vault")
"""Reasons to skip that are a finding."""
identity_option = click.option(
    "--identity", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Who may open the dreams."
)


class NightlyGroup(click.Group):
    """The commands here, and those that show nights, imported when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of their writing, the views last."""
        return [*super().list_commands(ctx), *VIEWS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, or None."""
        if cmd_name not in VIEWS:
            return super().get_command(ctx, cmd_name)
        view: click.Command = getattr(importlib.import_module("supervisor.commands.nightly_views"), cmd_name)
        return view


@click.group(cls=NightlyGroup)
def command() -> None:
    """Look back on a day, seal what is dreamt of it, and check that it holds.

    A night reads a copy of the pool and the logs of its day, in a process that can write nothing but its own folder.
    What is over its threshold becomes a seed, seeds become dreams, sealed for whoever holds an identity. Nothing flows
    back.

    \b
    Examples:
      supervisor nightly keygen --out ~/dreams.key
      supervisor nightly run 2026-01-31
      supervisor nightly verify
    """


@command.command()
@click.argument("date", required=False, metavar="[DATE]")
@click.option("--seeds-only", is_flag=True, help="Count seeds, make no dream.")
@click.option("--fresh", is_flag=True, help="Take a new copy of the pool although the whole day was copied before.")
@click.option("--source", type=click.Choice(["own", "eqnet"]), default="own", show_default=True, help="Whose day.")
@click.option(
    "--root", type=click.Path(path_type=Path), metavar="DIR", help="With --source eqnet: the folder of its files."
)
@click.option("--parity", is_flag=True, help="With --source eqnet: by its own formulas.")
@json_option
@configured
@click.pass_context
def run(
    context: click.Context, /, *, sources: "Sources", date: str | None, source: str, as_json: bool, **wanted: Any
) -> None:
    """Live the night of DATE, a day in UTC; without DATE that of the last day, if it is night (nightly.window).

    The running loop does it, or two processes that are started for it. A night that was lived before is lived again
    from the same copy of the pool, and leaves the same. Exit code 1: it failed, or nothing could be read or sealed.

    \b
    Examples:
      supervisor nightly run 2026-01-31
      supervisor nightly run 2026-01-31 --seeds-only --json | jq .block.seeds_summary
      supervisor nightly run 2026-01-31 --source eqnet --root ~/eqnet
    """
    from supervisor.configuration import load_configuration
    from supervisor.nightly.asking import Asked, check_root, make_request, runtime_settings
    from supervisor.nightly.conducting import conduct
    from supervisor.nightly.night_text import draw_report

    root = wanted["root"]
    if (source == "eqnet") != (root is not None):
        raise click.UsageError("--source eqnet and --root DIR go together")
    if wanted["parity"] and source != "eqnet":
        raise click.UsageError("--parity goes with --source eqnet")
    if root is not None:
        check_root(root, sources.home)
    asked = Asked(date, root, wanted["seeds_only"], wanted["fresh"], wanted["parity"])
    window = load_configuration(sources).settings.nightly.window
    request = make_request(asked, runtime_settings(sources), window, time.time_ns())
    with _shown_wait() as waiting:
        report = conduct(sources, request, waiting)
    _print(report.model_dump(mode="json"), as_json, draw_report(report))
    block = report.block
    context.exit(1 if block is None or block.skip_reason in FAULTS else 0)


@command.command()
@click.argument("date", default=ALL, metavar="[DATE|all]")
@identity_option
@home_option
@json_option
@click.pass_context
def verify(context: click.Context, /, date: str, identity: Path | None, home: "Home", as_json: bool) -> None:
    """Check what nights left behind: references, chain, schema, orphans, expiry. No key is needed.

    With --identity the dreams are opened, and held against what their night committed to. Exit code 0: whole; 1:
    something is corrupt; 2: something is missing; 3: nothing is wrong but that dreams are over.

    \b
    Examples:
      supervisor nightly verify
      supervisor nightly verify 2026-01-31 --identity ~/dreams.key
    """
    from actors.nightly_observer.verifying import EXIT_CODES, verdict_of
    from actors.nightly_observer.verifying import verify as verify_nights
    from supervisor.nightly.night_text import draw_findings
    from supervisor.nightly.opening import nights_of

    nights = nights_of(home)
    dates = nights.dates() if date == ALL else [_date(date)]
    found = verify_nights(nights, dates, None if identity is None else _opening(home, identity))
    verdict = verdict_of(found)
    tree = {"verdict": verdict, "findings": [each.model_dump() for each in found]}
    _print(tree, as_json, draw_findings(found))
    context.exit(EXIT_CODES[verdict])


@command.command(name="open")
@click.argument("ref", metavar="REF")
@identity_option
@home_option
@json_option
def open_(ref: str, identity: Path | None, home: "Home", as_json: bool) -> None:
    """Print a dream; it is written nowhere. REF is a reference of `nightly.json`, dream://DATE/NNNN#sha256:..

    With --json the whole artifact: scene, prompt, glyph, reasons.

    \b
    Example:
      supervisor nightly open "$REF" --identity ~/dreams.key
    """
    from supervisor.nightly.night_text import draw_dream
    from supervisor.nightly.opening import open_dream, read_identity

    artifact = open_dream(home, ref, None if identity is None else read_identity(identity))
    _print(artifact.model_dump(mode="json"), as_json, draw_dream(artifact))


@command.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the identity goes.")
@home_option
@json_option
def keygen(out: Path, home: "Home", as_json: bool) -> None:
    """Make an identity that opens dreams, in a FILE outside of the home, and tell its recipient.

    Keep the file where the home is not: whoever has both can read all dreams. Without it nobody can.

    \b
    Example:
      supervisor nightly keygen --out ~/dreams.key
    """
    from supervisor.nightly.opening import make_key

    made = make_key(home, out)
    lines = [
        f"identity   {made.path}",
        f"recipient  {made.recipient}",
        "",
        f"put it into {home.config / 'runtime.yaml'}:",
        "dream:",
        "  storage:",
        f"    recipients: [{made.recipient}]",
    ]
    _print(made.model_dump(), as_json, lines)


@command.command()
@json_option
@configured
@click.pass_context
def doctor(context: click.Context, /, *, sources: "Sources", as_json: bool) -> None:
    """Check whether nights can be lived and sealed here, and say what is wrong. Exit code 1 when a check fails.

    \b
    Example:
      supervisor nightly doctor
    """
    from supervisor.nightly.checking import check_nights

    found = check_nights(sources, time.time_ns())
    is_ok = all(each.verdict != "FAIL" for each in found)
    lines = [f"{each.verdict}  {each.name}: {each.text}" for each in found]
    _print({"ok": is_ok, "checks": [each.model_dump() for each in found]}, as_json, lines)
    context.exit(0 if is_ok else 1)


@command.command()
@click.argument("date", metavar="DATE")
@json_option
@configured
@click.pass_context
def replay(context: click.Context, /, *, sources: "Sources", date: str, as_json: bool) -> None:
    """Live the night of DATE again from what is kept of its inputs, and compare; nothing is written.

    Exit code 0: the same; 1: it differs, with the seeds and the inputs that do, and whether formulas (method_changed)
    or words (wording_changed) are other ones by now; 2: there is nothing to compare with.

    \b
    Example:
      supervisor nightly replay 2026-01-31
    """
    from supervisor.configuration import load_configuration
    from supervisor.nightly.comparing import compare
    from supervisor.nightly.night_text import draw_compared

    compared = compare(sources.home, _date(date), load_configuration(sources).settings)
    _print(compared.model_dump(mode="json"), as_json, draw_compared(compared))
    context.exit(0 if compared.is_same else 1)


def _date(text: str) -> str:
    from supervisor.nightly.asking import checked_date

    return checked_date(text, time.time_ns())


def _opening(home: "Home", identity: Path) -> "Opening":
    from actors.nightly_observer.verifying import Opening
    from actors.nightly_observer.world import read_key
    from schemas.night_places import KEY_FILE
    from supervisor.nightly.opening import plaintext, read_identity

    text, key = read_identity(identity), home.root / KEY_FILE
    return Opening(lambda stored: plaintext(stored, text), read_key(key) if key.exists() else None)


@contextmanager
def _shown_wait() -> Iterator[Callable[[float], None]]:
    """How long a night has taken, on a terminal."""
    is_terminal = sys.stderr.isatty()

    def draw(seconds: float) -> None:
        if is_terminal:
            click.echo(f"\r\x1b[Kthe night is being lived, {seconds:.0f} s", err=True, nl=False)

    try:
        yield draw
    finally:
        if is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _print(tree: object, as_json: bool, lines: Iterable[str]) -> None:
    click.echo(json.dumps(tree, indent=2) if as_json else "\n".join(lines))
