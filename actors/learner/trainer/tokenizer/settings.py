"""The settings of the tokenizers that are shipped.

In: the section `tokenizer` of a training configuration. Out: frozen settings. Refused: unknown keys, a tag that is not
in its normal form or is there twice, a patch of nothing.
"""

import unicodedata
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.base import Record

MEDICAL_TAGS: Final = (
    "<CR>", "<CT>", "<DX>", "<MG>", "<MR>", "<NM>", "<OPT>", "<PET>", "<SM>", "<US>", "<XA>",
    "<axial>", "<coronal>", "<sagittal>",
    "<left>", "<right>", "<bilateral>",
    "<lesion>", "<mass>", "<nodule>", "<oedema>", "<effusion>", "<fracture>", "<calcification>",
    "<benign>", "<malignant>", "<normal>", "<uncertain>",
)  # fmt: skip
"""Modalities as DICOM abbreviates them, planes, sides, findings, verdicts."""


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(tags)) != len(tags):
        raise ValueError("a tag is there twice")
    for tag in tags:
        try:
            is_normal = unicodedata.is_normalized("NFC", tag)
            tag.encode()
        except UnicodeEncodeError:
            is_normal = False
        if not is_normal:
            raise ValueError(f"tag {tag!r} is not in Unicode normal form NFC")
    return tags


class NoTokenizerSettings(Record):
    """Pixels go to the model as they are."""

    kind: Literal["none"] = "none"


class TextSettings(Record):
    """Text as merged bytes with tags; see `tokenizer.text`."""

    kind: Literal["text"] = "text"
    tags: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given),
        AfterValidator(_tags),
        Field(max_length=4096),
    ] = MEDICAL_TAGS
    """Words that are one token each, in order of their ids."""
    merges: Annotated[int, Field(ge=0, le=65_536)] = 256
    """So many of the shipped merges are used; 0 leaves bytes."""


class ChromaticSettings(Record):
    """Images as patches of a named colour with what is left; see `tokenizer.chromatic`."""

    kind: Literal["chromatic"] = "chromatic"
    patch: Annotated[int, Field(ge=1, le=256)] = 4
    """Side of a patch, pixels."""
