"""Zstd frames for who has no zstandard package: any frame is read, and a plain one is written (RFC 8878).

In: one frame, and how large its content may be. Out: the content. Python takes much longer for it than the package,
so it is used only where that is missing (`schemas.compression`). What it writes is a frame of stored blocks:
as large as its content, and read by every decoder. Refused with `FrameError`: what is no single frame, one that needs a
dictionary, one whose content is larger than allowed or another than announced. A checksum of the frame's own is passed
over; tensors have their SHA-256.
"""

from typing import Final, NamedTuple

from schemas.entropy_codes import CodeError
from schemas.zstd_block import MAX_BLOCK_BYTES, REPEATED, Content, FrameError

MAGIC: Final = b"\x28\xb5\x2f\xfd"


class Head(NamedTuple):
    """What a frame tells before its blocks."""

    content_bytes: int | None
    size: int
    """Bytes of the head itself."""
    has_checksum: bool


def read_head(frame: bytes) -> Head:
    """The head of `frame`."""
    if frame[:4] != MAGIC or len(frame) < 6:
        raise FrameError("it does not begin as a zstd frame does")
    told = frame[4]
    is_single, dictionary = bool(told & 0x20), told & 3
    if told & 8 or dictionary:
        raise FrameError("it needs a dictionary, or a later version of zstd")
    at = 5 if is_single else 6
    width = (int(is_single), 2, 4, 8)[told >> 6]
    content = int.from_bytes(frame[at : at + width], "little") + (256 if width == 2 else 0) if width else None
    return Head(content, at + width, bool(told & 4))


def decompress(frame: bytes, max_bytes: int) -> bytes:
    """The content of `frame`, at most `max_bytes`; raises FrameError."""
    head = read_head(frame)
    content = Content(max_bytes)
    at, is_last = head.size, False
    try:
        while not is_last:
            told = int.from_bytes(frame[at : at + 3], "little")
            is_last, kind, size = bool(told & 1), (told >> 1) & 3, told >> 3
            taken = 1 if kind == REPEATED else size
            block = frame[at + 3 : at + 3 + taken]
            if size > MAX_BLOCK_BYTES or len(block) < taken or len(frame) < at + 3:
                raise FrameError("a block is cut short, or too large")
            content.add(kind, block, size)
            at += 3 + taken
    except (CodeError, IndexError) as error:
        raise FrameError(f"block at byte {at}: {error}") from error
    if len(frame) != at + (4 if head.has_checksum else 0):
        raise FrameError("bytes follow the frame, or miss at its end")
    if head.content_bytes not in {None, len(content.found)}:
        raise FrameError(f"{len(content.found)} bytes of content, {head.content_bytes} were announced")
    return bytes(content.found)


def store(content: bytes) -> bytes:
    """A frame of stored blocks that holds `content`."""
    head = MAGIC + bytes([0xE0]) + len(content).to_bytes(8, "little")
    blocks = [content[at : at + MAX_BLOCK_BYTES] for at in range(0, len(content), MAX_BLOCK_BYTES)] or [b""]
    told = [(len(block) << 3 | (number == len(blocks))).to_bytes(3, "little") for number, block in enumerate(blocks, 1)]
    return head + b"".join(part for pair in zip(told, blocks, strict=True) for part in pair)
