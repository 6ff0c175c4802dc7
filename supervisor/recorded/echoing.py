"""Messages of a run, one a line, as they were said.

In: a home, and what a user asks for. Out: lines of text, or one JSON object a line. A message is shown only when
every byte of it passes its checksum; one that does not is named on standard error and left out.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import click

from bus.errors import DecodeError, MissingInputError
from bus.skimming import SkimmedMessage, SkimmedStep
from supervisor.asking import is_coloured
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.log_lines import DIM, RESET, colour_of, utc_text
from supervisor.recorded.conversation import Conversation
from supervisor.recorded.filtering import Filter, parse_filter
from supervisor.recorded.kinds import find_kind, journalled_kinds, names_in
from supervisor.recorded.listening import choose_run, is_followed, live_steps, recorded_steps, say_damages
from supervisor.recorded.message_fields import (
    Fields,
    brief_fields,
    cause_text,
    clock_text,
    fields_of,
    plain,
    with_payloads,
)


@dataclass(frozen=True)
class EchoRequest:
    """What a user asks for, in the user's words."""

    run: str = "latest"
    kinds: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    expression: str | None = None
    count: int | None = None
    duration_s: float | None = None
    since_s: float | None = None
    """Seconds since the Unix epoch."""
    follow: bool | None = None
    as_json: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether it comes to an end of itself."""
        return self.count is not None or self.duration_s is not None


@dataclass(frozen=True)
class Selection:
    """Which messages are wanted; an empty set means all."""

    kinds: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    receivers: frozenset[str] = frozenset()
    condition: Filter | None = None

    def wants(self, message: SkimmedMessage) -> bool:
        """Whether the envelope of `message` fits; its fields are judged apart."""
        return (
            (not self.kinds or message.kind in self.kinds)
            and (not self.senders or message.ref.sender in self.senders)
            and (not self.receivers or message.receiver in self.receivers)
        )


def select(actors: Sequence[str], request: EchoRequest) -> Selection:
    """The selection that the words of a user mean; raises UsageError naming the word that means nothing."""
    kinds = frozenset(find_kind(kind) for kind in request.kinds)
    condition = parse_filter(request.expression) if request.expression is not None else None
    if condition is not None:
        condition.check_names({kind: names_in(kind) for kind in kinds or journalled_kinds()})
    return Selection(kinds, _known(request.senders, actors), _known(request.receivers, actors), condition)


def _known(names: Iterable[str], actors: Sequence[str]) -> frozenset[str]:
    wanted = frozenset(names)
    unknown = sorted(wanted - set(actors))
    if unknown:
        raise UsageError(f"no actor {unknown[0]!r} in this run; there are {', '.join(actors)}")
    return wanted


def echo_messages(home: Home, request: EchoRequest) -> Iterator[str]:
    """The lines that `request` asks for, as they become known. Raises UsageError."""
    run = choose_run(home, request.run)
    selection = select(run.actors(), request)
    is_live = is_followed(run, request.follow, is_limited=request.is_limited, is_terminal=sys.stdout.isatty())
    since_ns = int(request.since_s * 1e9) if request.since_s is not None else 0
    conversation = Conversation(run.folder.journal, since_ns, is_from_now=is_live and not since_ns)
    if is_live:
        steps = live_steps(run, conversation, request.duration_s)
    else:
        steps = recorded_steps(conversation, since_ns, request.duration_s)
    echo = Echo(conversation, selection, request.as_json, not request.as_json and is_coloured())
    yield from islice(echo.lines(steps), request.count)
    say_damages(conversation)
    conversation.close()


@dataclass
class Echo:
    """Shows messages of one run."""

    conversation: Conversation
    selection: Selection
    as_json: bool
    is_coloured: bool

    def lines(self, steps: Iterable[SkimmedStep]) -> Iterator[str]:
        """A line for each message of `steps` that is wanted and sound."""
        for step in steps:
            for message in step.messages:
                if self.selection.wants(message):
                    yield from self._line(message)

    def _line(self, message: SkimmedMessage) -> Iterator[str]:
        condition = self.selection.condition
        try:
            fields = fields_of(message)
            if condition is not None and not condition.fits(fields):
                return
            fields = with_payloads(message, fields, self.conversation.payloads_of(message))
        except (DecodeError, MissingInputError) as error:
            click.echo(f"{message.kind} {message.message_id} is not shown: {error}", err=True)
            return
        yield json.dumps(json_of(message, fields)) if self.as_json else text_of(message, fields, self.is_coloured)


def json_of(message: SkimmedMessage, fields: Fields) -> dict[str, object]:
    """`message` as a JSON object; bytes by size and hash."""
    return {
        "id": message.message_id,
        "kind": message.kind,
        "version": message.version,
        "sender": message.ref.sender,
        "epoch": message.ref.epoch,
        "seq": message.ref.seq,
        "receiver": message.receiver,
        "at": utc_text(message.wall_ns / 1e9),
        "wall_ns": message.wall_ns,
        "step": message.step,
        "cause": cause_text(message.event),
        "bytes": message.size_bytes,
        "fields": plain(fields),
    }


def text_of(message: SkimmedMessage, fields: Fields, is_coloured: bool) -> str:
    """`12:00:00.000 learner/1/57 -> pool-keeper RetrievalQuery k=8, ...`."""
    time, receiver, said = clock_text(message.wall_ns), message.receiver, brief_fields(fields)
    if not is_coloured:
        return f"{time} {message.message_id} -> {receiver} {message.kind} {said}"
    tone = colour_of(message.ref.sender)
    return f"{DIM}{time}{RESET} {tone}{message.message_id}{RESET} -> {receiver} {tone}{message.kind}{RESET} {said}"
