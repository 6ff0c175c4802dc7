"""zstd without its package: every frame that the package writes is read, and what is none is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import zstandard

from schemas import compression
from schemas.compression import CompressionError
from schemas.errors import TensorRefusedError
from schemas.tensor import decode, encode
from schemas.zstd_block import FrameError
from schemas.zstd_frame import decompress, read_head, store

SHAPE = (24, 16, 4)
SEED = 11


def noise(generator: np.random.Generator, size: int) -> bytes:
    return generator.bytes(size)


def tensors(generator: np.random.Generator, size: int) -> bytes:
    return np.clip(generator.normal(0.5, 0.2, size // 4), 0.0, 1.0).astype("<f4").tobytes()


def few_values(generator: np.random.Generator, size: int) -> bytes:
    return generator.geometric(0.3, size).astype(np.uint8).tobytes()


def words(generator: np.random.Generator, size: int) -> bytes:
    chosen = generator.choice(["red ", "green ", "blue, ", "of the hue ", "\x00\x7f"], size // 4)
    return "".join(chosen).encode()[:size]


def one_value(generator: np.random.Generator, size: int) -> bytes:
    return bytes([int(generator.integers(256))]) * size


def frame_of(content: bytes, level: int = 1, **parameters: bool) -> bytes:
    return zstandard.ZstdCompressor(level=level, **parameters).compress(content)


@pytest.mark.parametrize("level", [-5, 1, 3, 19])
@pytest.mark.parametrize("kind", [noise, tensors, few_values, words, one_value])
def test_every_frame_of_the_package_is_read(kind: Callable[[np.random.Generator, int], bytes], level: int) -> None:
    generator = np.random.Generator(np.random.Philox(SEED))

    for size in (0, 1, 7, 300, 5_000, 200_000):
        content = kind(generator, size)
        assert decompress(frame_of(content, level), size) == content, size
        assert decompress(frame_of(content, level, write_checksum=True, write_content_size=False), size) == content


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1])
def test_the_package_reads_what_is_stored(size: int) -> None:
    content = np.random.Generator(np.random.Philox(SEED)).bytes(size)

    frame = store(content)

    assert zstandard.decompress(frame) == decompress(frame, size) == content
    assert read_head(frame).content_bytes == zstandard.frame_content_size(frame) == size


@pytest.mark.parametrize("kind", [tensors, few_values, words])
def test_damage_is_refused_or_gives_other_bytes_and_nothing_else(kind) -> None:
    generator = np.random.Generator(np.random.Philox(SEED))
    content = kind(generator, 3_000)
    frame = frame_of(content, 3)

    refused = 0
    for _ in range(600):
        damaged = bytearray(frame)
        damaged[int(generator.integers(len(frame)))] ^= 1 << int(generator.integers(8))
        try:
            assert len(decompress(bytes(damaged), len(content))) <= len(content)
        except FrameError:
            refused += 1

    assert refused > 0


@pytest.mark.parametrize("cut", [0, 3, 5, 9, 40, -1])
def test_a_frame_that_is_cut_short_is_refused(cut: int) -> None:
    frame = frame_of(tensors(np.random.Generator(np.random.Philox(SEED)), 3_000))

    with pytest.raises(FrameError):
        decompress(frame[:cut], 3_000)


def test_bytes_after_the_frame_are_refused() -> None:
    with pytest.raises(FrameError, match="bytes follow the frame"):
        decompress(frame_of(b"dream") + b"\0", 5)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = frame_of(bytes(50_000_000), write_content_size=False)

    with pytest.raises(FrameError, match="more than 1000 bytes"):
        decompress(bomb, 1_000)


def test_a_frame_that_announces_another_size_is_refused() -> None:
    frame = bytearray(store(b"dream"))
    frame[5] += 1

    with pytest.raises(FrameError, match="5 bytes of content, 6 were announced"):
        decompress(bytes(frame), 6)


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that has no zstandard."""
    monkeypatch.setattr(compression, "has_package", False)


def test_a_tensor_is_the_same_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = np.random.Generator(np.random.Philox(SEED)).random((*SHAPE, 3), dtype=np.float32)
    blob, digest = encode(tensor)
    monkeypatch.setattr(compression, "has_package", False)
    plain, same = encode(tensor)

    assert same == digest
    for found in (decode(blob, SHAPE, digest), decode(memoryview(plain), SHAPE, digest)):
        np.testing.assert_array_equal(found, tensor)


@pytest.mark.usefixtures("without_package")
@pytest.mark.parametrize("blob", [b"", b"not zstd", store(b"dream"), store(bytes(24 * 16 * 4 * 12))[:-1]])
def test_what_is_no_tensor_is_refused_without_the_package(blob: bytes) -> None:
    with pytest.raises(TensorRefusedError):
        decode(blob, SHAPE, bytes(32))


@pytest.mark.parametrize("has_package", [True, False])
def test_both_ways_refuse_by_the_same_error(monkeypatch: pytest.MonkeyPatch, has_package: bool) -> None:
    monkeypatch.setattr(compression, "has_package", has_package)

    for frame in (b"not zstd at all", store(b"dream") + b"\0", store(b"dream")[:-1]):
        with pytest.raises(CompressionError):
            compression.decompress(frame, 5)
    assert compression.content_bytes(frame_of(b"dream", write_content_size=False)) is None
