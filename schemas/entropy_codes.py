"""The two codes of a zstd block, read without the zstandard package: Huffman and FSE (RFC 8878, section 4).

In: bytes of one section of a block. Out: tables and symbols. Refused with `CodeError`: a table that does not add up, a
stream that ends too early or too late, more symbols than were announced.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_HUFFMAN_BITS: Final = 11
MAX_WEIGHTS: Final = 255
MAX_WEIGHT_ACCURACY: Final = 6
CHUNK_BYTES: Final = 64
"""Bits are shifted out of integers of about this size: longer ones shift slower, shorter ones are made more often."""


class CodeError(ValueError):
    """A stream is no such code."""


class BackwardBits:
    """Bits that are read from the end of `data` to its beginning; what lies before the beginning reads as 0."""

    def __init__(self, data: bytes) -> None:
        if not data or data[-1] == 0:
            raise CodeError("a bit stream without its end mark")
        self._data = data
        self.left = len(data) * 8 - 9 + data[-1].bit_length()
        """Bits not yet read; below 0 when more were asked for."""

    def read(self, count: int) -> int:
        """The next `count` bits, at most 56."""
        self.left -= count
        if self.left < 0:
            missing = min(count, -self.left)
            return (int.from_bytes(self._data[:8], "little") & ((1 << (count - missing)) - 1)) << missing
        first = self.left >> 3
        window = int.from_bytes(self._data[first : first + 8], "little")
        return (window >> (self.left & 7)) & ((1 << count) - 1)


class FseTable(NamedTuple):
    """What each state stands for, and how the next one is found."""

    accuracy: int
    symbols: Sequence[int]
    bits: Sequence[int]
    bases: Sequence[int]

    @classmethod
    def of_one(cls, symbol: int) -> "FseTable":
        """The table that knows one symbol alone."""
        return cls(0, (symbol,), (0,), (0,))


def read_shares(data: bytes, max_accuracy: int, max_symbols: int) -> tuple[list[int], int, int]:
    """The shares of symbols at the beginning of `data`, their accuracy, and the bytes that they take."""
    bits, at = int.from_bytes(data[: 2 * max_symbols], "little"), 4
    accuracy = (bits & 15) + 5
    if accuracy > max_accuracy:
        raise CodeError(f"accuracy {accuracy}, at most {max_accuracy} is allowed")
    left, shares = 1 << accuracy, list[int]()
    while left > 0:
        width = (left + 1).bit_length()
        value, low = (bits >> at) & ((1 << width) - 1), (1 << (width - 1)) - 1
        spare = (1 << width) - 2 - left
        if value & low < spare:
            value, width = value & low, width - 1
        elif value > low:
            value -= spare
        at += width
        shares.append(value - 1)
        left -= abs(value - 1)
        while value == 1:
            repeats = (bits >> at) & 3
            at += 2
            shares.extend([0] * repeats)
            if repeats < 3:
                break
        if len(shares) > max_symbols:
            raise CodeError(f"{len(shares)} symbols, at most {max_symbols} are allowed")
    if left < 0 or (at + 7) // 8 > len(data):
        raise CodeError("shares that do not add up")
    return shares, accuracy, (at + 7) // 8


def build_table(shares: Sequence[int], accuracy: int) -> FseTable:
    """The table for `shares` of 2^accuracy; -1 is a share of less than one."""
    size = 1 << accuracy
    symbols, following = [0] * size, list(map(abs, shares))
    end = size
    for symbol, share in enumerate(shares):
        if share == -1:
            end -= 1
            symbols[end] = symbol
    step, at = (size >> 1) + (size >> 3) + 3, 0
    for symbol, share in enumerate(shares):
        for _ in range(max(share, 0)):
            symbols[at] = symbol
            at = (at + step) % size
            while at >= end:
                at = (at + step) % size
    bits, bases = [0] * size, [0] * size
    for state, symbol in enumerate(symbols):
        following[symbol] += 1
        bits[state] = accuracy + 1 - (following[symbol] - 1).bit_length()
        bases[state] = ((following[symbol] - 1) << bits[state]) - size
    return FseTable(accuracy, symbols, bits, bases)


class HuffmanTable(NamedTuple):
    """Symbol and length of the code that begins with each `bits` bits."""

    bits: int
    symbols: bytes
    lengths: bytes


def read_huffman(data: bytes) -> tuple[HuffmanTable, int]:
    """The Huffman table at the beginning of `data`, and the bytes that it takes."""
    head = data[0] if data else 0
    size = head if head < 128 else (head - 126) // 2
    described = data[1 : 1 + size]
    if not described or len(described) < size:
        raise CodeError("a Huffman table that is cut short")
    if head < 128:
        return _huffman(_read_weights(described)), 1 + size
    return _huffman([nibble for byte in described for nibble in (byte >> 4, byte & 15)][: head - 127]), 1 + size


def _read_weights(data: bytes) -> list[int]:
    """The weights that two FSE states take turns to tell."""
    shares, accuracy, size = read_shares(data, MAX_WEIGHT_ACCURACY, MAX_WEIGHTS)
    table, stream = build_table(shares, accuracy), BackwardBits(data[size:])
    one, other = stream.read(accuracy), stream.read(accuracy)
    weights = list[int]()
    while len(weights) <= MAX_WEIGHTS:
        weights.append(table.symbols[one])
        following = table.bases[one] + stream.read(table.bits[one])
        if stream.left < 0:
            return [*weights, table.symbols[other]]
        one, other = other, following
    raise CodeError(f"more than {MAX_WEIGHTS} Huffman weights")


def _huffman(weights: list[int]) -> HuffmanTable:
    total = sum(1 << weight >> 1 for weight in weights)
    bits = total.bit_length()
    rest = (1 << bits) - total
    if total == 0 or bits > MAX_HUFFMAN_BITS or rest & (rest - 1) or len(weights) > MAX_WEIGHTS:
        raise CodeError("Huffman weights that do not add up")
    told = [*weights, rest.bit_length()]
    symbols, lengths = bytearray(), bytearray()
    for weight in range(1, bits + 1):
        for symbol in (symbol for symbol, found in enumerate(told) if found == weight):
            symbols += bytes([symbol]) * (1 << weight >> 1)
            lengths += bytes([bits + 1 - weight]) * (1 << weight >> 1)
    return HuffmanTable(bits, bytes(symbols), bytes(lengths))


def decode_huffman(table: HuffmanTable, data: bytes, size: int) -> bytearray:
    """The `size` symbols of one stream."""
    stream, found = BackwardBits(data), bytearray()
    padded, left = b"\0\0" + data, stream.left + 16  # two bytes of 0 before the beginning, for the last peeks
    bits, symbols, lengths = table
    mask, floor = (1 << bits) - 1, 16
    while left > floor and len(found) <= size:
        end = (left + 7) >> 3
        first = max(0, end - CHUNK_BYTES)
        chunk, at = int.from_bytes(padded[first:end], "little"), left - first * 8 - bits
        until = max(floor - first * 8 - bits, -1)
        while at > until:
            code = (chunk >> at) & mask
            found.append(symbols[code])
            at -= lengths[code]
        left = at + first * 8 + bits
    if left != floor or len(found) != size:
        raise CodeError(f"a Huffman stream of {len(found)} symbols where {size} were announced")
    return found
