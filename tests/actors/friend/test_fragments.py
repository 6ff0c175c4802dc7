"""What the friend is made of: seeded whole, drawn by weight, grown by what is strong (seed 001, section 6)."""

from collections import Counter

import numpy as np
import pytest

from actors.friend.fragments import SpokenLine, adopt, first_fragments, origin_words, sample
from schemas.friend import LineMeasures, Pulse
from schemas.persona import Fragment

ORIGIN = origin_words(("The lighthouse remembers the storm and the ships.",))


def dice(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def fragment(number: int, weight: float = 1.0) -> Fragment:
    return Fragment(
        fragment_id=number,
        text=f"fragment {number}",
        weight=weight,
        is_origin=True,
        dialog_id=None,
        turn=None,
        added_rev=1,
    )


def line(text: str, speaker: str = "friend", arousal: float = 0.1, trauma: float = 0.1) -> SpokenLine:
    pulse = Pulse(novelty=0.5, arousal=arousal, entropy=0.5)
    return SpokenLine(speaker, text, LineMeasures(pulse=pulse, trauma=trauma, quality=None))


def test_the_end_of_a_long_origin_and_the_readme_are_in_the_first_fragments(settings):
    bootstrap = " ".join(f"Sentence number {index} is here." for index in range(100))

    found = first_fragments(bootstrap, ("Language is a field. I am six.",), settings)

    assert len(found) == settings.origin_quota
    assert found[0] == "Sentence number 0 is here."
    assert found[-3:] == ("Sentence number 99 is here.", "Language is a field.", "I am six.")


def test_short_sentences_and_their_marks_are_kept(settings):
    found = first_fragments("No weights. He records! Why?\nA line without a mark", (), settings)

    assert found == ("No weights.", "He records!", "Why?", "A line without a mark")


@pytest.mark.parametrize("text", ["", "   ", "...!?", "\x00\ud800", "--- ***"])
def test_an_origin_without_a_word_gives_no_fragment(text, settings):
    assert first_fragments(text, (text,), settings) == ()


def test_the_same_sentence_is_one_fragment(settings):
    assert first_fragments("We are here. we ARE here! We are here.", ("We are here.",), settings) == ("We are here.",)


def test_one_to_three_are_drawn_and_never_none():
    fragments = [fragment(number) for number in range(24)]

    counts = Counter(len(sample(fragments, dice(seed))) for seed in range(300))

    assert set(counts) == {1, 2, 3}
    assert min(counts.values()) > 60


def test_a_draw_never_has_the_same_fragment_twice():
    fragments = [fragment(number) for number in range(3)]

    assert all(len(set(drawn)) == len(drawn) for drawn in (sample(fragments, dice(seed)) for seed in range(100)))


def test_forty_draws_reach_most_of_the_fragments():
    fragments = [fragment(number) for number in range(24)]

    used = {each.fragment_id for seed in range(40) for each in sample(fragments, dice(seed))}

    assert len(used) >= 16


def test_the_heavier_is_drawn_more_often():
    fragments = [fragment(0, 0.9), fragment(1, 0.1)]

    first = Counter(sample(fragments, dice(seed))[0].fragment_id for seed in range(400))

    assert first[0] / 400 == pytest.approx(0.9, abs=0.05)


def test_a_line_of_the_origin_s_words_is_adopted_and_junk_is_not(settings):
    lines = [line("my ships and your lighthouse, a storm"), line("please pass the salt over here")]

    adopted = adopt(lines, (), ORIGIN, settings)

    assert [(each.text, each.weight, each.turn) for each in adopted] == [(lines[0].text, 0.3, 0)]


@pytest.mark.parametrize(
    ("strength", "is_adopted"),
    [
        ({"arousal": 0.6}, False),
        ({"arousal": 0.61}, True),
        ({"trauma": 0.6}, False),
        ({"trauma": 0.61}, True),
    ],
)
def test_arousal_or_trauma_above_its_mark_is_enough(strength, is_adopted, settings):
    assert bool(adopt([line("please pass the salt over here", **strength)], (), ORIGIN, settings)) is is_adopted


def test_what_leo_says_is_never_adopted(settings):
    assert adopt([line("my ships, a lighthouse", speaker="leo", trauma=1.0)], (), ORIGIN, settings) == ()


def test_the_two_strongest_are_taken(settings):
    lines = [
        line("salt pepper", trauma=0.7),
        line("bread butter", trauma=0.9),
        line("milk honey", trauma=0.8),
    ]

    assert [each.turn for each in adopt(lines, (), ORIGIN, settings)] == [1, 2]


@pytest.mark.parametrize("known", ["The ships, the LIGHTHOUSE, the storm", "storm lighthouse ships"])
def test_what_is_said_already_is_not_adopted_again(known, settings):
    assert adopt([line("the ships the lighthouse the storm")], (known,), ORIGIN, settings) == ()


def test_the_same_line_twice_is_adopted_once(settings):
    lines = [line("ships and a storm"), line("ships and a storm!")]

    assert len(adopt(lines, (), ORIGIN, settings)) == 1
