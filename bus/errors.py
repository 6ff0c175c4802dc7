"""The bus branch of the error tree."""

from pathlib import Path

from schemas.errors import OneirosError


class BusError(OneirosError):
    """Root of what can go wrong between actors."""


class DecodeError(BusError):
    """Bytes from outside are not the message that they claim to be."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(f"{kind}: {reason}")


class EndpointError(BusError):
    """A socket cannot be where it has to be."""

    is_permanent = True


class SeatError(BusError):
    """A seat cannot be taken, or is no longer ours."""

    is_permanent = True


class StartError(BusError):
    """What an actor is told at its start is not there, or not what it says."""

    is_permanent = True


class JournalError(BusError):
    """A journal cannot be written or read."""


class JournalFullError(JournalError):
    """The disk took only part of a frame; the journal was cut back to its last whole frame."""

    def __init__(self, segment: Path, reason: str) -> None:
        self.segment = segment
        self.reason = reason
        super().__init__(f"cannot append to {segment.name}: {reason}; free some space on its disk")


class MissingInputError(JournalError):
    """A journalled step names a message that its sender's journal no longer holds."""

    def __init__(self, reference: str, reason: str) -> None:
        self.reference = reference
        self.reason = reason
        super().__init__(f"input {reference} cannot be read back: {reason}")
