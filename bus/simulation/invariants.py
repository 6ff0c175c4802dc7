"""What must hold in every simulated run, checked at each step and at the end.

In: everything that the processes handle, write, commit and lose, as it happens. Out: `InvariantBroken` at the first
breach, and the count of what power cuts have taken. Every message is handled exactly once and in order by whom it is
for; the pool is the union of the dreamers' journals; a dreamer hears BiasProfile alone; no cursor is ahead of its data;
a power cut takes nothing but the end of a journal, and nothing that is older than the window of the sync policy.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from bus.core import Cursor, Input, MessageRef, Received, StepPosition
from bus.execution import Step
from bus.readback import RefusedBody
from bus.simulation.company import Company
from bus.simulation.disk import Cut
from bus.simulation.ports import Written
from bus.simulation.process import Process, Restored
from bus.simulation.reading import MemoryPayloads
from bus.simulation.trace import Trace
from schemas.bias import MAX_EXEMPLARS, BiasProfile

NOTHING = -1
"""Index before the first message of a chain."""


class InvariantBroken(Exception):  # noqa: N818 - a finding, not an error of the program
    """Something that must never be is so."""

    def __init__(self, invariant: str, text: str) -> None:
        self.invariant = invariant
        self.text = text
        super().__init__(f"{invariant}: {text}")


class Said(NamedTuple):
    """A message as its sender journalled it."""

    ref: MessageRef
    name: str
    kind: str
    at: StepPosition
    written_ns: int
    cause: tuple[str, int] | None
    """Sender and index of the message that led to it."""


@dataclass
class Chain:
    """All that one actor ever said to another, in order."""

    said: list[Said] = field(default_factory=list)
    index: dict[tuple[MessageRef, str], int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def add(self, said: Said) -> None:
        """The next message."""
        self.index[said.ref, said.name] = len(self.said)
        self.said.append(said)

    def gap(self, last: int, index: int) -> Said | None:
        """The first message between `last` and `index` that no power cut has taken."""
        return next((self.said[at] for at in range(last + 1, index) if at not in self.lost), None)

    def last(self) -> int:
        """The last message that no power cut has taken."""
        return next((at for at in range(len(self.said) - 1, -1, -1) if at not in self.lost), NOTHING)

    def position(self, index: int) -> Cursor:
        """The cursor of whoever has handled message `index` last."""
        return Cursor(0, 0) if index == NOTHING else Cursor(*self.said[index].ref[1:])


class HandledInput(NamedTuple):
    """A message in the journal of its receiver: the step, and its place in the chain of its sender."""

    at: StepPosition
    sender: str
    place: int


@dataclass
class Losses:
    """What power cuts have taken."""

    power_cuts: int = 0
    messages: int = 0
    """Messages that were in a journal."""
    sent: int = 0
    """Of these, messages that had left."""
    oldest_ns: int = 0
    """Age of the oldest at the cut."""
    unanswered: int = 0
    """Requests whose answer was taken after the store had kept their effect."""

    def with_more(self, other: "Losses") -> "Losses":
        """Both together."""
        return Losses(
            self.power_cuts + other.power_cuts,
            self.messages + other.messages,
            self.sent + other.sent,
            max(self.oldest_ns, other.oldest_ns),
            self.unanswered + other.unanswered,
        )


@dataclass
class Witness:
    """Looks on at one run (`bus.simulation.process.Watcher`)."""

    company: Company
    trace: Trace
    is_power_safe: bool
    window_ns: int
    now_ns: int = 0
    cut_bytes: int = 0
    """Bytes of torn tails that the actors have cut."""
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        names = [seat.instance for seat in self.company.seats]
        self._roles = {seat.instance: seat.role for seat in self.company.seats}
        self._chains = {(one, other): Chain() for one in names for other in names}
        self._inputs: dict[str, list[HandledInput]] = {name: [] for name in names}
        self._unwritten: dict[str, deque[tuple[str, int] | None]] = {name: deque() for name in names}
        self._last: dict[str, dict[str, int]] = {name: {} for name in names}
        self._sent: dict[str, Cursor] = {}
        self._rows: list[tuple[str, int]] = []
        self._row_last: dict[str, int] = {}
        self._keeper = ""

    # -- bus.simulation.process.Watcher --

    def refused(self, process: Process, item: RefusedBody) -> None:
        """A message that was really said has a body that its receiver refuses."""
        who = process.seat.instance
        _fail("bounded", f"{who} refuses {item.kind} {_text(item.ref)}: {item.reason}")

    def handled(self, process: Process, event: Input, body: bytes, now_ns: int) -> None:
        """Each message once, in order, and to a dreamer nothing but the hint."""
        me = process.seat.instance
        self.trace.step(me, process.epoch, process.step, now_ns, body)
        if not isinstance(event, Received):
            self._unwritten[me].append(None)
            return
        ref, message = event
        sender = ref.sender
        if process.seat.role == "dreamer":
            _check_hint(me, event)
        index = self._follow(self._chains[sender, me], me, ref, self.company.name_of(message), self._last[me])
        self._unwritten[me].append((sender, index))

    def written(self, process: Process, news: list[Written]) -> None:
        """From now on these messages must arrive, unless power fails before the sync."""
        me, waiting, inputs = process.seat.instance, self._unwritten[process.seat.instance], None
        for step, number, _, _ in news:
            at, cause = StepPosition(process.epoch, number), waiting.popleft()
            if cause is not None:
                inputs = inputs or self._inputs[me]
                inputs.append(HandledInput(at, *cause))
            if step.record.outgoing:
                self._say(me, step, at, cause)
                self._check_origins(process, step)

    def committed(self, process: Process) -> None:
        """What the store has committed is what was said, once, in order; its cursors are where its data is."""
        archive = self.company.archive
        if archive is None:
            return
        me = self._keeper = process.seat.instance
        for at in range(len(self._rows), archive.count()):
            ref, name = archive.taken(at)
            index = self._follow(self._chains[ref.sender, me], f"the store of {me}", ref, name, self._row_last)
            self._rows.append((ref.sender, index))
        for sender, cursor in archive.cursors().items():
            if archive.covers(sender):
                data = self._chains[sender, me].position(self._row_last.get(sender, NOTHING))
                if cursor != data:
                    _fail("cursor", f"the store of {me} has data of {sender} up to {_at(data)}, cursor {_at(cursor)}")

    def restored(self, process: Process, found: Restored) -> None:
        """The restored cursors are where the restored state is."""
        me, archive = process.seat.instance, self.company.archive
        self.cut_bytes += found.history.cut_bytes
        self._unwritten[me].clear()
        has_store = process.execution.actor.store is not None
        if has_store:
            self.committed(process)
        journalled = {entry.sender: entry.place for entry in self._inputs[me]}
        known = self._last[me] = dict(self._row_last) if has_store else journalled
        for sender in process.intake.streams:
            if has_store and archive is not None and not archive.covers(sender):
                known[sender] = journalled.get(sender, NOTHING)
            data = self._chains[sender, me].position(known.get(sender, NOTHING))
            cursor = found.cursors.get(sender, Cursor(0, 0))
            if cursor != data and (cursor > data or not self.losses.messages):
                _fail("cursor", f"{me} is restored with data of {sender} up to {_at(data)}, cursor {_at(cursor)}")
        if found.divergences and not self.losses.messages:
            _fail("repeat", f"{me} repeats {found.divergences} steps up to {_at(found.history.last)} differently")

    # -- the world's side --

    def sent(self, sender: str, epoch: int, seq: int) -> None:
        """A message has left."""
        self._sent[sender] = Cursor(epoch, seq)

    def power_cut(self, cuts: dict[str, Cut]) -> None:
        """Frames that are gone: what they said need not arrive, what they had handled may be handled again."""
        self.losses.power_cuts += 1
        for name, (lost, has_hole) in cuts.items():
            if has_hole:
                _fail("hole", f"the journal of {name} has lost {_at(lost[0].at)}, and not what was written after it")
            if lost:
                self._forget(name, {frame.at for frame in lost})
        archive = self.company.archive
        if archive is not None:
            del self._rows[archive.count() :]
            self._row_last = dict(self._rows)

    def finish(self, complaints: Sequence[str]) -> None:
        """Everything that was said and not lost has been handled, and every request was answered."""
        for (sender, receiver), chain in self._chains.items():
            last = chain.last()
            done = self._last[receiver].get(sender, NOTHING)
            if last > done:
                missing = chain.gap(done, last + 1) or chain.said[last]
                _fail("delivery", f"{missing.kind} {_text(missing.ref)} never reached {receiver}{_hint(complaints)}")
            if receiver == self._keeper and self.company.archive is not None and self.company.archive.covers(sender):
                missing_row = chain.gap(self._row_last.get(sender, NOTHING), last + 1)
                if missing_row is not None:
                    _fail("exactly once", f"{missing_row.kind} {_text(missing_row.ref)} is not in the store")
        for (sender, receiver), chain in self._chains.items():
            self._check_answers(sender, receiver, chain)

    # -- inside --

    def _follow(self, chain: Chain, who: str, ref: MessageRef, name: str, last: dict[str, int]) -> int:
        """The index of a message, which must be the next one after `last`; moves `last`."""
        index = chain.index.get((ref, name))
        if index is None:
            _fail("exactly once", f"{who} has {_text(ref)} ({name}), which was never said to it")
        before = last.get(ref.sender, NOTHING)
        if index <= before:
            _fail("exactly once", f"{who} has {chain.said[index].kind} {_text(ref)} twice")
        if index != before + 1:
            skipped = chain.gap(before, index)
            if skipped is not None:
                _fail("exactly once", f"{who} has {_text(ref)}, but not {skipped.kind} {_text(skipped.ref)} before it")
        last[ref.sender] = index
        return index

    def _say(self, me: str, step: Step, at: StepPosition, cause: tuple[str, int] | None) -> None:
        sends = iter(step.outcome.sends)
        body, name = None, ""
        for out in step.record.outgoing:
            if out.body != body:
                body, name = out.body, self.company.name_of(next(sends).message)
            ref = MessageRef(me, at.epoch, out.seq)
            self._chains[me, out.receiver].add(Said(ref, name, out.kind, at, self.now_ns, cause))

    def _check_origins(self, process: Process, step: Step) -> None:
        for out in step.record.outgoing:
            for ref in out.origins:
                if ref is not None and not MemoryPayloads(process.journals).holds(ref):
                    text = f"{process.seat.instance} names the payload of {_text(ref)}, which no journal holds"
                    _fail("payload", text)

    def _forget(self, me: str, lost: set[StepPosition]) -> None:
        first = min(lost)
        self._inputs[me] = [entry for entry in self._inputs[me] if entry.at not in lost]
        for (sender, _), chain in self._chains.items():
            at = len(chain.said) - 1
            while sender == me and at >= 0 and chain.said[at].at >= first:
                if chain.said[at].at in lost and at not in chain.lost:
                    chain.lost.add(at)
                    self._count_loss(chain.said[at])
                at -= 1

    def _count_loss(self, said: Said) -> None:
        losses, age_ns = self.losses, self.now_ns - said.written_ns
        losses.messages += 1
        losses.oldest_ns = max(losses.oldest_ns, age_ns)
        if said.ref[1:] <= self._sent.get(said.ref.sender, (0, 0)):
            losses.sent += 1
            if self.is_power_safe:
                _fail("sync before send", f"{said.kind} {_text(said.ref)} was sent and then lost by a power cut")
        if age_ns > self.window_ns:
            _fail("window", f"a power cut took {_text(said.ref)}, written {age_ns / 1e6:.1f} ms before")

    def _check_answers(self, sender: str, receiver: str, chain: Chain) -> None:
        back = self._chains[receiver, sender]
        heard = {entry.place for entry in self._inputs[sender] if entry.sender == receiver}
        answered = {said.cause for at, said in enumerate(back.said) if at not in back.lost or at in heard}
        handled = {entry.place for entry in self._inputs[receiver] if entry.sender == sender}
        for at, said in enumerate(chain.said):
            if said.kind not in self.company.requests or at in chain.lost or (sender, at) in answered:
                continue
            if at in handled or not self.losses.messages:
                _fail("answer", f"{said.kind} {_text(said.ref)} was never answered")
            self.losses.unanswered += 1


def _check_hint(me: str, event: Received) -> None:
    message = event.message
    if not isinstance(message, BiasProfile):
        _fail("the law", f"{me} was handed {message.kind} {_text(event.ref)}; a dreamer hears BiasProfile alone")
    shares = (*message.chroma_prior, *message.entropy_window, message.hue_concentration)
    if len(message.exemplars) > MAX_EXEMPLARS or not all(0.0 <= share <= 1.0 for share in shares):
        _fail("bounded", f"{me} was handed a profile out of bounds: {_text(event.ref)}")


def _fail(invariant: str, text: str) -> NoReturn:
    raise InvariantBroken(invariant, text)


def _text(ref: MessageRef) -> str:
    return "/".join(map(str, ref))


def _at(position: Cursor | StepPosition) -> str:
    return f"{position[0]}/{position[1]}"


def _hint(complaints: Sequence[str]) -> str:
    return f" ({complaints[-1]})" if complaints else ""
