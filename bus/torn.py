"""Telling an unfinished write from damage at the end of an open segment.

In: the bytes after the last good frame of a segment without a closing frame. Out: whether a writer that was killed,
or a machine that lost its power, can have left them: the beginning of a frame, or a frame whose end is zeros. A frame
of full length that fails its checksum is neither, and is damage.
"""

import struct
from pathlib import Path
from typing import Final

from bus.frame import FRAME_HEADER_BYTES, MARK, Fault, encode_head, is_intact, parse_header

HEAD_FIXED_BYTES: Final = len(encode_head(b""))
ZERO_TAIL_BYTES: Final = 8
"""A file that grew before its content reached the disk ends in at least as many zeros."""

_HEAD_LENGTH: Final = struct.Struct("<10xI4x")
_LENGTHS: Final = struct.Struct("<II")
_LENGTHS_AT: Final = len(MARK) + 2


def is_unfinished(fault: Fault, path: Path) -> bool:
    """Whether a writer that was killed, or writes still, can have left the bytes of `fault` in the segment `path`."""
    if not fault.is_torn and fault.offset:
        return False
    with path.open("rb") as file:
        file.seek(fault.offset)
        data = file.read(fault.size)
    return is_torn_frame(data) if fault.offset else is_torn_head(data)


def is_torn_frame(data: bytes) -> bool:
    """Whether `data`, from the first bad byte to the end of the file, is an unfinished write."""
    if len(data) < FRAME_HEADER_BYTES:
        return True
    header = parse_header(data)
    if header is not None and header.size <= len(data):
        return not any(data[max(FRAME_HEADER_BYTES, header.size - ZERO_TAIL_BYTES) : header.size])
    return not _is_whole_but_for_its_header(data)


def is_torn_head(data: bytes) -> bool:
    """Whether `data`, a whole file with a bad segment head, is the unfinished beginning of a segment."""
    if len(data) < HEAD_FIXED_BYTES or not any(data[-ZERO_TAIL_BYTES:]):
        return True
    (declared,) = _HEAD_LENGTH.unpack_from(data)
    return HEAD_FIXED_BYTES + declared > len(data) and MARK not in data


def _is_whole_but_for_its_header(data: bytes) -> bool:
    """Whether `data` is one frame of full length of which mark, kind or a length is wrong."""
    body, payload = _LENGTHS.unpack_from(data, _LENGTHS_AT)
    rest = len(data) - FRAME_HEADER_BYTES
    if body + payload == rest:
        return True
    return any(_is_frame(data, *lengths) for lengths in ((body, rest - body), (rest - payload, payload)))


def _is_frame(data: bytes, body: int, payload: int) -> bool:
    if min(body, payload) < 0:
        return False
    end = _LENGTHS_AT + _LENGTHS.size
    header = parse_header(data[:_LENGTHS_AT] + _LENGTHS.pack(body, payload) + data[end:FRAME_HEADER_BYTES])
    middle = FRAME_HEADER_BYTES + body
    return header is not None and is_intact(header, data[FRAME_HEADER_BYTES:middle], memoryview(data)[middle:])
