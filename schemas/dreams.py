"""What the dreamer says: a finished dream (seed 000, section 3.2; design, 5.7)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import Colour, Digest, Message, Payload, Record, Unit, WallNs
from schemas.ids import UuidText
from schemas.tensor import Shape

Source = Literal["factoid", "image", "pool", "random"]
"""What a dream was seeded from."""

Split = Literal["train", "none"]
"""The split of the data that an ancestor came from; probe and test data are never dreamt of."""


class Ancestor(Record):
    """One thing of the outside world that flowed into a dream."""

    source: Literal["factoid", "image", "random"]
    ancestor_id: UuidText | None
    """Picture or fact id; None for noise."""
    share: Unit
    """Share of the seed tensor; the shares of a dream sum to 1."""
    split: Split


class DreamFacts(Record):
    """What is known of a dream beside its tensor."""

    id: UuidText
    timestamp_ns: WallNs
    source: Source
    factoid_ids: Annotated[tuple[UuidText, ...], Field(max_length=64)]
    image_id: UuidText | None
    parents: Annotated[tuple[UuidText, ...], Field(max_length=8)]
    lineage_root: UuidText
    """Root of the first parent, or the dream itself."""
    generation: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """0 for a dream without parents, else one more than the deepest parent."""
    ancestry: Annotated[tuple[Ancestor, ...], Field(max_length=64)]
    coherence: Unit
    """1 - spectral_entropy (design, 5.2)."""
    energy: Annotated[float, Field(ge=0.0)]
    """Total variation per edge + 0.1 mean((S - 0.5)^2); independent of size."""
    chroma_signature: Colour
    spectral_entropy: Unit
    shape: Shape
    tensor_sha256: Digest
    """SHA-256 of the raw f32 buffer in C order [rows, cols, layers, 3]."""
    metadata_json: Annotated[str, Field(max_length=65536)]
    """JSON object: schema_version, config, source, parents, profile id, definition versions, seed."""
    profile_id: UuidText | None
    """The BiasProfile that shaped the dream; None before the first."""


class DreamEntry(DreamFacts, Message):
    """A dream that passed the coherence gate. dreamer -> pool-keeper."""

    payload_fields: ClassVar[tuple[str, ...]] = ("tensor_blob",)

    tensor_blob: Payload
    """The raw buffer under zstd."""
