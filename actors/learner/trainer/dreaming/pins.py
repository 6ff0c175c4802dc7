"""The dreams of a run, pinned: what was asked, what the pool had seen, which dreams came, and the dreams themselves.

In: queries with their answers and tensors. Out: bytes that a run keeps beside its manifest, and `Pins` from them: a
pool that grows, or is gone, changes nothing. The digest covers queries, seeds, pool sequences, ids and the SHA-256 of
every tensor. Refused: a file that is altered in any byte, tensors that are not what their hash says.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgpack
from pydantic import Field, ValidationError

from schemas.base import Colour, Count, Record
from schemas.dreams import Ancestor
from schemas.errors import OneirosError, TensorRefusedError
from schemas.ids import UuidText
from schemas.tensor import Shape, Tensor, decode, encode

MAGIC: Final = b"oneiros pinned dreams 1\n"
HASH_BYTES: Final = 32


class PinsRefusedError(OneirosError):
    """Pinned dreams cannot be used; the text is the reason."""

    is_permanent = True


class PinnedQuery(Record):
    """One question to the pool, and what it had seen when it answered."""

    query_id: UuidText
    mode: str
    """As `dreams.query`."""
    signature: Colour
    k: Count
    seed: Count
    exploration: float
    pool_sequence: Count
    entry_ids: tuple[UuidText, ...]
    """The whole answer, in its order."""


class PinnedDream(Record):
    """One dream of an answer that may be learnt from."""

    dream_id: UuidText
    query_id: UuidText
    tensor_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    shape: Shape
    ancestry: tuple[Ancestor, ...]


class PinHead(Record):
    """All but the tensors."""

    queries: tuple[PinnedQuery, ...]
    dreams: tuple[PinnedDream, ...]
    left_out: dict[str, Count]
    """Reason to dreams of the answers that are not used."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Dreams in order, with their tensors."""

    head: PinHead
    tensors: tuple[Tensor, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the head, in hex; the tensors are in it by their hashes."""
        return hashlib.sha256(_head_bytes(self.head)).hexdigest()

    @property
    def pool_sequence(self) -> int:
        """Number of the last dream that any of the answers could see."""
        return max((query.pool_sequence for query in self.head.queries), default=0)

    def to_bytes(self) -> bytes:
        """The file."""
        blobs = [encode(tensor)[0] for tensor in self.tensors]
        body: bytes = msgpack.packb([_head_bytes(self.head), blobs])
        return MAGIC + hashlib.sha256(body).digest() + body


def pins_from(content: bytes) -> Pins:
    """What `Pins.to_bytes` gave; raises PinsRefusedError."""
    start = len(MAGIC) + HASH_BYTES
    if not content.startswith(MAGIC):
        raise PinsRefusedError("pinned dreams: the file is no file of dreams")
    if hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]:
        raise PinsRefusedError("pinned dreams: the file was altered or cut, its SHA-256 does not fit")
    try:
        head_bytes, blobs = msgpack.unpackb(content[start:])
        head = PinHead.model_validate_json(head_bytes)
        tensors = tuple(
            decode(blob, dream.shape, bytes.fromhex(dream.tensor_sha256))
            for dream, blob in zip(head.dreams, blobs, strict=True)
        )
    except (ValueError, TypeError, ValidationError, TensorRefusedError) as error:
        raise PinsRefusedError(f"pinned dreams: the file is whole but of another make ({error})") from error
    return Pins(head, tensors)


def _head_bytes(head: PinHead) -> bytes:
    tree: Any = head.model_dump(mode="json")
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
