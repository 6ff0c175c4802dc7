"""`supervisor logs`: what the processes logged, merged by time."""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from supervisor.home import Home
from supervisor.log_lines import LEVELS
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.log_lines import LogLine

AGE: Final = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)$")
SECONDS_OF: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
POLL_S: Final = 0.2


class Moment(click.ParamType[float]):
    """A point in time: an age such as 90s, 5m, 2h, 1d, or an ISO 8601 time (UTC unless it says otherwise)."""

    name = "AGE|TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since the Unix epoch."""
        if isinstance(value, float):
            return value
        text = str(value)
        age = AGE.match(text)
        if age is not None:
            return time.time() - float(age.group(1)) * SECONDS_OF[age.group(2)]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither an age (90s, 5m, 2h, 1d) nor an ISO 8601 time", param, ctx)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--actor", "actors", multiple=True, metavar="ACTOR", help="Only this actor; may be repeated.")
@click.option("--since", type=Moment(), help="Only lines from then on: 5m, 2h, or 2030-01-31T12:00.")
@click.option("--level", type=click.Choice(LEVELS), default="info", show_default=True, help="Least level shown.")
@home_option
@json_option
def command(follow: bool, actors: tuple[str, ...], since: float | None, level: str, home: Home, as_json: bool) -> None:
    """Show what the processes logged, merged by time.

    Times are UTC. With --json each line is one JSON object.

    \b
    Examples:
      supervisor logs -f
      supervisor logs --actor learner --since 5m --level warning
    """
    from supervisor.actor_names import unknown_actor
    from supervisor.errors import UsageError
    from supervisor.log_tail import LogFilter, Tail, log_file, log_names, merged_history, rotated_files

    known = log_names(home.logs)
    unknown = [actor for actor in actors if actor not in known]
    if unknown:
        raise UsageError("\n".join(unknown_actor(name, known) for name in unknown))
    tails = [Tail(log_file(home, name)) for name in actors or known]
    wanted = LogFilter(actors, since, LEVELS.index(level))
    history = merged_history([(rotated_files(tail.path), tail) for tail in tails])
    _print((line for line in history if wanted.wants(line)), as_json)
    while follow:
        time.sleep(POLL_S)
        _print((line for tail in tails for line in tail.read_lines() if wanted.wants(line)), as_json)


def _print(lines: "Iterable[LogLine]", as_json: bool) -> None:
    from supervisor.asking import is_coloured

    coloured = is_coloured()
    for line in lines:
        click.echo(line.to_json() if as_json else line.to_text(coloured))
