"""Who may say what to whom: the one table (design, section 3).

Sockets, inbox decoders, refusals, diagrams, docs and tests derive from `TOPOLOGY`, and nothing repeats it. Every row
that ends at the dreamer carries BiasProfile; there is no other, by construction, and a test says so.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.base import Message
from schemas.bias import BiasProfile
from schemas.control import Failed, Heartbeat, Ready, Stopped
from schemas.dreams import DreamEntry
from schemas.feedback import EpochReport, FeedbackBatch, FeedbackReceipt, FeedbackStored
from schemas.friend import (
    DialogClose,
    ForgetDialog,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    GenerateLine,
    LineGenerated,
    LineObserved,
    ObserveLine,
    OriginTold,
    PauseFriend,
    SayLine,
    TryDialog,
)
from schemas.night import NightRequest, SnapshotReady, SnapshotRequest
from schemas.persona import (
    CommitReceipt,
    CooldownClaim,
    CooldownReply,
    DialogCommit,
    DialogForgotten,
    FriendState,
    FriendStateRequest,
    PauseNoted,
)
from schemas.pool import AdoptDream, PinDreams
from schemas.regimes import (
    CancelEvaluation,
    CapBreached,
    EvaluateDomain,
    PackWritten,
    SafetyVerdict,
    TrialFinished,
    TrialStarted,
)
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RequestRefused,
    RetrievalQuery,
    RetrievedSet,
)
from schemas.roles import ACTOR_ROLES, Role


class Row(NamedTuple):
    """`sender` may say `message` to `receiver`."""

    sender: Role
    message: type[Message]
    receiver: Role


CONTROL: Final[tuple[type[Message], ...]] = (Ready, Heartbeat, Stopped, Failed)
"""About processes, not about the loop: sent, shown, never journalled."""

TOPOLOGY: Final[tuple[Row, ...]] = (
    Row("dreamer", DreamEntry, "pool-keeper"),
    Row("learner", RetrievalQuery, "pool-keeper"),
    Row("learner", BatchRequest, "pool-keeper"),
    Row("learner", FeedbackBatch, "pool-keeper"),
    Row("learner", EpochReport, "pool-keeper"),
    Row("learner", EpochReport, "friend"),
    Row("learner", PoolStatsRequest, "pool-keeper"),
    Row("pool-keeper", RetrievedSet, "learner"),
    Row("pool-keeper", LearningBatch, "learner"),
    Row("pool-keeper", FeedbackReceipt, "learner"),
    Row("pool-keeper", PoolStats, "learner"),
    Row("pool-keeper", RequestRefused, "learner"),
    Row("pool-keeper", FeedbackStored, "bias-synthesizer"),
    Row("bias-synthesizer", BiasProfile, "dreamer"),
    Row("bias-synthesizer", BiasProfile, "pool-keeper"),
    Row("supervisor", AdoptDream, "pool-keeper"),
    Row("supervisor", PinDreams, "pool-keeper"),
    Row("supervisor", EvaluateDomain, "regime-runner"),
    Row("supervisor", CancelEvaluation, "regime-runner"),
    Row("regime-runner", TrialStarted, "safety-watchdog"),
    Row("regime-runner", TrialFinished, "safety-watchdog"),
    Row("regime-runner", PackWritten, "safety-watchdog"),
    Row("regime-runner", PackWritten, "pool-keeper"),
    Row("regime-runner", PackWritten, "friend"),
    Row("safety-watchdog", SafetyVerdict, "regime-runner"),
    Row("safety-watchdog", CapBreached, "regime-runner"),
    Row("supervisor", SayLine, "friend"),
    Row("supervisor", TryDialog, "friend"),
    Row("supervisor", PauseFriend, "friend"),
    Row("supervisor", ForgetDialog, "friend"),
    Row("friend", FriendStateRequest, "pool-keeper"),
    Row("friend", CooldownClaim, "pool-keeper"),
    Row("friend", DialogCommit, "pool-keeper"),
    Row("friend", PauseNoted, "pool-keeper"),
    Row("friend", DialogForgotten, "pool-keeper"),
    Row("pool-keeper", FriendState, "friend"),
    Row("pool-keeper", CooldownReply, "friend"),
    Row("pool-keeper", CommitReceipt, "friend"),
    Row("field-host", OriginTold, "friend"),
    Row("field-host", FriendOffer, "friend"),
    Row("field-host", LineGenerated, "friend"),
    Row("field-host", LineObserved, "friend"),
    Row("friend", FriendDecline, "field-host"),
    Row("friend", FriendOpen, "field-host"),
    Row("friend", GenerateLine, "field-host"),
    Row("friend", ObserveLine, "field-host"),
    Row("friend", DialogClose, "field-host"),
    Row("supervisor", NightRequest, "nightly-observer"),
    Row("nightly-observer", SnapshotRequest, "pool-keeper"),
    Row("pool-keeper", SnapshotReady, "nightly-observer"),
    *(Row(role, message, "supervisor") for role in ACTOR_ROLES for message in CONTROL),
)


def is_allowed(sender: Role, kind: str, receiver: Role) -> bool:
    """Whether the table holds the row (sender, kind, receiver)."""
    return any(row.sender == sender and row.message.kind == kind and row.receiver == receiver for row in TOPOLOGY)


def accepted_by(receiver: Role) -> dict[tuple[Role, str], type[Message]]:
    """(sender role, kind) -> class, for everything that `receiver` may receive: its inbox decodes nothing else."""
    return {(row.sender, row.message.kind): row.message for row in TOPOLOGY if row.receiver == receiver}


def receivers_of(sender: Role, message: type[Message]) -> tuple[Role, ...]:
    """The roles that `sender` may say `message` to, in table order."""
    return tuple(row.receiver for row in TOPOLOGY if row.sender == sender and row.message is message)


def senders_to(receiver: Role) -> tuple[Role, ...]:
    """The roles that may say anything journalled to `receiver`, in table order, each once."""
    return _unique(row.sender for row in TOPOLOGY if row.receiver == receiver and row.message not in CONTROL)


def peers_of(sender: Role) -> tuple[Role, ...]:
    """The roles that `sender` may say anything to, in table order, each once."""
    return _unique(row.receiver for row in TOPOLOGY if row.sender == sender)


def _unique(roles: Iterable[Role]) -> tuple[Role, ...]:
    return tuple(dict.fromkeys(roles))
