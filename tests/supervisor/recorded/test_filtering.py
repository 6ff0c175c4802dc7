"""Filters: what they choose, and how they refuse what they cannot understand."""

import pytest

from supervisor.recorded.filtering import FilterError, parse_filter
from supervisor.recorded.kinds import names_in

FIELDS: dict[str, object] = {
    "k": 8,
    "source": "image",
    "alpha": 0.6,
    "allow_duplicates": False,
    "image_id": None,
    "tensor_sha256": bytes.fromhex("ab" * 32),
    "entries": (
        {"facts": {"id": "a", "coherence": 0.2}, "score": 0.4},
        {"facts": {"id": "b", "coherence": 0.9}, "score": 0.7},
    ),
    "chroma": (0.1, 0.9),
    "stats": {"score": -1.0},
    "note": "two words",
    "number_text": "12",
}


@pytest.mark.parametrize(
    "text",
    [
        "k>4",
        "k == 8",
        "k<=8.0",
        "alpha!=0.5",
        "source==image",
        "source=='image'",
        'note == "two words"',
        "source < imagf",
        "allow_duplicates==false",
        "image_id==none",
        "image_id == null",
        "source!=none",
        "entries[1].score>0.5",
        "entries.score>0.5",
        "entries[0].facts.id==a",
        "coherence>0.8",
        "score<0.5 and score>0.5",
        "chroma[0]<0.2",
        "chroma>0.8",
        "stats.score<0",
        f"tensor_sha256=={'ab' * 32}",
        "number_text==12",
        "k>-1e3 and source==image and alpha>=.5",
    ],
)
def test_filter_chooses(text: str) -> None:
    assert parse_filter(text).fits(FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        "k>8",
        "k!=8",
        "k==image",
        "source==facts",
        "source>4",
        "image_id!=none",
        "image_id>0",
        "entries[0].score>0.5",
        "entries[7].score>0",
        "coherence>0.95",
        "missing==none",
        "allow_duplicates>0",
        "tensor_sha256==ab",
        "k>4 and source==factoid",
        "entries==8",
    ],
)
def test_filter_leaves_out(text: str) -> None:
    assert not parse_filter(text).fits(FIELDS)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "expected the name of a field, found the end"),
        ("k", 2, "expected one of == != <= >= < >, found the end"),
        ("k = 4", 3, "expected one of == != <= >= < >, found '= 4'"),
        ("k>", 3, "expected a value after >, found the end"),
        ("k>4 or k<2", 5, "expected `and` or the end, found 'or k<2'"),
        ("k>4 and", 5, "expected `and` or the end, found 'and'"),
        ("k>4 and ", 9, "expected the name of a field, found the end"),
        ("entries[x].score>1", 8, "expected an index such as [0]"),
        ("entries[-1].score>1", 8, "expected an index such as [0]"),
        ("4>k", 1, "expected the name of a field, found '4>k'"),
        ("k>true", 3, "true is neither more nor less than anything; use == or !="),
        ("__import__('os').x", 11, "expected one of == != <= >= < >, found \"('os').x\""),
        ("source=='image", 9, 'expected a value after ==, found "\'image"'),
    ],
)
def test_filter_that_cannot_be_understood_is_refused_at_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(text)

    assert (refused.value.column, refused.value.reason) == (column, reason)


def test_refusal_points_at_the_place() -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter("k = 4")

    assert str(refused.value).splitlines()[1:] == ["  k = 4", "    ^"]


def test_misspelt_field_is_refused_with_the_nearest_one() -> None:
    known = {kind: names_in(kind) for kind in ("FeedbackBatch", "DreamEntry")}
    parse_filter("utility<0 and coherence>0").check_names(known)

    with pytest.raises(FilterError, match="no field 'utlity' in DreamEntry, FeedbackBatch; did you mean utility") as no:
        parse_filter("coherence>0 and utlity<0").check_names(known)

    assert no.value.column == 17
