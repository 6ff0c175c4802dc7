"""Lines are clean and bounded, and what is secret is not kept."""

import pytest

from actors.friend.redaction import MARK, redact
from actors.friend.words import clamp, clean, overlap, tokens_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b\tc\r\nd", "a b c d"),
        ("a\ud800b\u202ec", "abc"),
        ("  Grüße,  мир!  ", "Grüße, мир!"),
        ("", None),
        ("\x00\x01", None),
        ("?!…", None),
        ("\ud800", None),
    ],
)
def test_a_line_is_one_line_of_visible_characters(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize("text", ["word " * 100_000, "x" * 100_000, "," * 100 + "y" * 99_000, "é" * 50_000])
def test_no_line_is_longer_than_its_bounds(text):
    line = clamp(clean(text) or "", 48, 320)

    assert len(tokens_of(line)) <= 48
    assert len(line) <= 320


def test_a_short_line_is_left_as_it_is():
    assert clamp("Don't stop, it's fine.", 48, 320) == "Don't stop, it's fine."


def test_the_sixth_token_goes_when_five_are_allowed():
    assert clamp("one, two, three four", 5, 320) == "one, two, three"


def test_overlap_counts_words_that_carry_meaning():
    assert overlap("the storm and the salt", frozenset({"storm", "the"})) == 0.5
    assert overlap("and the", frozenset({"the"})) == 0.0


@pytest.mark.parametrize(
    "secret",
    [
        "anna.meyer@example.org",
        "https://intranet.example/x?y=1",
        "www.example.org",
        "/home/anna/diary.txt",
        "C:\\Users\\anna",
        "+49 170 1234567",
        "4111 1111 1111 1111",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "0123456789abcdef0123456789abcdef",
        "password: hunter2",
        "PIN is 4711",
    ],
)
def test_a_secret_is_not_kept(secret):
    kept = redact(f"you said {secret} to me")

    assert secret not in kept
    assert kept.startswith("you said ")
    assert MARK in kept


@pytest.mark.parametrize(
    "line", ["I was born in 1987 and it rained.", "and/or, either way: 12 of 20!", "a well-known man"]
)
def test_plain_words_are_kept(line):
    assert redact(line) == line
