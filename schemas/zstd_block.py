"""Blocks of a zstd frame, read without the zstandard package (RFC 8878, section 3.1.1.2).

In: block after block of one frame. Out: the content so far, in `Content`. Refused with `FrameError` or `CodeError`:
what is no block, and what would make more than is allowed.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.entropy_codes import (
    BackwardBits,
    FseTable,
    HuffmanTable,
    build_table,
    decode_huffman,
    read_huffman,
    read_shares,
)

MAX_BLOCK_BYTES: Final = 128 * 1024
STORED, REPEATED, COMPRESSED = 0, 1, 2
"""Types of blocks; of literals, too."""


class FrameError(ValueError):
    """The bytes are not one frame of zstd."""


class Code(NamedTuple):
    """One of the three numbers of a sequence: what its symbols stand for, and how their shares are told."""

    bases: tuple[int, ...]
    extra_bits: tuple[int, ...]
    max_accuracy: int
    shares: tuple[int, ...]
    """Where the block tells none."""
    accuracy: int


_LITERAL_BITS: Final = (*(0,) * 16, 1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17))
_MATCH_BITS: Final = (*(0,) * 32, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17))
LITERALS: Final = Code(
    tuple(sum(1 << bits for bits in _LITERAL_BITS[:code]) for code in range(25)) + tuple(1 << n for n in range(6, 17)),
    _LITERAL_BITS,
    9,
    (4, 3, *(2,) * 11, 1, 1, 1, *(2,) * 9, 3, 2, *(1,) * 5, *(-1,) * 4),
    6,
)
MATCHES: Final = Code(
    tuple(3 + sum(1 << bits for bits in _MATCH_BITS[:code]) for code in range(43))
    + tuple((1 << n) + 3 for n in range(7, 17)),
    _MATCH_BITS,
    9,
    (1, 4, 3, *(2,) * 6, *(1,) * 37, *(-1,) * 7),
    6,
)
OFFSETS: Final = Code(
    tuple(1 << code for code in range(32)),
    tuple(range(32)),
    8,
    (*(1,) * 6, 2, 2, 2, *(1,) * 15, *(-1,) * 5),
    5,
)


class Content:
    """The content of a frame so far, and what blocks hand on to the next."""

    def __init__(self, max_bytes: int) -> None:
        self.found = bytearray()
        self._max_bytes = max_bytes
        self._huffman: HuffmanTable | None = None
        self._tables: dict[Code, FseTable] = {}
        self._recent = (1, 4, 8)

    def add(self, kind: int, block: bytes, size: int) -> None:
        """Append what a block holds."""
        if kind == COMPRESSED:
            self._add_compressed(block)
        elif kind == STORED:
            self.found += block
        elif kind == REPEATED:
            self.found += block * size
        else:
            raise FrameError("a block of a later version of zstd")
        self._check()

    def _check(self) -> None:
        if len(self.found) > self._max_bytes:
            raise FrameError(f"more than {self._max_bytes} bytes of content")

    def _add_compressed(self, block: bytes) -> None:
        literals, at = self._read_literals(block)
        begun, used = len(self.found), 0
        for skipped, length, told in self._read_sequences(block[at:]):
            offset = self._offset(told, skipped)
            self.found += literals[used : used + skipped]
            used += skipped
            if not 0 < offset <= len(self.found) or used > len(literals):
                raise FrameError("a repetition of what is not there")
            if len(self.found) - begun + length > MAX_BLOCK_BYTES:
                raise FrameError("a block with too much content")
            self._repeat(offset, length)
            self._check()
        self.found += literals[used:]

    def _repeat(self, offset: int, length: int) -> None:
        first = len(self.found) - offset
        pattern = self.found[first : first + length]
        self.found += (pattern * (length // len(pattern) + 1))[:length]

    def _read_literals(self, block: bytes) -> tuple[bytes, int]:
        """The literals of a block, and where its sequences begin."""
        kind, form = block[0] & 3, (block[0] >> 2) & 3
        if kind in {STORED, REPEATED}:
            width, shift = ((1, 3), (2, 4), (1, 3), (3, 4))[form]
            size = int.from_bytes(block[:width], "little") >> shift
            taken = size if kind == STORED else 1
            found = block[width : width + taken] if kind == STORED else block[width : width + 1] * size
            at, is_whole = width + taken, len(block) >= width + taken
        else:
            width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
            told = int.from_bytes(block[:width], "little") >> 4
            size, taken = told & ((1 << bits) - 1), told >> bits
            at, is_whole = width + taken, len(block) >= width + taken
            found = self._decode_literals(block[width:at], size, has_table=kind == COMPRESSED, is_single=form == 0)
        if not is_whole or size > MAX_BLOCK_BYTES:
            raise FrameError("literals that are cut short, or too many")
        return found, at

    def _decode_literals(self, data: bytes, size: int, *, has_table: bool, is_single: bool) -> bytes:
        if has_table:
            self._huffman, taken = read_huffman(data)
            data = data[taken:]
        if self._huffman is None:
            raise FrameError("literals under a table that was never told")
        if is_single:
            return bytes(decode_huffman(self._huffman, data, size))
        ends, at = [], 6
        for number in range(3):
            at += int.from_bytes(data[2 * number : 2 * number + 2], "little")
            ends.append(at)
        part = (size + 3) // 4
        spans = zip((6, *ends), (*ends, len(data)), (part, part, part, size - 3 * part), strict=True)
        return b"".join(decode_huffman(self._huffman, data[first:end], count) for first, end, count in spans)

    def _read_sequences(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        """Of each sequence: literals to copy, length of the repetition, and the number that tells its offset."""
        count, at = _count(data)
        if count == 0:
            if len(data) != at:
                raise FrameError("bytes after a block without sequences")
            return
        modes, at = data[at], at + 1
        tables = []
        for code, mode in zip((LITERALS, OFFSETS, MATCHES), (modes >> 6, modes >> 4 & 3, modes >> 2 & 3), strict=True):
            self._tables[code], taken = self._read_table(code, mode, data[at:])
            tables.append(self._tables[code])
            at += taken
        stream = BackwardBits(data[at:])
        of_literals, of_offsets, of_matches = tables
        literal, offset, match = (stream.read(table.accuracy) for table in tables)
        for left in range(count - 1, -1, -1):
            told = _number(OFFSETS, of_offsets.symbols[offset], stream)
            length = _number(MATCHES, of_matches.symbols[match], stream)
            skipped = _number(LITERALS, of_literals.symbols[literal], stream)
            if left:
                literal = of_literals.bases[literal] + stream.read(of_literals.bits[literal])
                match = of_matches.bases[match] + stream.read(of_matches.bits[match])
                offset = of_offsets.bases[offset] + stream.read(of_offsets.bits[offset])
            if stream.left < 0:
                raise FrameError("sequences that are cut short")
            yield skipped, length, told
        if stream.left:
            raise FrameError("bits after the last sequence")

    def _read_table(self, code: Code, mode: int, data: bytes) -> tuple[FseTable, int]:
        """The table of `code` in this block, and the bytes that tell it."""
        match mode:
            case 0:
                return build_table(code.shares, code.accuracy), 0
            case 1:
                return FseTable.of_one(data[0]), 1
            case 2:
                shares, accuracy, taken = read_shares(data, code.max_accuracy, len(code.bases))
                return build_table(shares, accuracy), taken
        if code not in self._tables:
            raise FrameError("sequences under a table that was never told")
        return self._tables[code], 0

    def _offset(self, told: int, skipped: int) -> int:
        """The distance that `told` stands for: a new one, or one of the last three."""
        first, second, third = self._recent
        if told > 3:
            self._recent = (told - 3, first, second)
            return told - 3
        choice = told - (1 if skipped else 0)
        if choice == 0:
            return first
        found = (first, second, third, first - 1)[choice]
        self._recent = (found, first, third if choice == 1 else second)
        return found


def _count(data: bytes) -> tuple[int, int]:
    """The number of sequences, and the bytes that tell it."""
    if data[0] < 128:
        return data[0], 1
    if data[0] < 255:
        return ((data[0] - 128) << 8) + data[1], 2
    return data[1] + (data[2] << 8) + 0x7F00, 3


def _number(code: Code, symbol: int, stream: BackwardBits) -> int:
    return code.bases[symbol] + stream.read(code.extra_bits[symbol])
