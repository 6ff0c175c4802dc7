"""The bytes of a journal: segment heads and frames, each with length and checksum, and telling torn from damaged.

In: frame parts, or the bytes of a segment file. Out: buffers for one gathered write, or checked frames. A frame
that fails its checksum with no good frame after it is a torn tail; with one after it, it is damage (dossier of
reliability, section 3, trap 4).

The checksum is the CRC-32 of kind, step, wall ns, body and the fold of the payload. The fold of a tensor is two
64-bit sums over its words, plain and weighted by block: a CRC over the tensor itself would cost more than a third
of writing it.
"""

import struct
import zlib
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

MAGIC: Final = b"ONEIROSJ"
FORMAT_VERSION: Final = 1
MARK: Final = b"\xd7\x0e"
MAX_FRAME_BYTES: Final = 512 * 1024 * 1024
MAX_NUMBER: Final = 2**63 - 1
"""Of a step and of a time: what a store can hold."""

BLOCK_BYTES: Final = 4096
"""Payloads shorter than this fold to their CRC-32."""

_HEAD = struct.Struct("<8sHII")
"""Magic, format version, length and CRC-32 of the msgpack map that follows."""
_FRAME = struct.Struct("<2sBBIIIQQ")
"""Mark, kind, zero, body length, payload length, CRC-32, step, wall ns."""
_TAIL = struct.Struct("<QQ")

FRAME_HEADER_BYTES: Final = _FRAME.size


class FrameKind(IntEnum):
    """What a frame holds."""

    STEP = 1
    SNAPSHOT = 2
    NOTE = 3
    CLOSE = 4


class FrameHeader(NamedTuple):
    """The fixed head of a frame."""

    kind: int
    body_bytes: int
    payload_bytes: int
    checksum: int
    step: int
    wall_ns: int

    @property
    def size(self) -> int:
        """Bytes of the whole frame."""
        return FRAME_HEADER_BYTES + self.body_bytes + self.payload_bytes


class Frame(NamedTuple):
    """A frame that passed its checksum."""

    kind: FrameKind
    step: int
    wall_ns: int
    body: bytes
    payload: memoryview
    offset: int
    checksum: int

    @property
    def payload_offset(self) -> int:
        """Where the payload begins in the segment."""
        return self.offset + FRAME_HEADER_BYTES + len(self.body)

    @property
    def end(self) -> int:
        """Where the next frame begins."""
        return self.payload_offset + len(self.payload)


class Fault(NamedTuple):
    """Bytes at `offset` that are not a frame; `is_torn` when nothing good follows them."""

    offset: int
    size: int
    is_torn: bool
    reason: str


def encode_head(body: bytes) -> bytes:
    """The head of a segment around its msgpack `body`."""
    return _HEAD.pack(MAGIC, FORMAT_VERSION, len(body), zlib.crc32(body)) + body


def decode_head(data: bytes) -> tuple[bytes, int] | str:
    """The msgpack body of the head in `data` and the offset of the first frame, or why there is none."""
    if len(data) < _HEAD.size:
        return f"{len(data)} bytes are too few for a segment head"
    magic, version, size, checksum = _HEAD.unpack_from(data)
    if magic != MAGIC:
        return "not a journal segment"
    if version != FORMAT_VERSION:
        return f"journal format {version}, this program reads {FORMAT_VERSION}"
    body = data[_HEAD.size : _HEAD.size + size]
    if len(body) != size or zlib.crc32(body) != checksum:
        return "the segment head fails its checksum"
    return body, _HEAD.size + size


def frame_buffers(
    kind: FrameKind, step: int, wall_ns: int, body: bytes, payloads: tuple[bytes | memoryview, ...] = ()
) -> tuple[list[bytes | memoryview], int, int]:
    """The buffers of one frame for a gathered write, their total size, and the checksum."""
    checksum = zlib.crc32(body, zlib.crc32(_TAIL.pack(step, wall_ns), kind))
    if not payloads:
        whole = _FRAME.pack(MARK, kind, 0, len(body), 0, checksum, step, wall_ns) + body
        return [whole], len(whole), checksum
    payload = payloads[0] if len(payloads) == 1 else b"".join(payloads)
    checksum = zlib.crc32(fold(payload), checksum)
    header = _FRAME.pack(MARK, kind, 0, len(body), len(payload), checksum, step, wall_ns)
    return [header, body, payload], len(header) + len(body) + len(payload), checksum


def fold(payload: bytes | memoryview) -> bytes:
    """Sixteen or four bytes that change with any changed bit of `payload`."""
    count = len(payload) // BLOCK_BYTES
    if count == 0:
        return zlib.crc32(payload).to_bytes(4, "little")
    blocks = np.frombuffer(payload, "<u8", count * BLOCK_BYTES // 8).reshape(count, -1).sum(axis=1, dtype=np.uint64)
    weighted = blocks * np.arange(1, count + 1, dtype=np.uint64)
    rest = zlib.crc32(payload[count * BLOCK_BYTES :])
    return _TAIL.pack(int(blocks.sum(dtype=np.uint64)), int(weighted.sum(dtype=np.uint64)) ^ rest)


def parse_header(data: bytes | memoryview, at: int = 0) -> FrameHeader | None:
    """The frame header at `at`, or None when these bytes cannot be one."""
    mark, kind, zero, body_bytes, payload_bytes, checksum, step, wall_ns = _FRAME.unpack_from(data, at)
    if mark != MARK or zero != 0 or not 1 <= kind <= 4 or body_bytes + payload_bytes > MAX_FRAME_BYTES:
        return None
    if step | wall_ns > MAX_NUMBER:
        return None
    return FrameHeader(kind, body_bytes, payload_bytes, checksum, step, wall_ns)


def is_intact(header: FrameHeader, body: bytes, payload: memoryview) -> bool:
    """Whether `body` and `payload` are what the checksum of `header` says."""
    if len(body) != header.body_bytes or len(payload) != header.payload_bytes:
        return False
    checksum = zlib.crc32(body, zlib.crc32(_TAIL.pack(header.step, header.wall_ns), header.kind))
    if payload:
        checksum = zlib.crc32(fold(payload), checksum)
    return checksum == header.checksum
