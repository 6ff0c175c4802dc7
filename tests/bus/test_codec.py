"""The codec: bytes from outside become a valid message or a refusal that names the fault, and nothing else."""

import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import MAX_BODY_BYTES, decode_body, encode_body, pack, payloads_of, unpack
from bus.envelope import MAX_ENVELOPE_BYTES, Envelope, decode_envelope, encode_envelope
from bus.errors import DecodeError
from bus.frame import Frame, FrameKind
from bus.step import MAX_EPOCH, MAX_SEQ, StepRecord, decode_step, encode_step
from schemas.base import Message
from schemas.bias import BiasProfile
from schemas.catalogue import CATALOGUE
from schemas.dreams import DreamEntry
from schemas.retrieval import LearningBatch, PoolStatsRequest, RetrievalQuery

ENVELOPE = Envelope("PoolStatsRequest", 1, "learner", 1, 2, 1, 1, 5, "", 0, 0, 1, 99)


def query_fields(some_id: str) -> dict[str, object]:
    return {
        "query_id": some_id,
        "k": 8,
        "mode": "mixed",
        "query_signature": (0.1, 0.2, 0.3),
        "min_coherence": None,
        "max_entropy": None,
        "recency_decay": 0.02,
        "allow_duplicates": False,
        "seed": 1,
        "as_of_ns": 1,
        "alpha": 0.6,
        "exploration": 0.0,
    }


def test_a_message_survives_its_bytes(some_id: str) -> None:
    message = RetrievalQuery.model_validate(query_fields(some_id))

    assert decode_body(RetrievalQuery, encode_body(message)) == message


def test_a_payload_travels_beside_the_body(dream: DreamEntry) -> None:
    body = encode_body(dream)

    assert dream.tensor_blob not in body
    assert decode_body(DreamEntry, body, payloads_of(dream)) == dream


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("k", 0, "k"),
        ("k", -3, "k"),
        ("k", 10**9, "k"),
        ("recency_decay", -0.1, "recency_decay"),
        ("recency_decay", math.nan, "recency_decay"),
        ("alpha", math.inf, "alpha"),
        ("mode", "hnsw", "mode"),
        ("query_signature", (0.1, 0.2), "query_signature"),
        ("query_id", "not-an-id", "query_id"),
        ("allow_duplicates", 1, "allow_duplicates"),
    ],
)
def test_a_bad_query_is_refused_by_the_name_of_its_field(some_id: str, field: str, value: object, named: str) -> None:
    fields = query_fields(some_id) | {field: value}
    with pytest.raises(DecodeError, match=named):
        decode_body(RetrievalQuery, msgpack.packb(fields))


def test_missing_and_extra_fields_are_refused() -> None:
    with pytest.raises(DecodeError, match="request"):
        decode_body(PoolStatsRequest, pack({}))
    with pytest.raises(DecodeError, match="surprise"):
        decode_body(PoolStatsRequest, pack({"request": 1, "surprise": 2}))


@pytest.mark.parametrize("kind", sorted(kind for kind, cls in CATALOGUE.items() if cls.is_private))
def test_what_is_said_to_a_friend_is_never_quoted_in_a_refusal(kind: str, examples: dict[str, Message]) -> None:
    # issue 7: no friend text in ordinary logs, and refusals are one
    fields = unpack(encode_body(examples[kind]))
    spoilt = {name: "a secret" if isinstance(value, str) else ["a secret"] for name, value in fields.items()}

    with pytest.raises(DecodeError) as caught:
        decode_body(CATALOGUE[kind], pack({**spoilt, "a": "secret"}))

    assert "secret" not in str(caught.value)
    assert next(iter(fields)) in str(caught.value)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(DecodeError, match="not one msgpack map"):
        decode_body(PoolStatsRequest, pack({"request": 1}) + b"\x00")


def test_an_oversized_body_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match=f"limit is {MAX_BODY_BYTES}"):
        decode_body(PoolStatsRequest, bytes(MAX_BODY_BYTES + 1))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_body(PoolStatsRequest, b"\x81\xa7request" + b"\x91" * 100_000 + b"\x01")


def test_payloads_that_do_not_belong_are_refused(dream: DreamEntry) -> None:
    with pytest.raises(DecodeError, match="carries 2 payloads"):
        decode_body(DreamEntry, encode_body(dream), (b"a", b"b"))
    with pytest.raises(DecodeError, match="carries 1 payloads, none"):
        decode_body(PoolStatsRequest, pack({"request": 1}), (b"a",))


def test_a_tensor_inside_the_body_is_refused(dream: DreamEntry) -> None:
    fields = dict(dream.__dict__)

    with pytest.raises(DecodeError, match="payloads travel as frames"):
        decode_body(DreamEntry, pack(fields), (b"a",))


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(DecodeError, match="newer than the known version"):
        decode_body(PoolStatsRequest, pack({"request": 1}), version=2)


def test_an_envelope_survives_its_bytes() -> None:
    assert decode_envelope(encode_envelope(ENVELOPE)) == ENVELOPE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pack([]),
        pack({"kind": "x"}),
        pack((*ENVELOPE[:-1], "text")),
        pack((*ENVELOPE, 1)),
        pack((*ENVELOPE[:3], -1, *ENVELOPE[4:])),
        pack((*ENVELOPE[:3], MAX_EPOCH + 1, *ENVELOPE[4:])),
        pack((*ENVELOPE[:4], MAX_SEQ + 1, *ENVELOPE[5:])),
        pack((*ENVELOPE[:12], 2**63)),
        encode_envelope(ENVELOPE) + b"\x00",
        bytes(MAX_ENVELOPE_BYTES + 1),
        pack((*ENVELOPE[:1], True, *ENVELOPE[2:])),
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_envelope(data)


def test_whoever_is_taken_at_its_word_can_be_journalled() -> None:
    largest = ENVELOPE._replace(epoch=MAX_EPOCH, seq=MAX_SEQ)

    taken = decode_envelope(encode_envelope(largest))
    body, _ = encode_step(StepRecord(taken.ref, b"", (), None))

    assert decode_step(Frame(FrameKind.STEP, 1, 0, body, memoryview(b""), 0, len(body))).event == taken.ref


@given(st.binary(max_size=200), st.sampled_from(sorted(CATALOGUE)))
def test_random_bytes_never_raise_anything_but_a_refusal(data: bytes, kind: str) -> None:
    for decode in (decode_envelope, unpack, lambda raw: decode_body(CATALOGUE[kind], raw, (raw,))):
        try:
            decode(data)
        except DecodeError:
            continue


def test_profile_with_hidden_knobs_is_refused(some_id: str) -> None:
    # seed 000, section 13: no direct control of the dreamer
    fields = {
        "profile_id": some_id,
        "updated_at_ns": 1,
        "chroma_prior": (0.5, 0.5, 0.5),
        "hue_concentration": 0.0,
        "entropy_window": (0.0, 1.0),
        "seed_weights": {
            "factoid_weight": 0.25,
            "image_weight": 0.25,
            "pool_seed_weight": 0.25,
            "random_weight": 0.25,
        },
        "bins": (),
        "chroma_bins": 24,
        "exemplars": (),
        "feedback_total": 0,
    }
    assert isinstance(decode_body(BiasProfile, pack(fields)), BiasProfile)

    with pytest.raises(DecodeError, match="rate_hz"):
        decode_body(BiasProfile, pack(fields | {"rate_hz": 100}))


def test_a_batch_keeps_ids_and_tensors_aligned(some_id: str) -> None:
    batch = LearningBatch(
        query_id=some_id,
        entry_ids=(some_id,),
        shapes=((4, 4, 1),),
        tensor_sha256s=(bytes(32),),
        tensors=(b"blob",),
        labels=None,
        skipped=(),
    )

    assert decode_body(LearningBatch, encode_body(batch), payloads_of(batch)) == batch
