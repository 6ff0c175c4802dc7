"""A dialogue begins when a gate is open and the dice fall, and at no edge (seed 001, section 5)."""

import pytest
from pydantic import ValidationError

from actors.friend.gates import open_gates, throw_dice
from bus.randomness import RandomSource
from schemas.friend import DialogLimits, FriendOffer, Pulse
from schemas.ids import derived_id
from tests.actors.friend.company import load_settings

SHUT = {"trauma": 0.1, "novelty": 0.1, "quality": 0.9}


def offer(trauma: float = 0.1, novelty: float = 0.1, quality: float | None = 0.9) -> FriendOffer:
    return FriendOffer(
        ctx_id=derived_id("ctx"),
        host_id="leo",
        now_s=0.0,
        prompt="p",
        reply="r",
        snapshots=(),
        pulse=Pulse(novelty=novelty, arousal=0.5, entropy=0.5),
        trauma=trauma,
        themes=(),
        expert="",
        quality=quality,
        limits=DialogLimits(lines=4, tokens=48, chars=320),
    )


@pytest.mark.parametrize(
    ("moment", "gates"),
    [
        ({"trauma": 0.5}, ()),
        ({"trauma": 0.5000001}, ("trauma",)),
        ({"novelty": 0.7}, ()),
        ({"novelty": 0.7000001}, ("novelty",)),
        ({"quality": 0.3499999}, ()),
        ({"quality": 0.35}, ("quality",)),
        ({"quality": 0.55}, ("quality",)),
        ({"quality": 0.5500001}, ()),
        ({"quality": None}, ()),
        ({"trauma": 1.0, "novelty": 1.0, "quality": 0.4}, ("trauma", "novelty", "quality")),
        ({}, ()),
    ],
)
def test_each_gate_opens_at_its_edge(moment, gates, settings):
    assert open_gates(offer(**(SHUT | moment)), settings) == gates


def test_about_three_in_ten_throws_fall():
    source = RandomSource(42, 1, "friend")

    fallen = sum(throw_dice(source, "leo", str(index)) < 0.3 for index in range(4000))

    assert 0.27 < fallen / 4000 < 0.33


def test_the_same_moment_throws_the_same_whatever_was_thrown_before():
    fresh, used = RandomSource(42, 1, "friend"), RandomSource(42, 1, "friend")
    for index in range(10):
        throw_dice(used, "leo", str(index))

    assert throw_dice(fresh, "leo", "m") == throw_dice(used, "leo", "m")


def test_another_seed_another_host_and_another_moment_throw_another_number():
    source = RandomSource(42, 1, "friend")
    thrown = {
        throw_dice(source, "leo", "m"),
        throw_dice(source, "leo", "n"),
        throw_dice(source, "mia", "m"),
        throw_dice(RandomSource(43, 1, "friend"), "leo", "m"),
    }

    assert len(thrown) == 4


@pytest.mark.parametrize(
    ("hours", "at", "left_s"),
    [
        ("22:00-07:00", "21:59:59", 0.0),
        ("22:00-07:00", "22:00:00", 9 * 3600.0),
        ("22:00-07:00", "00:30:00", 6.5 * 3600.0),
        ("22:00-07:00", "06:59:59", 1.0),
        ("22:00-07:00", "07:00:00", 0.0),
        ("09:00-17:30", "12:00:00", 5.5 * 3600.0),
        ("09:00-17:30", "18:00:00", 0.0),
        ("05:00-05:00", "05:00:00", 0.0),
        ("", "03:00:00", 0.0),
    ],
)
def test_quiet_hours_have_two_edges_and_may_span_midnight(hours, at, left_s):
    hour, minute, second = map(int, at.split(":"))
    now_s = 20_000 * 86_400.0 + 3600.0 * hour + 60.0 * minute + second

    assert load_settings(quiet_hours=hours).quiet_left_s(now_s) == left_s


@pytest.mark.parametrize("hours", ["22-7", "24:00-07:00", "22:00", "22:00-07:60", " ", "22:00-07:00x"])
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ValidationError, match="quiet_hours"):
        load_settings(quiet_hours=hours)


def test_no_dialogue_begins_in_quiet_hours(make_company):
    company = make_company(quiet_hours="22:00-07:00", probability=1.0, min_interval_s=0.0)
    company.now_s = 20_000 * 86_400.0 + 23 * 3600.0
    company.talk(["My wound! Blood!"] * 3, step_s=1.0)
    quiet = company.core.figures()
    company.now_s += 9 * 3600.0
    company.talk(["My wound! Blood!"] * 3, step_s=1.0)

    assert (quiet["declined.quiet_hours"], quiet["dialogs_opened"]) == (3, 0)
    assert company.core.figures()["dialogs_opened"] == 3
