"""Whether the content of recorded messages is what they claim: fields by their schema, tensors by their SHA-256.

In: a recording and one of its messages. Out: what is wrong, or None. This is the slow part of a verification, and is
done on request.
"""

from collections.abc import Iterator

from bus.errors import DecodeError, JournalError
from bus.recording import RecordedMessage, Recording
from schemas.base import Message
from schemas.dreams import DreamEntry
from schemas.errors import TensorRefusedError
from schemas.retrieval import LearningBatch
from schemas.tensor import decode

Held = tuple[bytes, tuple[int, int, int], bytes]
"""Blob, shape and SHA-256 of the raw buffer."""


class ContentCheck:
    """Decodes messages of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __call__(self, message: RecordedMessage) -> str | None:
        """What is wrong with `message`."""
        try:
            for blob, shape, sha256 in _tensors_of(self._recording.decode(message)):
                decode(bytes(blob), shape, sha256)
        except (DecodeError, JournalError, TensorRefusedError) as error:
            return str(error)
        return None


def _tensors_of(message: Message) -> Iterator[Held]:
    match message:
        case DreamEntry():
            yield message.tensor_blob, message.shape, message.tensor_sha256
        case LearningBatch():
            yield from zip(message.tensors, message.shapes, message.tensor_sha256s, strict=False)
