"""Messages are frozen, strict and closed (design, section 3; style, rule 4)."""

import pickle

import pytest
from pydantic import ValidationError

from schemas import CATALOGUE, MESSAGES, Message
from schemas.base import MAX_PAYLOAD_BYTES
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry
from schemas.retrieval import RetrievalQuery

KINDS = sorted(CATALOGUE)


def fields_of(message: Message) -> dict[str, object]:
    return dict(message.__dict__)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_equals_one_made_from_its_own_fields(kind, examples):
    message = examples[kind]

    assert type(message).model_validate(fields_of(message)) == message


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_has_a_default(kind):
    assert all(field.is_required() for field in CATALOGUE[kind].model_fields.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_field_is_refused_by_name(kind, examples):
    for name in CATALOGUE[kind].model_fields:
        fields = fields_of(examples[kind])
        del fields[name]

        with pytest.raises(ValidationError, match=name):
            CATALOGUE[kind].model_validate(fields)


@pytest.mark.parametrize("kind", KINDS)
def test_an_extra_field_is_refused(kind, examples):
    fields = fields_of(examples[kind]) | {"stowaway": 1}

    with pytest.raises(ValidationError, match="stowaway"):
        CATALOGUE[kind].model_validate(fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_a_foreign_type_is_refused(kind, examples):
    for name in CATALOGUE[kind].model_fields:
        with pytest.raises(ValidationError, match=name):
            CATALOGUE[kind].model_validate(fields_of(examples[kind]) | {name: object()})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_float_is_ever_nan_or_infinite(kind, value, examples):
    floats = [name for name, given in fields_of(examples[kind]).items() if isinstance(given, float)]
    for name in floats:
        with pytest.raises(ValidationError, match=r"finite|less than|greater than"):
            CATALOGUE[kind].model_validate(fields_of(examples[kind]) | {name: value})


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_never_read_from_text_or_booleans(kind, examples):
    numbers = [name for name, given in fields_of(examples[kind]).items() if type(given) in (int, float)]
    for name in numbers:
        for foreign in ("1", True):
            with pytest.raises(ValidationError, match=name):
                CATALOGUE[kind].model_validate(fields_of(examples[kind]) | {name: foreign})


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_cannot_be_changed(kind, examples):
    name = next(iter(CATALOGUE[kind].model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(examples[kind], name, getattr(examples[kind], name))


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_survives_a_change_of_process(kind, examples):
    assert pickle.loads(pickle.dumps(examples[kind])) == examples[kind]


def test_a_kind_is_the_name_of_its_class_and_stands_for_one_class():
    assert [cls.kind for cls in MESSAGES] == [cls.__name__ for cls in MESSAGES]
    assert len(CATALOGUE) == len(MESSAGES)


def test_payload_fields_are_fields():
    for cls in MESSAGES:
        assert set(cls.payload_fields) <= set(cls.model_fields)


@pytest.mark.parametrize("blob", ["text", 1, None, bytes(MAX_PAYLOAD_BYTES + 1)])
def test_a_payload_that_is_no_buffer_or_too_large_is_refused(blob, examples):
    with pytest.raises(ValidationError, match="a payload"):
        DreamEntry.model_validate(fields_of(examples["DreamEntry"]) | {"tensor_blob": blob})


def test_a_payload_may_be_a_view_of_a_received_frame(examples):
    entry = DreamEntry.model_validate(fields_of(examples["DreamEntry"]) | {"tensor_blob": memoryview(b"abc")})

    assert bytes(entry.tensor_blob) == b"abc"


@pytest.mark.parametrize("k", [0, -1, 4097, 2.0])
def test_a_query_for_an_impossible_number_of_dreams_is_refused(k, examples):
    with pytest.raises(ValidationError, match="k"):
        RetrievalQuery.model_validate(fields_of(examples["RetrievalQuery"]) | {"k": k})


@pytest.mark.parametrize("decay", [-0.1, float("nan"), float("inf")])
def test_a_negative_or_non_finite_decay_is_refused(decay, examples):
    # design, 5.3
    with pytest.raises(ValidationError, match="recency_decay"):
        RetrievalQuery.model_validate(fields_of(examples["RetrievalQuery"]) | {"recency_decay": decay})


@pytest.mark.parametrize("signature", [(0.5, 0.5), (0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 1.5), (0.5, 0.5, -0.1)])
def test_a_signature_is_three_numbers_in_the_unit_range(signature, examples):
    # design, 5.1
    with pytest.raises(ValidationError, match="query_signature"):
        RetrievalQuery.model_validate(fields_of(examples["RetrievalQuery"]) | {"query_signature": signature})


def test_a_profile_whose_window_is_upside_down_is_refused(examples):
    # seed 000, section 3.7; design, 5.10
    with pytest.raises(ValidationError, match="entropy window"):
        BiasProfile.model_validate(fields_of(examples["BiasProfile"]) | {"entropy_window": (0.6, 0.5)})


def test_a_profile_whose_seed_weights_do_not_sum_to_one_is_refused(examples):
    # seed 000, section 6: normalized utility by source type
    weights = examples["BiasProfile"].seed_weights.__dict__ | {"random_weight": 0.5}

    with pytest.raises(ValidationError, match="sum to"):
        BiasProfile.model_validate(fields_of(examples["BiasProfile"]) | {"seed_weights": weights})
