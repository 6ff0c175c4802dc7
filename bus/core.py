"""What an actor is: a state machine over recorded inputs, and nothing else (design, section 2).

In: one `Input`, being the start of the process, a message, a timer, or an observation of the world. Out: an
`Outcome`: messages to send, timers to set, files to write, things to ask of the world, a refusal, log lines. What the
world answers is an observation again, so that a replay has the answers and needs no world. The same object runs in a
process (`bus.host`), in a replay (`bus.replay`) and in memory (`bus.memory`). A core reads no clock: every step is
given one wall reading, which the journal records. It draws no number but from its `RandomSource`, keyed by purpose
and counter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from bus.randomness import RandomSource
from schemas.base import Message
from schemas.errors import OneirosError


class MessageRef(NamedTuple):
    """The identity of a message: who sent it, in which start of its process, as which number."""

    sender: str
    epoch: int
    seq: int


class Cursor(NamedTuple):
    """The last message accepted from one sender; (0, 0) before the first."""

    epoch: int
    seq: int


class StepPosition(NamedTuple):
    """A step of an actor's journal."""

    epoch: int
    step: int


class Started(NamedTuple):
    """The process has started: state is restored, no timer is pending. The first input of every epoch."""

    epoch: int


class Received(NamedTuple):
    """A message that was accepted in order, exactly once."""

    ref: MessageRef
    message: Message


class Fired(NamedTuple):
    """A timer that the core set has run out."""

    name: str


class Observed(NamedTuple):
    """Something the world answered, recorded byte for byte."""

    name: str
    data: bytes


Input = Started | Received | Fired | Observed


class Send(NamedTuple):
    """A message to send. `to` names an instance; None means every instance that the topology allows."""

    message: Message
    to: str | None = None
    payload_origins: tuple[MessageRef | None, ...] = ()
    """Message of this run that holds payload i already: the journal refers to it instead of storing it twice."""


class SetTimer(NamedTuple):
    """Fire `name` once, `delay_s` seconds from now; setting a pending timer again moves it."""

    name: str
    delay_s: float


class WriteFile(NamedTuple):
    """Replace the file at `path`, relative to home, by `content`: temp, fsync, rename.

    With an `offset`, replace what the file holds from that byte on: a line is appended once, however often it is done.
    """

    path: str
    content: bytes
    offset: int | None = None
    is_private: bool = False
    """Whether nobody but the user may read the file, whatever the process lets be read."""


class Ask(NamedTuple):
    """What the world is to do; begun once the step that asks is journalled, and never for a step that is repeated."""

    name: str
    data: bytes


class Note(NamedTuple):
    """A line for the actor's log."""

    level: Literal["debug", "info", "warning", "error"]
    text: str


@dataclass(slots=True)
class Outcome:
    """What a core decided in one step."""

    sends: list[Send] = field(default_factory=list)
    timers: list[SetTimer] = field(default_factory=list)
    effects: list[WriteFile] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wants_successor: bool = False
    """End this process in order, and have a fresh one go on."""
    refusal: str | None = None
    """Why the input was refused; the host counts it, writes it to the refusals file and shows it in `status`."""

    @property
    def has_consequences(self) -> bool:
        """Whether the host has anything to do beside sending."""
        return bool(self.timers or self.effects or self.asks or self.notes or self.wants_successor)


Scalar = float | int | str | None


class Core(Protocol):
    """The one shape of every actor."""

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input. `now_ns` is the step's wall reading, nanoseconds since the Unix epoch."""

    def snapshot(self) -> bytes:
        """The whole state, such that `restore` in a fresh core continues identically."""

    def restore(self, data: bytes) -> None:
        """Take over the state that `snapshot` gave."""

    def figures(self) -> Mapping[str, Scalar]:
        """Numbers about itself for `stats` and `status`; never part of a decision."""


class StoreFullError(OneirosError):
    """A store has no room, and has rolled back to its last commit; the host waits and starts over from there."""


class DurableState(Protocol):
    """A store that commits the effect of a batch of steps together with the cursors that led there."""

    def position(self) -> StepPosition | None:
        """The last step whose effect is committed; None for a store that this run has not touched."""

    def cursors(self) -> Mapping[str, Cursor]:
        """The committed cursor of every sender of this run."""

    def commit(self, position: StepPosition, cursors: Mapping[str, Cursor]) -> None:
        """Commit everything since the last commit, with `position` and `cursors`, in one transaction."""

    def maintain(self) -> None:
        """Idle-time upkeep, such as folding the write-ahead log in; never changes the content."""

    def close(self) -> None:
        """Release the store; uncommitted work is dropped."""


class World(Protocol):
    """The part of the world that one process deals with. What it begins, it ends."""

    def ask(self, ask: Ask) -> None:
        """Begin it; never blocks, never raises: what cannot be done is an answer, too."""

    def answers(self) -> list[Observed]:
        """What has come since the last call, oldest first; each becomes a journalled step."""

    def fileno(self) -> int:
        """A descriptor that is readable while answers wait."""

    def close(self) -> None:
        """End everything that was begun, before the process leaves."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A core with what belongs to it."""

    core: Core
    randomness: RandomSource
    store: DurableState | None = None
    """For the pool-keeper alone: the store that is part of its state."""
    observations: tuple[Observed, ...] = ()
    """What the world looked like when the run began; handed in once, after the first `Started`."""
    open_world: Callable[[], World] | None = None
    """Opens what `Outcome.asks` go to. A process alone calls it, once, after its state is restored: a replay has no
    world. What was asked of the world of an earlier process went with it; a core asks again when it is started."""
