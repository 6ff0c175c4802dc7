"""Every message there is: kind and version to class, in one closed table."""

from typing import Final

from schemas.base import Message
from schemas.bias import BiasProfile
from schemas.control import Failed, Heartbeat, Ready, Stopped
from schemas.dreams import DreamEntry
from schemas.feedback import EpochReport, FeedbackBatch, FeedbackReceipt, FeedbackStored
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
    BatchRequest,
    BiasProfile,
    DreamEntry,
    EpochReport,
    Failed,
    FeedbackBatch,
    FeedbackReceipt,
    FeedbackStored,
    Heartbeat,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    Ready,
    RequestRefused,
    RetrievalQuery,
    RetrievedSet,
    Stopped,
)

CATALOGUE: Final[dict[str, type[Message]]] = {message.kind: message for message in MESSAGES}
