"""Messages of a run, one a line, as they were said.

In: the steps of a run and a selection. Out: lines of text, or one JSON object a line. A message is shown only when
every byte of it passes its checksum; one that does not is named on standard error and left out.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import click

from bus.errors import DecodeError, MissingInputError
from bus.skimming import SkimmedMessage, SkimmedStep
from supervisor.conversation import Conversation
from supervisor.filtering import Filter
from supervisor.log_lines import DIM, RESET, colour_of, utc_text
from supervisor.message_fields import Fields, brief_fields, cause_text, clock_text, fields_of, plain, with_payloads


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


@dataclass
class Echo:
    """Shows messages of one run."""

    conversation: Conversation
    selection: Selection
    as_json: bool
    is_coloured: bool
    left_out: list[str] = field(default_factory=list)
    """Messages that failed a check."""

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
            self.left_out.append(message.message_id)
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
