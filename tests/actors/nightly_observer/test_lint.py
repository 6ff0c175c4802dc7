"""The lint finds every cause, meaning, conclusion and judgement wherever it stands, and passes what seed 004 passes."""

import itertools

import pytest

from actors.nightly_observer.lint import ENGLISH_WORDS, JAPANESE_WORDS, findings
from actors.nightly_observer.renderer.rendering import TONGUES
from schemas.night_settings import LANGUAGES, Language
from tests.actors.nightly_observer.forbidden_words import JAPANESE, PHRASES, WORDS

SEED_EXAMPLE = """いくつかの記憶が、同時に近づいたり遠ざかったりしている。
似ているものは並び、矛盾する感情は同じ場に存在する。
それらは統合されず、ただ関係だけが浮かび上がる。
物語を完成させる必要はない。
今日、再び触れられた状態たちが
同時に存在している様子を描写せよ。"""
COUNTER_EXAMPLE = (
    "Make a 3-panel map of a walk from the old shop. Panel 1: the anchor wakes the memory of the journey. "
    "Panel 2: you walk past item, relative and norm while confidence grows before any proof from outside. "
    "Panel 3: the father enforces norms; show certainty overtaking validation."
)


def test_the_example_of_the_seed_is_clean():
    assert findings(SEED_EXAMPLE, "ja") == ()


def test_the_prompt_of_the_origin_is_found_in_all_its_kinds():
    kinds = {finding.kind for finding in findings(COUNTER_EXAMPLE, "en")}

    assert {"judgement", "number", "person"} <= kinds


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_template_holds_a_forbidden_word(language: Language):
    texts = list(TONGUES[language].vocabulary.texts())

    assert [(text, found) for text in texts if (found := findings(_blank(text), language))] == []


def test_each_forbidden_word_is_found_in_each_template():
    templates = [_blank(text) for text in TONGUES["en"].vocabulary.texts() if text.endswith(".")]
    words = [word for word in (*WORDS, *PHRASES) if word not in ("percent", "score", "explains")]

    missed = [
        (word, template)
        for word, template in itertools.product(words, templates)
        if not findings(_injected(template, word), "en")
    ]

    assert missed == []


def test_each_forbidden_japanese_word_is_found_in_each_template():
    templates = [_blank(text) for text in TONGUES["ja"].vocabulary.texts() if text.endswith("。")]

    missed = [
        (word, template)
        for word, template in itertools.product(JAPANESE, templates)
        if not findings(template[:-1] + word + template[-1], "ja")
    ]

    assert missed == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The lamp glows BECAUSE of the rain.", "cause"),
        ("The lamp glows bec\u200bause of the rain.", "cause"),
        ("The lamp glows ｂｅｃａｕｓｅ of rain.", "cause"),
        ("It shows\nthat nothing moves.", "meaning"),
        ("A symbolic lamp.", "meaning"),
        ("In   the end the lamp dims.", "conclusion"),
        ("A perfectly healthy lamp.", "judgement"),
        ("A lamp for you.", "person"),
        ("A lamp lit on Tuesday.", "date"),
        ("A lamp of ４ flames.", "number"),
        ("Half of it: 50%.", "number"),
        ("The lamp h:0123456789abcdef01234567 glows.", "id"),
        ("The lamp ca978112 glows.", "id"),
        ("The lamp *** glows.", "id"),
        ("The lamp 灯 glows.", "script"),
    ],
)
def test_spellings_and_shapes_are_seen_through(text: str, kind: str):
    assert kind in {finding.kind for finding in findings(text, "en")}


@pytest.mark.parametrize("text", ["灯の意味を問う。", "三月の灯。", "灯は lamp だ。", "あなたの灯。"])
def test_japanese_spellings_are_found(text: str):
    assert findings(text, "ja")


@pytest.mark.parametrize(
    "text", ["The thrush meandered.", "Mustard on the curtain.", "A bright, upright shoulder.", "The cafe facade."]
)
def test_words_that_only_look_alike_are_let_through(text: str):
    assert findings(text, "en") == ()


def test_list_markers_are_no_numbers():
    assert findings("1. A lamp.\n2) A bowl.\n- A rope.", "en") == ()


def test_the_lists_hold_no_word_twice():
    for words in (ENGLISH_WORDS, JAPANESE_WORDS):
        all_of_them = " ".join(words.values()).split()
        assert len(all_of_them) == len(set(all_of_them))


def _injected(template: str, word: str) -> str:
    """`template` with `word` in its middle."""
    parts = template.split(" ")
    return " ".join((*parts[: len(parts) // 2], word, *parts[len(parts) // 2 :]))


def _blank(template: str) -> str:
    """`template` with its slots gone."""
    return "".join(part.split("}")[-1] for part in template.split("{"))
