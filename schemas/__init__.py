"""The messages, settings and shared records of Oneiros: pure data, knowing nothing else of the project.

Every name in `__all__` can be imported from here. A name's module is loaded when the name is first used, so that a
process which needs one error class does not pay for numpy and thirty models.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from schemas.base import Message, Payload, Record
    from schemas.bias import BiasProfile, BinWeight, Exemplar, SeedWeights
    from schemas.catalogue import CATALOGUE, MESSAGES
    from schemas.control import Failed, Figure, Heartbeat, Ready, Stopped, Traffic
    from schemas.dreams import Ancestor, DreamEntry, DreamFacts
    from schemas.errors import OneirosError, SchemaError, SettingsError, TensorRefusedError
    from schemas.feedback import (
        ArmResult,
        EpochReport,
        FeedbackBatch,
        FeedbackReceipt,
        FeedbackRecord,
        FeedbackStored,
        Kpis,
        RefusedFeedback,
        StoredFeedback,
    )
    from schemas.inputs import Factoid, InputSet, Picture
    from schemas.manifest import Fingerprint, RunManifest, Seat
    from schemas.pool import AdoptDream, PinDreams
    from schemas.retrieval import (
        BatchRequest,
        LearningBatch,
        PoolStats,
        PoolStatsRequest,
        RequestRefused,
        RetrievalQuery,
        RetrievalStats,
        RetrievedEntry,
        RetrievedSet,
        SkippedEntry,
    )
    from schemas.settings import EngineSettings

__all__ = [
    "CATALOGUE",
    "MESSAGES",
    "AdoptDream",
    "Ancestor",
    "ArmResult",
    "BatchRequest",
    "BiasProfile",
    "BinWeight",
    "DreamEntry",
    "DreamFacts",
    "EngineSettings",
    "EpochReport",
    "Exemplar",
    "Factoid",
    "Failed",
    "FeedbackBatch",
    "FeedbackReceipt",
    "FeedbackRecord",
    "FeedbackStored",
    "Figure",
    "Fingerprint",
    "Heartbeat",
    "InputSet",
    "Kpis",
    "LearningBatch",
    "Message",
    "OneirosError",
    "Payload",
    "Picture",
    "PinDreams",
    "PoolStats",
    "PoolStatsRequest",
    "Ready",
    "Record",
    "RefusedFeedback",
    "RequestRefused",
    "RetrievalQuery",
    "RetrievalStats",
    "RetrievedEntry",
    "RetrievedSet",
    "RunManifest",
    "SchemaError",
    "Seat",
    "SeedWeights",
    "SettingsError",
    "SkippedEntry",
    "Stopped",
    "StoredFeedback",
    "TensorRefusedError",
    "Traffic",
]

_NAMES_OF: Final = {
    "base": ("Message", "Payload", "Record"),
    "bias": ("BiasProfile", "BinWeight", "Exemplar", "SeedWeights"),
    "catalogue": ("CATALOGUE", "MESSAGES"),
    "control": ("Failed", "Figure", "Heartbeat", "Ready", "Stopped", "Traffic"),
    "dreams": ("Ancestor", "DreamEntry", "DreamFacts"),
    "errors": ("OneirosError", "SchemaError", "SettingsError", "TensorRefusedError"),
    "feedback": (
        "ArmResult",
        "EpochReport",
        "FeedbackBatch",
        "FeedbackReceipt",
        "FeedbackRecord",
        "FeedbackStored",
        "Kpis",
        "RefusedFeedback",
        "StoredFeedback",
    ),
    "inputs": ("Factoid", "InputSet", "Picture"),
    "manifest": ("Fingerprint", "RunManifest", "Seat"),
    "pool": ("AdoptDream", "PinDreams"),
    "retrieval": (
        "BatchRequest",
        "LearningBatch",
        "PoolStats",
        "PoolStatsRequest",
        "RequestRefused",
        "RetrievalQuery",
        "RetrievalStats",
        "RetrievedEntry",
        "RetrievedSet",
        "SkippedEntry",
    ),
    "settings": ("EngineSettings",),
}


def __getattr__(name: str) -> object:
    for module, names in _NAMES_OF.items():
        if name in names:
            return getattr(import_module(f"schemas.{module}"), name)
    raise AttributeError(f"module 'schemas' has no attribute {name!r}")
