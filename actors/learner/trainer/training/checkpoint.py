"""A checkpoint: everything that a run needs to go on as if it had never stopped, in one container of our own.

In: a header of plain values and named float32 arrays. Out: bytes, the same for the same run at the same step: a magic
line, the length of the header, the header as msgpack, the arrays in its order, SHA-256 over all of that. No clock, no
path, no pickle. Refused on the way in: another type than float32. Refused on the way back: a file that is short, long
or altered in any byte, that comes from another format or another configuration.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np

from actors.learner.trainer.model.parameters import F32
from schemas.errors import OneirosError

MAGIC: Final = b"ONEIROS CHECKPOINT 1\n"
LENGTH: Final = struct.Struct("<Q")
DIGEST_BYTES: Final = 32
DTYPE: Final = "<f4"


class CheckpointRefusedError(OneirosError):
    """A checkpoint cannot be used; `reason` says why."""

    is_permanent = True

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = str(path)
        self.reason = reason
        super().__init__(f"checkpoint {self.path}: {reason}")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the arrays."""

    config_hash: str
    step: int
    """Steps taken."""
    epoch: int
    """Of the next step, from 0."""
    batch: int
    """Of the next step, from 0."""
    log_rows: int
    """Rows of the step log that are part of this state."""
    log_digest: str
    loss_total: float
    """Of the epoch so far, with what the sum has lost to rounding and the weight of its examples."""
    loss_lost: float
    loss_weight: float
    first_loss: float | None
    """Mean loss of the first batch."""
    optimizer_kind: str
    optimizer_steps: int
    generators: tuple[tuple[str, tuple[int, ...], str], ...]
    """Name, counters and seed of each generator that the next step begins with."""
    fingerprint: tuple[tuple[str, str], ...]
    """What decided the bits so far."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A header, and arrays by name."""

    header: Header
    model: Mapping[str, F32]
    optimizer: Mapping[str, F32]


def pack(checkpoint: Checkpoint) -> bytes:
    """The bytes of `checkpoint`; raises ValueError for an array that is not float32."""
    arrays = _named(checkpoint)
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise ValueError(f"{name} is {array.dtype}; a checkpoint holds float32 alone")
    table = [[name, DTYPE, list(array.shape)] for name, array in arrays.items()]
    head: bytes = msgpack.packb({**asdict(checkpoint.header), "arrays": table})
    parts: list[bytes | memoryview] = [MAGIC, LENGTH.pack(len(head)), head]
    parts += [np.ascontiguousarray(array, dtype=DTYPE).reshape(-1).data.cast("B") for array in arrays.values()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"".join([*parts, digest.digest()])


def unpack(content: bytes, path: Path | str) -> Checkpoint:
    """What `pack` packed, read from `path`; raises CheckpointRefusedError."""
    if not content.startswith(MAGIC):
        raise CheckpointRefusedError(path, "is no checkpoint of this version; name a file that ends in .ckpt")
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise CheckpointRefusedError(path, "was altered or cut: its SHA-256 does not fit; go on from an older one")
    try:
        (size,) = LENGTH.unpack_from(body, len(MAGIC))
        start = len(MAGIC) + LENGTH.size
        head = msgpack.unpackb(body[start : start + size])
        model, optimizer = _arrays(head.pop("arrays"), body[start + size :])
        return Checkpoint(_header(head), model, optimizer)
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise CheckpointRefusedError(path, f"is whole but of another make ({error})") from error


def read(path: Path) -> Checkpoint:
    """The checkpoint in the file at `path`; raises CheckpointRefusedError."""
    try:
        return unpack(path.read_bytes(), path)
    except OSError as error:
        raise CheckpointRefusedError(path, f"cannot be read ({error.strerror or error})") from error


def _named(checkpoint: Checkpoint) -> dict[str, F32]:
    model = {f"model/{name}": array for name, array in checkpoint.model.items()}
    return model | {f"optimizer/{name}": array for name, array in checkpoint.optimizer.items()}


def _header(head: dict[str, Any]) -> Header:
    expected = {entry.name for entry in fields(Header)}
    if set(head) != expected:
        raise ValueError(f"header keys {sorted(set(head) ^ expected)}")
    generators = tuple((name, tuple(counters), seed) for name, counters, seed in head.pop("generators"))
    fingerprint = tuple((name, value) for name, value in head.pop("fingerprint"))
    return Header(**head, generators=generators, fingerprint=fingerprint)


def _arrays(table: list[Any], content: bytes) -> tuple[dict[str, F32], dict[str, F32]]:
    found: dict[str, dict[str, F32]] = {"model": {}, "optimizer": {}}
    place = 0
    for name, dtype, shape in table:
        if dtype != DTYPE:
            raise ValueError(f"{name} is {dtype}, not {DTYPE}")
        owner, _, own_name = name.partition("/")
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(DTYPE).itemsize
        if place + size > len(content):
            raise ValueError(f"{name} is cut")
        part = np.frombuffer(content, dtype=DTYPE, count=size // 4, offset=place).astype(np.float32)
        found[owner][own_name] = part.reshape(shape)
        place += size
    if place != len(content):
        raise ValueError(f"{len(content) - place} bytes too many")
    return found["model"], found["optimizer"]
