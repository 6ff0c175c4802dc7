"""Chromatic tensors as bytes: lossless, verified, and refused when they are anything else."""

import hashlib

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import MAX_PAYLOAD_BYTES
from schemas.errors import TensorRefusedError
from schemas.settings import TensorSettings
from schemas.tensor import MAX_RAW_BYTES, decode, encode, raw_size

SHAPE = (4, 5, 2)


def tensor_of(shape=SHAPE, seed=1):
    return np.random.default_rng(seed).random((*shape, 3), dtype=np.float32)


def refusal_of(tensor) -> str:
    with pytest.raises(TensorRefusedError) as refused:
        encode(tensor)
    return refused.value.reason


def test_identity_is_the_sha256_of_the_raw_little_endian_buffer():
    # seed 000, section 3.1; design, 5.15
    tensor = tensor_of()

    _, sha256 = encode(tensor)

    assert sha256 == hashlib.sha256(tensor.astype("<f4").tobytes(order="C")).digest()


def test_identity_of_a_known_tensor_never_changes():
    # seed 000, section 9, versioning: stored hashes stay true
    tensor = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3) / 32

    _, sha256 = encode(tensor)

    assert sha256.hex() == "cbf73404e8776a7d2fd3460b2ef3793e40de2643170eeeac3dbbd14e92511d7a"


@given(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)), st.integers(0, 2**32 - 1))
def test_round_trip_is_lossless_for_any_shape(shape, seed):
    # seed 000, section 11: tensor deserialization lossless, hash matches
    tensor = tensor_of(shape, seed)

    blob, sha256 = encode(tensor)

    np.testing.assert_array_equal(decode(blob, shape, sha256), tensor)


@pytest.mark.parametrize("shape", [(32, 32, 4), (64, 64, 8)])
def test_round_trip_is_lossless_at_the_shapes_in_use(shape):
    # design, 5.15
    tensor = tensor_of(shape)

    blob, sha256 = encode(tensor)

    assert len(zstandard.decompress(blob)) == raw_size(shape)
    np.testing.assert_array_equal(decode(blob, shape, sha256), tensor)


def test_a_view_that_is_not_contiguous_has_the_identity_of_its_copy():
    tensor = tensor_of((4, 4, 2)).transpose(1, 0, 2, 3)

    assert encode(tensor)[1] == encode(tensor.copy(order="C"))[1]


def test_the_smallest_subnormal_and_both_ends_survive():
    tensor = np.zeros((1, 1, 1, 3), dtype=np.float32)
    tensor[0, 0, 0] = (np.float32(1e-45), 0.0, 1.0)

    blob, sha256 = encode(tensor)

    assert decode(blob, (1, 1, 1), sha256).tobytes() == tensor.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.001, 1.001])
def test_values_that_are_no_colours_are_refused(value):
    tensor = tensor_of()
    tensor[1, 2, 0, 1] = value

    assert "finite values in [0, 1] are required" in refusal_of(tensor)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 5, 3), np.float32), "[rows, cols, layers, 3] is required"),
        (np.zeros((4, 5, 2, 4), np.float32), "[rows, cols, layers, 3] is required"),
        (np.zeros((4, 5, 2, 3), np.float64), "float32 is required"),
        (np.zeros((0, 5, 2, 3), np.float32), "empty"),
        (np.zeros((1, 1025, 1, 3), np.float32), "over the limit"),
        (np.zeros((1, 1, 65, 3), np.float32), "over the limit"),
    ],
)
def test_arrays_of_another_kind_are_refused(array, reason):
    assert reason in refusal_of(array)


def test_another_sha256_is_refused():
    # seed 000, section 9: verify tensor_sha256 on deserialize; reject on mismatch
    blob, sha256 = encode(tensor_of())

    with pytest.raises(TensorRefusedError, match="sha256"):
        decode(blob, SHAPE, bytes([sha256[0] ^ 1]) + sha256[1:])


def test_bytes_after_the_frame_are_refused():
    blob, sha256 = encode(tensor_of())

    with pytest.raises(TensorRefusedError, match="zstd"):
        decode(blob + b"\0", SHAPE, sha256)


@pytest.mark.parametrize("cut", [0, 1, 8, -1])
def test_a_cut_blob_is_refused(cut):
    blob, sha256 = encode(tensor_of())

    with pytest.raises(TensorRefusedError):
        decode(blob[:cut], SHAPE, sha256)


def test_a_blob_of_another_shape_is_refused():
    blob, sha256 = encode(tensor_of((4, 5, 2)))

    with pytest.raises(TensorRefusedError, match="the blob declares 480"):
        decode(blob, (4, 5, 3), sha256)


def test_a_blob_that_hides_a_bomb_is_refused_before_it_is_unpacked():
    bomb = zstandard.compress(bytes(50_000_000))

    with pytest.raises(TensorRefusedError, match="declares 50000000"):
        decode(bomb, SHAPE, bytes(32))


def test_a_blob_without_its_size_is_refused():
    raw = tensor_of().tobytes()
    blob = zstandard.ZstdCompressor(write_content_size=False).compress(raw)

    with pytest.raises(TensorRefusedError):
        decode(blob, SHAPE, hashlib.sha256(raw).digest())


def test_a_shape_over_the_limit_is_refused_without_looking_at_the_blob():
    with pytest.raises(TensorRefusedError, match="the limit is"):
        decode(b"", (1024, 1024, 64), bytes(32))


def test_not_a_number_hidden_in_a_blob_is_refused():
    tensor = tensor_of()
    tensor[0, 0, 0, 0] = np.nan
    raw = tensor.tobytes()

    with pytest.raises(TensorRefusedError, match="finite"):
        decode(zstandard.compress(raw), SHAPE, hashlib.sha256(raw).digest())


def test_the_largest_tensor_that_can_be_configured_fits_a_payload():
    largest = {
        name: next(limit.le for limit in field.metadata if hasattr(limit, "le"))
        for name, field in TensorSettings.model_fields.items()
    }

    size = raw_size((largest["rows"], largest["cols"], largest["layers"]))

    assert size <= min(MAX_RAW_BYTES, MAX_PAYLOAD_BYTES)
