"""What the user changes in the pool, said by the supervisor in the user's name."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.base import Message, Payload
from schemas.dreams import DreamFacts
from schemas.ids import UuidText

MAX_PINNED = 4096


class PinDreams(Message):
    """Keep dreams from ever being evicted, or let them go again. supervisor -> pool-keeper."""

    dream_ids: Annotated[tuple[UuidText, ...], Field(min_length=1, max_length=MAX_PINNED)]
    is_pinned: bool


class AdoptDream(DreamFacts, Message):
    """A dream of another pool, to be stored in this one. supervisor -> pool-keeper.

    Its facts are those that it had there; ids that the pool gives to other tensors are changed before.
    """

    payload_fields: ClassVar[tuple[str, ...]] = ("tensor_blob",)

    tensor_blob: Payload
    """The raw buffer under zstd."""
