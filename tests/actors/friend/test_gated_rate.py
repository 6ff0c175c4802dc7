"""How often the friend speaks while somebody talks to the field: as often as the dice say, whatever is talked about."""

import pytest

from tests.actors.friend.company import Company, load_settings

SEEDS = range(1, 7)
TURNS = 20
TOLERANCE = 0.1
"""Of the rate over all seeds of one way of talking; about 2.4 standard errors of 120 dice."""
PLAIN = (
    "I had coffee with my sister this morning.",
    "Tell me about the dreamer!",
    "It rained the whole day.",
    "ok",
    "What is a dream worth?",
    "My heart is broken and I am afraid of the storm.",
    "I lost my keys again!",
)
WAYS = {
    "plain talk": lambda turn: PLAIN[turn % len(PLAIN)],
    "numbered lines": lambda turn: f"This is turn number {turn} of our conversation about the sea.",
    "greetings": lambda turn: f"hello {turn}",
    "one question": lambda turn: "who are you?",
    "words of the origin": lambda turn: f"I remember the silence after the last heartbeat, dreamer {turn}.",
}


@pytest.mark.parametrize("way", WAYS)
def test_twenty_turns_of_any_talk_speak_at_the_gated_rate_and_are_not_paused(way):
    settings = load_settings(min_interval_s=0.0)
    opened = thrown = 0

    for seed in SEEDS:
        company = Company(settings, seed)
        company.talk((WAYS[way](turn) for turn in range(TURNS)), step_s=2.0)
        figures = company.core.figures()
        assert figures["paused"] is None
        opened += int(figures["dialogs_opened"])
        thrown += int(figures["dialogs_opened"]) + int(figures.get("declined.dice", 0))

    assert thrown >= 0.8 * TURNS * len(SEEDS)
    assert opened / thrown == pytest.approx(settings.probability, abs=TOLERANCE)


def test_who_says_the_same_for_long_is_not_taken_for_a_field_that_gets_worse():
    company = Company(load_settings(min_interval_s=0.0, probability=1.0, max_prompt_echo=1.0, least_distinct=0.0))

    company.talk(["My heart is broken and I am afraid!"] * 60, step_s=2.0)

    assert company.core.figures()["paused"] is None
    assert company.core.figures()["bits_excess"] is None


def test_new_lines_are_what_the_bits_are_told_by():
    company = Company(load_settings(min_interval_s=0.0, probability=1.0))

    company.talk([f"ship{turn} carries lamp{turn} over sea{turn}" for turn in range(23)], step_s=2.0)
    early = company.core.figures()["bits_excess"]
    company.talk(["ship90 carries lamp90 over sea90"], step_s=2.0)

    assert early is None
    assert company.core.figures()["bits_excess"] == pytest.approx(0.0, abs=0.02)
