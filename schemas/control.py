"""What every actor tells the supervisor about itself. Never journalled: it is about the process, not about the loop."""

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Message, Record
from schemas.ids import InstanceText


class Figure(Record):
    """One named number of an actor's own report."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]*$", max_length=64)]
    value: float | int | str | None


class Traffic(Record):
    """Counters of one actor's link since its process started."""

    received: Count
    sent: Count
    recovered: Count
    """Messages read from a sender's journal instead of the socket."""
    duplicates: Count
    dropped: Count
    """Sends that the socket did not take; the receiver reads them from the journal."""
    refused: Count
    damaged: Count
    """Messages lost to a damaged journal."""
    queue: Count
    """Inputs waiting when the heartbeat was sent."""


class Ready(Message):
    """The actor serves its inbox and has repaired its journal. every actor -> supervisor."""

    instance: InstanceText
    epoch: Count
    pid: Count
    step: Count
    recovered_steps: Count
    cut_bytes: Count
    """Bytes of a torn tail that were cut from the previous process's journal."""


class Heartbeat(Message):
    """The main loop turns. every actor -> supervisor, once a second."""

    instance: InstanceText
    epoch: Count
    step: Count
    traffic: Traffic
    figures: Annotated[tuple[Figure, ...], Field(max_length=128)]
    last_refusal: str | None


class Stopped(Message):
    """The actor has closed its journal and leaves. every actor -> supervisor."""

    instance: InstanceText
    epoch: Count
    step: Count


class Failed(Message):
    """The actor cannot go on. every actor -> supervisor."""

    instance: InstanceText
    epoch: Count
    step: Count
    input_reference: str
    reason: str
