"""Whether the journals of a run agree: what one says that it heard, another must hold as said.

In: the checks of all journals of a run. Out: findings, each put to the segment and offset where it shows. The inputs
of a receiver are the beginning of the sender's stream to it, in order, without a gap and none twice; a payload that
is named is stored by the message that is named. Of a run that is still written, what is newer than its journal was
when it was read is passed over.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from bus.core import MessageRef
from bus.journal_check import SEQ_BITS, Finding, FindingKind, JournalCheck, key_of
from bus.recording import RecordedStep
from bus.step import StepRecord


@dataclass(frozen=True)
class _Disagreement:
    """A fault between two journals; `shows` tells the step of the receiver where it shows first."""

    kind: FindingKind
    text: str
    shows: Callable[[StepRecord], bool]


class Unread(NamedTuple):
    """Messages of a sender that the receiver did not take."""

    sender: str
    receiver: str
    messages: int


def unread_messages(checks: Mapping[str, JournalCheck]) -> tuple[Unread, ...]:
    """Every stream of which the receiver has not taken the last message."""
    found = []
    for sender, check in checks.items():
        for receiver, said in check.said.items():
            taken = checks[receiver].taken.get(sender) if receiver in checks else None
            count = len(said) - bisect_right(said, taken[-1]) if taken else len(said)
            if count:
                found.append(Unread(sender, receiver, count))
    return tuple(found)


def compare_journals(checks: Mapping[str, JournalCheck], *, is_live: bool) -> None:
    """Add to the verdicts of `checks` what disagrees between them."""
    for check in checks.values():
        for fault in (*_inputs(check, checks, is_live), *_payloads(check, checks, is_live)):
            _place(check, fault)


def _inputs(check: JournalCheck, checks: Mapping[str, JournalCheck], is_live: bool) -> Iterator[_Disagreement]:
    for sender, taken in check.taken.items():
        source = checks.get(sender)
        said = source.said.get(check.actor, array("Q")) if source is not None else array("Q")
        if taken == said[: len(taken)] or _is_closed_book(source):
            continue
        held = set(said)
        missing = _missing(taken, held, source, is_live)
        if missing:
            text = f"handles {_names(sender, missing)}, which its journal does not hold"
            yield _Disagreement("input", text, _takes(sender, missing))
        again = [key for before, key in pairwise(taken) if key <= before]
        if again:
            yield _Disagreement("input", f"handles {_names(sender, again)} out of order", _takes(sender, again))
        skipped = sorted(held.difference(taken, (key for key in held if key > taken[-1])))
        if skipped and not check.losses and not again:
            later = [taken[bisect_left(taken, skipped[0])]]
            yield _Disagreement("input", f"passes over {_names(sender, skipped)}", _takes(sender, later))


def _payloads(check: JournalCheck, checks: Mapping[str, JournalCheck], is_live: bool) -> Iterator[_Disagreement]:
    for sender, named in check.named.items():
        source = checks.get(sender)
        held = set(source.holding) if source is not None else set()
        missing = _missing(sorted(set(named)), held, source, is_live)
        if missing and not _is_closed_book(source):
            text = f"names the payload of {_names(sender, missing)}, which its journal does not hold"
            yield _Disagreement("payload", text, _names_payload(sender, missing))


def _is_closed_book(source: JournalCheck | None) -> bool:
    """Whether some file of the journal cannot be opened, so that nobody knows what it holds."""
    return source is not None and not source.is_readable


def _missing(keys: Iterable[int], held: set[int], source: JournalCheck | None, is_live: bool) -> list[int]:
    """Those of `keys` that are not held, unless they are newer than a journal that is still written."""
    newest = source.last_key if source is not None and is_live else None
    return [key for key in keys if key not in held and (newest is None or key <= newest)]


def _names(sender: str, keys: list[int]) -> str:
    first = f"{sender}/{keys[0] >> SEQ_BITS}/{keys[0] & (1 << SEQ_BITS) - 1}"
    return first if len(keys) == 1 else f"{first} and {len(keys) - 1} more messages of {sender}"


def _takes(sender: str, keys: list[int]) -> Callable[[StepRecord], bool]:
    wanted = set(keys)
    return lambda record: (
        isinstance(record.event, MessageRef) and record.event.sender == sender and key_of(record.event) in wanted
    )


def _names_payload(sender: str, keys: list[int]) -> Callable[[StepRecord], bool]:
    wanted = set(keys)
    return lambda record: any(
        origin is not None and origin.sender == sender and key_of(origin) in wanted
        for out in record.outgoing
        for origin in out.origins
    )


def _place(check: JournalCheck, fault: _Disagreement) -> None:
    """Find the step again where `fault` shows: rare enough not to keep the place of every input."""
    verdict, offset = check.verdicts[0], 0
    with suppress(OSError):
        for step in check.recording.steps(check.actor):
            if isinstance(step, RecordedStep) and fault.shows(step.record):
                verdict = next(verdict for verdict in check.verdicts if verdict.segment == step.segment)
                offset = step.offset
                break
    verdict.findings.append(Finding(offset, 0, fault.kind, fault.text))
