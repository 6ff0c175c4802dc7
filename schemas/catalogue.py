"""Every message there is: kind and version to class, in one closed table."""

import hashlib
import re
from typing import Final

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

MESSAGES: Final[tuple[type[Message], ...]] = (
    AdoptDream,
    BatchRequest,
    BiasProfile,
    CancelEvaluation,
    CapBreached,
    CommitReceipt,
    CooldownClaim,
    CooldownReply,
    DialogClose,
    DialogCommit,
    DialogForgotten,
    DreamEntry,
    EpochReport,
    EvaluateDomain,
    Failed,
    FeedbackBatch,
    FeedbackReceipt,
    FeedbackStored,
    ForgetDialog,
    FriendDecline,
    FriendOffer,
    FriendOpen,
    FriendState,
    FriendStateRequest,
    GenerateLine,
    Heartbeat,
    LearningBatch,
    LineGenerated,
    LineObserved,
    NightRequest,
    ObserveLine,
    OriginTold,
    PackWritten,
    PauseFriend,
    PauseNoted,
    PinDreams,
    PoolStats,
    PoolStatsRequest,
    Ready,
    RequestRefused,
    RetrievalQuery,
    RetrievedSet,
    SafetyVerdict,
    SayLine,
    SnapshotReady,
    SnapshotRequest,
    Stopped,
    TrialFinished,
    TrialStarted,
    TryDialog,
)

ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")

CATALOGUE: Final[dict[str, type[Message]]] = {message.kind: message for message in MESSAGES}


def schema_digest() -> str:
    """SHA-256 over every kind, version, field name and field type: two programs with the same digest speak the same."""
    lines = []
    for cls in MESSAGES:
        fields = ", ".join(f"{name}: {_type_text(field.annotation)}" for name, field in cls.model_fields.items())
        lines.append(f"{cls.kind} {cls.version} ({fields})")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _type_text(annotation: object) -> str:
    """The type as it is written, without where this process has its parts in memory."""
    return ADDRESS.sub("", repr(annotation))
