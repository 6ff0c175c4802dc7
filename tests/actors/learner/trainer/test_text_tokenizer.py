"""Text comes back in its declared normal form, whatever it is (seed 002, III and VIII; issue 9, must be shown 6)."""

import hashlib
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.learner.trainer.configuration.loading import config_of
from actors.learner.trainer.registry import TOKENIZERS
from actors.learner.trainer.tokenizer import text as text_module
from actors.learner.trainer.tokenizer import vocabulary
from actors.learner.trainer.tokenizer.settings import MEDICAL_TAGS, TextSettings
from actors.learner.trainer.tokenizer.text import (
    TextRefusedError,
    TextTokenizer,
    TokensRefusedError,
    build_text,
    normal_form,
)
from actors.learner.trainer.tokenizer.token_log import token_hash, write_token_log
from actors.learner.trainer.tokenizer.vocabulary import (
    BYTES,
    PATH,
    VocabularyError,
    learn_merges,
    merges_text,
    shipped_merges,
    vocabulary_of,
)
from schemas.errors import SettingsError
from supervisor.inputs import SAMPLE

TOKENIZER = build_text(TextSettings())

ADVERSARIAL = {
    "empty": "",
    "zero character": "a\0b\0",
    "composed": "é Å ﬁ",
    "decomposed": unicodedata.normalize("NFD", "é Å ñ 각"),
    "compatibility forms stay": "ﬁ ① ² ℌ",
    "singletons that NFC changes": "\u212b \u2126 \u0958",
    "emoji with joiners and skin": "👩🏽‍⚕️ 🏳️‍🌈 👨‍👩‍👧‍👦",
    "many marks": "z" + "\u0335\u0301\u0323" * 500,
    "marks out of order": "z\u00e9" + "\u0301" * 300 + "\u0323\u0344\u0f73\u1ebf" * 300 + "\uac00\u11a8\u0345",
    "unknown words": "xqzzt pneumonoultramicroscopicsilicovolcanoconiosis ᚠᛇᚻ",
    "right to left": "שלום \u202eabc\u202c العربية",
    "tags": "<CT><CT> <lesion>x</lesion> <malignant",
    "tag with a mark, which composes": "<CT>\u0338",
    "tag inside a word": "ab<MR>cd<MR",
    "white space": " \t\r\n\u00a0\u2003\u2028  ",
    "control characters": "".join(chr(code) for code in range(32)) + "\x7f\x85",
    "byte order mark": "\ufeffabc\ufffe\uffff",
    "far planes": "\U0001f9ec\U00020000\U0010ffff",
    "one word of 100 kB": "a" * 100_000,
    "100 kB without a space": "ab\u00e9" * 25_000,
    "100 kB of spaces": " " * 100_000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_text_comes_back_in_normal_form(name: str) -> None:
    text = ADVERSARIAL[name]

    back = TOKENIZER.decode(TOKENIZER.encode(text))

    assert back == unicodedata.normalize("NFC", text)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("<>CTMR\u0301\u0338 ")), max_size=60)
)
def test_any_text_comes_back_in_normal_form_and_then_as_it_was(text: str) -> None:
    normal = TOKENIZER.decode(TOKENIZER.encode(text))

    assert normal == unicodedata.normalize("NFC", text)
    assert TOKENIZER.decode(TOKENIZER.encode(normal)) == normal


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.text(
        st.sampled_from("\u0301\u0323\u0327\u0344\u0345\u0f71\u0f72\u0f73\u3099\u0334\uac00\u1100\u1161か"), min_size=64
    )
)
def test_long_runs_of_marks_have_the_normal_form_that_unicode_says(text: str) -> None:
    assert normal_form(text) == unicodedata.normalize("NFC", text)


def test_a_run_of_very_many_marks_is_put_in_order_at_once() -> None:
    low, high = "\u0323" * 200_000, "\u0301" * 200_000

    assert normal_form(f"z{high}{low}") == f"\u1e93{low[1:]}{high}"


def test_ten_thousand_lines_of_random_characters_come_back() -> None:
    codes = np.random.default_rng(6).integers(0, 0x110000 - 0x800, (10_000, 12))
    codes += (codes >= 0xD800) * 0x800  # no surrogates
    lines = ["".join(map(chr, row)) for row in codes.tolist()]

    wrong = [line for line in lines if TOKENIZER.decode(TOKENIZER.encode(line)) != unicodedata.normalize("NFC", line)]

    assert wrong == []


@pytest.mark.parametrize("text", ["ab\ud800", "\udc00x", "x\ud83d\ude00", "\udcff"])
def test_halves_of_surrogate_pairs_are_refused_with_their_place(text: str) -> None:
    place = next(index for index, character in enumerate(text) if 0xD800 <= ord(character) < 0xE000)

    with pytest.raises(TextRefusedError, match=f"character at {place} is U\\+D.*half of a surrogate pair"):
        TOKENIZER.encode(text)


def test_more_text_than_a_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "MAX_CHARACTERS", 10)

    with pytest.raises(TextRefusedError, match="has 11 characters; at most 10"):
        TOKENIZER.encode("a" * 11)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [([65, 10**6], "token 1000000 at 1 is not in the vocabulary"), ([-1], "token -1 at 0"), ([0xC3], "make no text")],
)
def test_tokens_that_are_none_are_refused(tokens: list[int], expected: str) -> None:
    with pytest.raises(TokensRefusedError, match=expected):
        TOKENIZER.decode(tokens)


def test_a_tag_is_one_token_and_frequent_words_are_few() -> None:
    tagged = TOKENIZER.encode("<CT> <lesion>")

    assert len(TOKENIZER.encode("<CT>")) == 1
    assert tagged.tolist()[0] == BYTES + 256 + MEDICAL_TAGS.index("<CT>")
    assert len(TOKENIZER.encode(" the colour of the light")) < len(" the colour of the light") / 2


def test_the_longest_tag_wins_whatever_the_order() -> None:
    tokenizer = TextTokenizer(vocabulary_of((), ("<a>", "<a><b>")))

    assert tokenizer.encode("<a><b><a>").tolist() == [257, 256]


def test_equal_pieces_have_equal_tokens_and_the_vocabulary_never_drifts() -> None:
    before = TOKENIZER.digest
    first = TOKENIZER.encode("new words zyx zyx").tolist()

    other = build_text(TextSettings())

    assert other.encode("new words zyx zyx").tolist() == first
    assert TOKENIZER.digest == before == other.digest
    assert build_text(TextSettings(merges=10)).digest != before
    assert build_text(TextSettings(tags=("<x>",))).digest != before


def test_the_shipped_merges_are_those_of_the_sample_facts() -> None:
    facts = unicodedata.normalize("NFC", (SAMPLE / "factoids.txt").read_text(encoding="utf-8"))

    assert merges_text(learn_merges([facts], 256)) == PATH.read_text(encoding="utf-8")
    assert len(shipped_merges(256)) == 256


def test_merges_that_were_altered_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / PATH.name
    altered.write_bytes(PATH.read_bytes().replace(b"\n", b" ", 1))
    monkeypatch.setattr(vocabulary, "PATH", altered)

    with pytest.raises(VocabularyError, match="is not the file that was shipped"):
        shipped_merges(1)


def test_merges_are_learnt_by_frequency_and_of_equals_the_lowest_first() -> None:
    assert learn_merges(["abab cdcd"], 10) == ((97, 98), (99, 100))
    assert learn_merges(["aaaa aaaa"], 3) == ((97, 97), (256, 256))
    assert learn_merges(["abc"], 5) == ()


def test_a_vocabulary_of_tokens_that_are_not_there_is_refused() -> None:
    with pytest.raises(VocabularyError, match="merge 1 joins 97 and 300"):
        vocabulary_of(((97, 98), (97, 300)), ())
    with pytest.raises(VocabularyError, match="257; 256 are shipped"):
        build_text(TextSettings(merges=257))


@pytest.mark.parametrize("tags", [["<x>", "<x>"], [unicodedata.normalize("NFD", "é")], [""], ["\ud800"]])
def test_tags_that_could_not_come_back_are_refused(tags: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"tokenizer\.tags"):
        config_of(
            {
                "meta": {"name": "a", "seed": 1},
                "data": {"source": "digits"},
                "model": {"kind": "mlp"},
                "optimizer": {"kind": "sgd"},
                "tokenizer": {"kind": "text", "tags": tags},
            }
        )


def test_a_token_log_has_the_hash_of_every_sample_and_no_time() -> None:
    samples = [(hashlib.sha256(text.encode()).digest(), TOKENIZER.encode(text)) for text in ("one", "two", "<CT>")]

    log = write_token_log(TOKENIZER.describe(), samples)
    again = write_token_log(TOKENIZER.describe(), samples)

    assert log == again
    assert hashlib.sha256(log.content).hexdigest() == log.sha256
    lines = log.content.decode().splitlines()
    assert TOKENIZER.digest in lines[0]
    one = b"".join(int(token).to_bytes(4, "little") for token in samples[0][1])
    assert token_hash(samples[0][1]) == hashlib.sha256(one).hexdigest()
    assert [token_hash(tokens) in line for line, (_, tokens) in zip(lines[1:], samples, strict=True)] == [True] * 3
    assert write_token_log(TOKENIZER.describe(), samples[::-1]).sha256 != log.sha256


def test_kinds_are_built_through_the_registry() -> None:
    assert isinstance(TOKENIZERS.build(TextSettings()), TextTokenizer)
    assert Path(PATH).is_file()
