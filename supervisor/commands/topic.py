"""`supervisor topic`: what is said between the actors, read from the journals of a run."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from supervisor.commands.logs import Moment
from supervisor.home import Home
from supervisor.options import Number, home_option, json_option

if TYPE_CHECKING:
    from supervisor.recorded.conversation import Conversation
    from supervisor.recorded.listening import ChosenRun
    from supervisor.recorded.topics import Topic, Window

LIVE_WINDOW_S: Final = 5.0
Seconds = Number(min=0.0, min_open=True)

run_option = click.option(
    "--run",
    "run_name",
    default="latest",
    metavar="RUN",
    help="Run id, a unique beginning of one, or `latest`.  [default: the running run, else the newest]",
)


def with_window(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` a KIND and the options of a measurement: `kind duration run_name home as_json`."""
    kind = click.argument("kind", required=False)
    duration = click.option(
        "--duration",
        type=Seconds,
        metavar="SECONDS",
        help="Length of the window.  [default: 5 while it runs, else all]",
    )
    return kind(duration(run_option(home_option(json_option(command)))))


@click.group()
def command() -> None:
    """Show what the actors say to each other: kinds, messages, rates.

    Everything is read from the journals of a run, while it runs or afterwards; no actor notices.

    \b
    Examples:
      supervisor topic list
      supervisor topic echo FeedbackBatch --filter 'utility<0'
    """


@command.command(name="list")
@run_option
@home_option
@json_option
def list_(run_name: str, home: Home, as_json: bool) -> None:
    """List the kinds of messages, with counts.

    Who said them to whom, how many, how large, when last. Bytes are those in the senders' journals; a tensor that a
    journal only names counts where it is held.

    \b
    Example:
      supervisor topic list --run latest --json | jq '.topics[].messages'
    """
    from supervisor.recorded.listening import choose_run, say_damages
    from supervisor.recorded.topic_tables import draw_topics

    run = choose_run(home, run_name)
    conversation, topics = _survey(run)
    if as_json:
        rows = [topic.tree() for topic in topics.values()]
        damages = [damage._asdict() for damage in conversation.damages]
        tree = {"run": run.run_id, "is_live": run.is_live, "topics": rows, "damages": damages}
        click.echo(json.dumps(tree, indent=2))
    else:
        click.echo("\n".join([_run_line(run), "", *draw_topics(topics)]))
        say_damages(conversation)


@command.command()
@click.argument("kind")
@run_option
@home_option
@json_option
def info(kind: str, run_name: str, home: Home, as_json: bool) -> None:
    """Show what messages of KIND hold.

    Its fields with their ranges, who may say it to whom, and how often it was said. Works without a recorded run,
    then without counts.

    \b
    Example:
      supervisor topic info RetrievalQuery
    """
    from supervisor.recorded.kinds import describe_kind, find_kind
    from supervisor.recorded.listening import choose_run
    from supervisor.recorded.topic_tables import draw_kind, draw_topics
    from supervisor.runs import list_runs

    described = describe_kind(find_kind(kind))
    run = choose_run(home, run_name) if list_runs(home) else None
    said = _survey(run)[1].get(described.kind) if run is not None else None
    if as_json:
        counts = said.tree() | {"run": run.run_id} if run is not None and said is not None else None
        click.echo(json.dumps(described.tree() | {"said": counts}, indent=2))
        return
    lines = draw_kind(described)
    if run is not None and said is not None:
        lines += ["", _run_line(run), *draw_topics({described.kind: said})]
    click.echo("\n".join(lines))


@command.command()
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option("--from", "senders", multiple=True, metavar="ACTOR", help="Only from this actor; may be repeated.")
@click.option("--to", "receivers", multiple=True, metavar="ACTOR", help="Only to this actor; may be repeated.")
@click.option("--filter", "expression", metavar="EXPR", help="Only messages whose fields fit; see above.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after this many messages.")
@click.option("--duration", type=Seconds, metavar="SECONDS", help="End after this time; of the recording, if not live.")
@click.option("--since", type=Moment(), help="Begin there: 5m, 2h, or 2030-01-31T12:00.")
@click.option("--follow/--no-follow", default=None, help="Go on with what is said; the default while the run goes on.")
@run_option
@home_option
@json_option
def echo(  # noqa: PLR0913 - the options of the command
    *,
    kinds: tuple[str, ...],
    senders: tuple[str, ...],
    receivers: tuple[str, ...],
    expression: str | None,
    count: int | None,
    duration: float | None,
    since: float | None,
    follow: bool | None,
    run_name: str,
    home: Home,
    as_json: bool,
) -> None:
    """Print messages as they are said.

    Time, id, receiver, kind, fields; with --json, one object a line. From a running run what is said from now on,
    until Ctrl-C, --count or --duration; from one that has ended all of it. Where output is no terminal, following
    needs one of the two limits.

    EXPR compares fields, joined by `and`: k>4, source==image, utility<0, entries[0].score>0.5. A name that is no
    field of the message itself stands for every field of that name inside it; one that fits is enough.

    \b
    Examples:
      supervisor topic echo
      supervisor topic echo DreamEntry --filter 'source==image and coherence>0.6' --count 3 --json
      supervisor topic echo --from learner --since 1m --no-follow
    """
    from supervisor.recorded.echoing import EchoRequest, echo_messages

    words = (kinds, senders, receivers, expression)
    request = EchoRequest(run_name, *words, count, duration, since, follow, as_json)
    for line in echo_messages(home, request):
        click.echo(line)


@command.command()
@with_window
def hz(**arguments: Any) -> None:
    """Show messages a second.

    The mean over a window; least, most and deviation over its whole seconds. The window ends now, or with the last
    step of a run that has ended. It is read from the journals: nothing waits.

    \b
    Example:
      supervisor topic hz DreamEntry --duration 30
    """
    from supervisor.recorded.topics import frequency_row

    _show_rates(frequency_row, **arguments)


@command.command()
@with_window
def bw(**arguments: Any) -> None:
    """Show bytes a second.

    The mean over a window; least, most and deviation over its whole seconds. Bytes are those in the senders'
    journals. The window is that of `topic hz`.

    \b
    Example:
      supervisor topic bw --json | jq '.topics[].mean_bytes_per_s'
    """
    from supervisor.recorded.topics import bandwidth_row

    _show_rates(bandwidth_row, **arguments)


def _show_rates(
    row_of: "Callable[[Topic, Window], dict[str, object]]",
    *,
    kind: str | None,
    duration: float | None,
    run_name: str,
    home: Home,
    as_json: bool,
) -> None:
    from supervisor.recorded.kinds import find_kind
    from supervisor.recorded.listening import choose_run, say_damages
    from supervisor.recorded.topic_tables import draw_rates

    wanted = find_kind(kind) if kind is not None else None
    run = choose_run(home, run_name)
    conversation, window, topics = _measure(run, duration)
    rows = [row_of(topic, window) for name, topic in topics.items() if wanted in (None, name)]
    if as_json:
        tree = {"run": run.run_id, "is_live": run.is_live, "window": window.tree(), "topics": rows}
        click.echo(json.dumps(tree, indent=2))
    else:
        click.echo("\n".join([f"{_run_line(run)}, {window.seconds:.1f} s", "", *draw_rates(rows)]))
    say_damages(conversation)


def _measure(run: "ChosenRun", duration: float | None) -> "tuple[Conversation, Window, dict[str, Topic]]":
    """What was said, and the window to look at: its end is now, or where a run that has ended ends."""
    from supervisor.recorded.topics import SECOND_NS, Window

    if run.is_live:
        end_ns = time.time_ns()
        length_ns = int((duration if duration is not None else LIVE_WINDOW_S) * SECOND_NS)
        conversation, topics = _survey(run, end_ns - length_ns)
    else:
        conversation, topics = _survey(run)
        end_ns = conversation.last_ns + 1
        length_ns = int(duration * SECOND_NS) if duration is not None else end_ns
    begin_ns = max(end_ns - length_ns, conversation.began_ns() or 0)
    return conversation, Window(min(begin_ns, end_ns), end_ns), topics


def _survey(run: "ChosenRun", since_ns: int = 0) -> "tuple[Conversation, dict[str, Topic]]":
    from supervisor.recorded.conversation import Conversation
    from supervisor.recorded.listening import read_through
    from supervisor.recorded.topics import survey

    conversation = Conversation(run.folder.journal, since_ns)
    topics = survey(read_through(conversation))
    conversation.close()
    return conversation, topics


def _run_line(run: "ChosenRun") -> str:
    return f"run {run.run_id} ({'running' if run.is_live else 'ended'})"
