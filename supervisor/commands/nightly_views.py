"""`supervisor nightly report | diff | trend | explain`: nights as `nightly.json` tells them; no dream is opened."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.home import Home

EXIT_FINDING: Final = 1
date_argument = click.argument("date", metavar="[DATE]", default="last")


@click.command()
@date_argument
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the page goes.  [default: report.html beside the night]",
)
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@home_option
@json_option
@click.pass_context
def report(
    context: click.Context, /, date: str, html: Path | None, *, force: bool, home: "Home", as_json: bool
) -> None:
    """Draw a night as one page, readable offline, the same bytes for the same night, and show it in short.

    DATE is that of the night, and the last one by default. No dream is in it. Exit code 1 when the check of its files
    found a fault.

    \b
    Examples:
      supervisor nightly report
      supervisor nightly report 2026-01-31 --html night.html
    """
    from actors.nightly_observer.verifying import verify
    from supervisor.nightly.opening import nights_of
    from supervisor.nightly.page import draw_page, draw_short, place_page, verdict
    from supervisor.nightly.reading import dated, read_night

    night = read_night(home, dated(home, date))
    checked = verify(nights_of(home), [night.date])
    path = place_page(home, night.date, draw_page(night, checked), html, is_forced=force)
    tree = {
        "date": night.date,
        "verdict": verdict(night),
        "page": str(path),
        "dream": night.block.model_dump(mode="json"),
        "numbers": dict(night.numbers),
        "check": [each.model_dump(mode="json") for each in checked],
    }
    _print(tree, as_json, draw_short(night, checked, str(path)))
    faults = [each for each in checked if each.kind in ("corrupt", "missing")]
    context.exit(EXIT_FINDING if faults else 0)


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", default="last")
@home_option
@json_option
@click.pass_context
def diff(context: click.Context, /, first: str, second: str, home: "Home", as_json: bool) -> None:
    """Show what changed from the night A to the night B, by default the last: seeds, numbers, the method.

    Seeds are held against each other by anchor when both nights have stable ones (`id_privacy: hash`), else by type.
    One line and exit code 0 when nothing changed, exit code 1 otherwise. Other words for the same scenes are told as
    wording_changed, and are no change.

    \b
    Example:
      supervisor nightly diff 2026-01-30 2026-01-31
    """
    from supervisor.nightly.differing import diff as difference
    from supervisor.nightly.differing import draw_diff
    from supervisor.nightly.reading import dated, read_night

    found = difference(read_night(home, dated(home, first)), read_night(home, dated(home, second)))
    _print({**found.model_dump(mode="json"), "is_quiet": found.is_quiet}, as_json, draw_diff(found))
    context.exit(0 if found.is_quiet else EXIT_FINDING)


@click.command()
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, metavar="N", help="How many.")
@click.option("--until", default="last", show_default=True, metavar="DATE", help="The last of them.")
@home_option
@json_option
def trend(days: int, until: str, home: "Home", as_json: bool) -> None:
    """Show the seeds of each type day by day, with bars.

    A day without a night is a gap and counts for nothing; a night whose dreams are over is marked `expired`.

    \b
    Example:
      supervisor nightly trend --days 30
    """
    from supervisor.nightly.reading import dated
    from supervisor.nightly.trending import draw_trend
    from supervisor.nightly.trending import trend as trend_of

    found = trend_of(home, days, dated(home, until))
    _print(found.model_dump(mode="json"), as_json, draw_trend(found))


@click.command()
@click.argument("seed", metavar="SEED")
@click.option("--date", default="last", show_default=True, metavar="DATE", help="Of the night that it is of.")
@home_option
@json_option
def explain(seed: str, date: str, home: "Home", as_json: bool) -> None:
    """Show by which formula a seed came about: its numbers, its threshold, how many observations it rests on.

    SEED is a type, the rank of a seed in the night from 1 on, or the beginning of an anchor. Without a night the rules
    of a type are shown. The numbers that a value was made of are kept for the strongest seed of each type alone.

    \b
    Examples:
      supervisor nightly explain conflict
      supervisor nightly explain 1 --date 2026-01-31
    """
    from supervisor.nightly.explaining import draw_explained
    from supervisor.nightly.explaining import explain as explained
    from supervisor.nightly.reading import dated, dates_of, read_night

    has_night = date != "last" or bool(dates_of(home))
    found = explained(seed, read_night(home, dated(home, date)) if has_night else None)
    _print([each.model_dump(mode="json") for each in found], as_json, draw_explained(found))


def _print(tree: object, as_json: bool, lines: Iterable[str]) -> None:
    click.echo(json.dumps(tree, indent=2) if as_json else "\n".join(lines))
