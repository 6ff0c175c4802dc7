"""The judgement on what each actor of a run heard and said.

In: the ledger of a run, and who has which role. Out: findings, each at its place, and how often each sender, kind and
receiver came together. The checks of one input: its sender has a seat; the sender's journal holds it, whole and
addressed to this actor; the topology has the row; what a boxed receiver kept is what was said; it comes right after
the one that it names as the one before it. A boxed actor observes nothing beside its messages. What may have stood in
a damaged stretch is called damaged, not unsaid.

A foreign message that the process refused unseen is no finding: nothing was drawn, nothing was said. Order is
judged from one sound input of a sender to the next; where either journal has a gap in between, it is not.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal, cast, get_args

from bus.box.profiles import is_boxed
from bus.topology import is_allowed
from schemas.base import Record
from schemas.roles import Role
from supervisor.recorded.accounts import Account, Gap, Place, Said, Taken, name_of
from supervisor.recorded.ledger import Ledger
from supervisor.recorded.refusal_lines import Claim

MOST_FINDINGS: Final = 1000
"""Findings that are told one by one; all are counted."""

AuditFindingKind = Literal[
    "foreign",
    "unknown sender",
    "never said",
    "misaddressed",
    "not what was said",
    "twice",
    "out of order",
    "foreign output",
    "renumbered",
    "damaged",
]
"""No row of the topology; no seat in the manifest; no journal holds it; said to somebody else; the receiver kept other
bytes; taken before; not after the one before it; said without a row; a number that was used before, so that what
it names is uncertain; bytes that cannot be read or are missing."""
UNKNOWN_KIND: Final = "(unknown)"
"""The kind of an input that no journal holds."""


class AuditFinding(Record):
    """One thing that is not as it must be."""

    kind: AuditFindingKind
    actor: str
    """Whose journal shows it."""
    epoch: int
    step: int
    """0 for a stretch that cannot be read."""
    segment: str
    """Empty where the whole journal is missing."""
    offset: int
    """Byte offset of the frame in the segment."""
    message: str | None
    """`sender/epoch/seq`."""
    text: str


@dataclass
class Count:
    """The inputs of one sender, kind and receiver."""

    accepted: int = 0
    refused: int = 0
    foreign: int = 0
    """Accepted ones with a finding other than damage."""


@dataclass
class Judgement:
    """What was found; filled by `judge`."""

    counts: dict[Claim, Count] = field(default_factory=dict)
    findings: list[AuditFinding] = field(default_factory=list)
    by_kind: dict[AuditFindingKind, int] = field(default_factory=dict)

    def add(self, kind: AuditFindingKind, actor: str, place: Place, text: str, message: str | None = None) -> None:
        """Count a finding, and keep it unless there are too many."""
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(
                AuditFinding(
                    kind=kind,
                    actor=actor,
                    epoch=place.epoch,
                    step=place.step,
                    segment=place.segment,
                    offset=place.offset,
                    message=message,
                    text=text,
                )
            )


class Law:
    """The topology for the instances of a run."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        """`roles`: instance to role, as the manifest says."""
        self.roles: dict[str, Role] = {
            instance: cast("Role", role) for instance, role in roles.items() if role in get_args(Role)
        } | {"supervisor": "supervisor"}
        self.allows: Callable[[str, str, str], bool] = cache(self._allows)

    def _allows(self, sender: str, kind: str, receiver: str) -> bool:
        """Whether a row stands for the message `kind` from the instance `sender` to the instance `receiver`."""
        if sender not in self.roles or receiver not in self.roles:
            return False
        return is_allowed(self.roles[sender], kind, self.roles[receiver])


def judge(ledger: Ledger, law: Law, actor: str, judgement: Judgement) -> None:
    """Judge everything that `actor` heard and said."""
    account = ledger.accounts[actor]
    for gap in account.gaps:
        judgement.add("damaged", actor, gap.place, gap.reason)
    _judge_outputs(account, law, actor, judgement)
    _judge_observations(account, law, actor, judgement)
    order = _Order(account)
    for at in range(len(account.taken_keys)):
        _judge_input(_Input(ledger, law, actor, at, account.taken(at)), order, judgement)


def _judge_outputs(account: Account, law: Law, actor: str, judgement: Judgement) -> None:
    for stray in account.strays:
        why = "the topology has no such row" if actor in law.roles else f"{actor} has no seat in the manifest"
        text = f"{stray.kind} to {stray.receiver}: {why}"
        judgement.add("foreign output", actor, stray.place, text, name_of(actor, stray.key))
    more = account.strays_total - len(account.strays)
    if more:
        judgement.by_kind["foreign output"] += more
    for key, place in account.renumbered:
        text = "its number is not higher than that of the message before it"
        judgement.add("renumbered", actor, place, text, name_of(actor, key))


def _judge_observations(account: Account, law: Law, actor: str, judgement: Judgement) -> None:
    """A boxed actor sees nothing of the world: what it takes for an observation came in beside the topology."""
    role = law.roles.get(actor)
    if role is None or not is_boxed(role):
        return
    for name, place in account.observed:
        judgement.add("foreign", actor, place, f"an observation called {name[:80]!r}: a boxed actor observes nothing")


@dataclass(frozen=True)
class _Input:
    """One input of one actor, with what can be known of it."""

    ledger: Ledger
    law: Law
    actor: str
    number: int
    taken: Taken

    @property
    def name(self) -> str:
        return name_of(self.taken.sender, self.taken.key)

    @property
    def source(self) -> Account | None:
        return self.ledger.accounts.get(self.taken.sender)

    @property
    def said(self) -> Said | None:
        return self.source.find(self.taken.key) if self.source is not None else None

    @property
    def gap(self) -> Gap | None:
        """The stretch of the sender's journal in which the message may have stood."""
        key = self.taken.key
        return self.source.gap_between(key - 1, key + 1) if self.source is not None else None


def _judge_input(given: _Input, order: "_Order", judgement: Judgement) -> None:
    taken, said = given.taken, given.said
    kind = taken.heard[0] if taken.heard is not None else said.kind if said is not None else UNKNOWN_KIND
    found = list(_faults(given, said, kind))
    if not any(fault != "damaged" for fault, _ in found):
        found += order.faults(given, said if not found else None)
    else:
        order.forget(taken.sender)
    for fault, text in found:
        judgement.add(fault, given.actor, taken.place, text, given.name)
    count = judgement.counts.setdefault((taken.sender, kind, given.actor), Count())
    count.refused += taken.is_refused
    count.accepted += not taken.is_refused
    count.foreign += not taken.is_refused and any(fault != "damaged" for fault, _ in found)


def _faults(given: _Input, said: Said | None, kind: str) -> Iterator[tuple[AuditFindingKind, str]]:
    """What is wrong with an input, its order apart."""
    taken, law = given.taken, given.law
    has_seat = taken.sender in law.roles
    if not has_seat and not taken.is_unseen:
        yield "unknown sender", f"{kind} from {taken.sender}, who has no seat in the manifest"
    elif kind != UNKNOWN_KIND and not taken.is_unseen and not law.allows(taken.sender, kind, given.actor):
        text = f"the topology has no row ({law.roles[taken.sender]}, {kind}, {law.roles.get(given.actor, given.actor)})"
        yield "foreign", f"{kind} from {taken.sender}: {text}"
    if said is None:
        if given.gap is not None:
            yield "damaged", f"{given.name} may have stood in {_described(given.gap, taken.sender)}"
        elif given.source is not None or taken.heard is None:
            yield "never said", f"no journal holds {given.name}"
        return
    if said.receiver != given.actor:
        yield "misaddressed", f"{kind} {given.name} was said to {said.receiver}"
    if taken.heard is not None and taken.heard != (said.kind, said.digest):
        yield "not what was said", f"heard as {kind}, other bytes than the {said.kind} that {taken.sender} said"


def _described(gap: Gap, sender: str) -> str:
    if not gap.place.segment:
        return f"the journal of {sender}, which is missing"
    return f"a damaged stretch: {sender}/{gap.place.segment} at {gap.place.offset}"


@dataclass
class _Last:
    """The last input of one sender."""

    number: int = -1
    key: int = 0
    is_sure: bool = True
    """Whether the next input must come right after it."""
    before: "array[int]" = field(default_factory=lambda: array("Q"))
    """Everything taken from this sender so far, ascending."""


class _Order:
    """Whether the inputs of one actor come in the order in which each sender said them."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._last: dict[str, _Last] = {}

    def forget(self, sender: str) -> None:
        """The next input of `sender` is not measured by this one, which was never due."""
        self._last.setdefault(sender, _Last()).is_sure = False

    def faults(self, given: _Input, said: Said | None) -> list[tuple[AuditFindingKind, str]]:
        """What is wrong with the place of `given`; `said` is None where the message itself cannot be read."""
        taken = given.taken
        last = self._last.setdefault(taken.sender, _Last())
        if taken.key <= last.key:
            at = bisect_left(last.before, taken.key)
            is_again = at < len(last.before) and last.before[at] == taken.key
            after = f"after {name_of(taken.sender, last.key)}"
            return [("twice", f"takes {given.name} again")] if is_again else [("out of order", f"{given.name} {after}")]
        is_due = not last.is_sure or said is None or said.before == last.key or self._is_torn(given, last)
        before = f"after {name_of(taken.sender, last.key)}" if last.key else "as the first"
        last.number, last.key, last.is_sure = given.number, taken.key, said is not None
        last.before.append(taken.key)
        if is_due or said is None:
            return []
        named = name_of(taken.sender, said.before) if said.before else "nothing"
        return [("out of order", f"takes {given.name} {before}, but {named} comes before it")]

    def _is_torn(self, given: _Input, last: _Last) -> bool:
        """Whether part of either journal is missing between the last input of the sender and this one."""
        is_source_torn = given.source is not None and given.source.gap_between(last.key, given.taken.key) is not None
        return is_source_torn or self._account.has_break(last.number, given.number)
