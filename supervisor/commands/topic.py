"""`supervisor topic`: what is said between the actors, read from the journals of a run."""

import json
import sys
import time
from typing import TYPE_CHECKING, Final, Literal

import click

from supervisor.commands.logs import Moment
from supervisor.home import Home
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.conversation import Conversation
    from supervisor.echoing import Selection
    from supervisor.kinds import FieldText, KindText
    from supervisor.listening import ChosenRun
    from supervisor.topics import Topic, Window

POLL_S: Final = 0.1
LIVE_WINDOW_S: Final = 5.0
Seconds = click.FloatRange(min=0.0, min_open=True)

run_option = click.option(
    "--run",
    "run_name",
    default="latest",
    metavar="RUN",
    help="Run id, a unique beginning of one, or `latest`.  [default: the running run, else the newest]",
)


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
    """List the kinds of messages: who said them to whom, how many, how large, when last.

    Bytes are those in the senders' journals; a tensor that a journal only names counts where it is held.

    \b
    Example:
      supervisor topic list --run 20300131T120005Z-0001 --json | jq '.topics[].messages'
    """
    from supervisor.conversation import Conversation
    from supervisor.listening import choose_run, read_through, say_damages
    from supervisor.topics import draw_topics, survey

    run = choose_run(home, run_name)
    conversation = Conversation(run.folder.journal)
    topics = survey(read_through(conversation))
    if as_json:
        rows = [topic.tree() for topic in topics.values()]
        damages = [damage._asdict() for damage in conversation.damages]
        tree = {"run": run.run_id, "is_live": run.is_live, "topics": rows, "damages": damages}
        click.echo(json.dumps(tree, indent=2))
        return
    click.echo("\n".join([_run_line(run), "", *draw_topics(topics)]))
    say_damages(conversation)


@command.command()
@click.argument("kind")
@run_option
@home_option
@json_option
def info(kind: str, run_name: str, home: Home, as_json: bool) -> None:
    """Show what a message of KIND holds, who may say it to whom, and how often it was said.

    \b
    Example:
      supervisor topic info RetrievalQuery
    """
    from supervisor.kinds import describe_kind, find_kind

    described = describe_kind(find_kind(kind))
    run, topic = _topic_of(home, run_name, described.kind)
    counts = topic.tree() | {"run": run.run_id, "is_live": run.is_live} if run is not None and topic is not None else None
    click.echo(json.dumps(_kind_tree(described, counts), indent=2) if as_json else _kind_text(described, run, topic))


@command.command()
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
@click.option("--from", "senders", multiple=True, metavar="ACTOR", help="Only from this actor; may be repeated.")
@click.option("--to", "receivers", multiple=True, metavar="ACTOR", help="Only to this actor; may be repeated.")
@click.option("--filter", "expression", metavar="EXPR", help="Only messages whose fields fit; see above.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after this many messages.")
@click.option("--duration", type=Seconds, metavar="SECONDS", help="End after this time; of the recording, if not live.")
@click.option("--since", type=Moment(), help="Begin there: 5m, 2h, or 2030-01-31T12:00.")
@click.option("--follow/--no-follow", default=None, help="Go on with what is said; the default while the run runs.")
@run_option
@home_option
@json_option
def echo(  # noqa: PLR0913 - the options of the command
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
    """Print messages: time, id, receiver, kind, fields. With --json, one object a line.

    From a running run what is said from now on, until Ctrl-C, --count or --duration; from one that has ended all of
    it. Where output is no terminal, following needs one of the two limits.

    EXPR compares fields, joined by `and`: k>4, source==image, utility<0, entries[0].score>0.5. A name that is no field
    of the message itself stands for every field of that name inside it; one that fits is enough.

    \b
    Examples:
      supervisor topic echo
      supervisor topic echo DreamEntry --filter 'source==image and coherence>0.6' --count 3 --json
      supervisor topic echo --from learner --since 1m --no-follow
    """
    from supervisor.asking import is_coloured
    from supervisor.conversation import Conversation
    from supervisor.echoing import Echo
    from supervisor.listening import choose_run, say_damages

    run = choose_run(home, run_name)
    selection = _selection(run, kinds, (senders, receivers), expression)
    is_following = _is_following(run, follow, is_limited=count is not None or duration is not None)
    since_ns = int(since * 1e9) if since is not None else 0
    conversation = Conversation(run.folder.journal, since_ns, is_from_now=is_following and since is None)
    shown = Echo(conversation, selection, as_json, not as_json and is_coloured())
    steps = _live(run, conversation, duration) if is_following else _recorded(conversation, since_ns, duration)
    for number, line in enumerate(shown.lines(steps), start=1):
        click.echo(line)
        if number == count:
            break
    say_damages(conversation)
    conversation.close()


@command.command()
@click.argument("kind", required=False)
@click.option("--duration", type=Seconds, metavar="SECONDS", help="Length of the window.  [default: 5 live, else all]")
@run_option
@home_option
@json_option
def hz(kind: str | None, duration: float | None, run_name: str, home: Home, as_json: bool) -> None:
    """Show messages a second: the mean over a window; least, most and deviation over its whole seconds.

    The window ends now, or with the last step of a run that has ended. It is read from the journals: nothing waits.

    \b
    Example:
      supervisor topic hz DreamEntry --duration 30
    """
    _show_rates(_choose(home, run_name), "frequency", kind, duration, as_json)


@command.command()
@click.argument("kind", required=False)
@click.option("--duration", type=Seconds, metavar="SECONDS", help="Length of the window.  [default: 5 live, else all]")
@run_option
@home_option
@json_option
def bw(kind: str | None, duration: float | None, run_name: str, home: Home, as_json: bool) -> None:
    """Show bytes a second: the mean over a window; least, most and deviation over its whole seconds.

    Bytes as they stand in the senders' journals. The window is that of `topic hz`.

    \b
    Example:
      supervisor topic bw --json | jq '.topics[] | {kind, mean_bytes_per_s}'
    """
    _show_rates(_choose(home, run_name), "bandwidth", kind, duration, as_json)
