"""One dialogue with a foreign host: who speaks when, from what, and what a failure leads to (seed 001, section 7)."""

from itertools import pairwise

import pytest

from actors.friend.dialogue import lines_wanted
from actors.friend.speaking import manner_of
from actors.friend.words import tokens_of
from schemas.friend import (
    DialogClose,
    DialogLimits,
    FriendOpen,
    GenerateLine,
    LineGenerated,
    LineMeasures,
    LineObserved,
    ObserveLine,
    Pulse,
)
from schemas.ids import derived_id
from schemas.persona import DialogCommit
from tests.actors.friend.company import Company, Host, calm


def measures(entropy: float = 0.5, trauma: float = 0.5, arousal: float = 0.1) -> LineMeasures:
    return LineMeasures(pulse=Pulse(novelty=0.5, arousal=arousal, entropy=entropy), trauma=trauma, quality=None)


def host_of(company: Company, **hooks: object) -> Host:
    host = Host(company, "learner-2", "leo", **hooks)
    host.tell_origin()
    return host


def test_leo_begins_and_they_speak_by_turns_each_line_heard_before_the_next(leo):
    leo.offer()

    asked = leo.of(GenerateLine, ObserveLine)
    steps = [(type(each).__name__, each.step, each.speaker) for each in asked]
    lines = len(steps) // 2

    assert lines in (3, 4)
    assert steps == [
        (name, step, ("leo", "friend")[step % 2]) for step in range(lines) for name in ("GenerateLine", "ObserveLine")
    ]
    assert isinstance(leo.heard[0], FriendOpen)
    assert leo.ending == DialogClose(dialog_id=leo.opened[0].dialog_id, turns=lines, reason="done", is_kept=True)


def test_three_and_four_lines_both_happen(eager, leo):
    for moment in range(30):
        eager.now_s += 200.0
        leo.offer(moment)

    assert {len(commit.turns) for commit in eager.keeper.commits.values()} == {3, 4}


@pytest.mark.parametrize(
    ("draw", "most", "lines"), [(0.0, 4, 3), (0.49, 8, 3), (0.5, 8, 4), (0.99, 8, 4), (0.99, 3, 3)]
)
def test_three_or_four_lines_and_never_more_than_the_host_grants(draw, most, lines):
    assert lines_wanted(draw, most) == lines


def test_every_kept_line_is_what_the_host_said_and_heard(eager, leo):
    leo.offer()

    (commit,) = eager.keeper.commits.values()
    heard = [each.text for each in leo.of(ObserveLine)]

    assert [turn.text for turn in commit.turns] == heard
    assert {each.source for each in leo.of(ObserveLine)} == {"dream"}


def test_the_first_seed_has_the_moment_and_the_origin_the_next_the_lines_and_the_origin(leo):
    leo.offer(prompt="PROMPT one", reply="REPLY two", snapshots=("SNAPSHOT three",))

    asked = leo.of(GenerateLine)
    lines = [each.text for each in leo.of(ObserveLine)]

    assert all(mark in asked[0].seed for mark in ("PROMPT one", "REPLY two", "SNAPSHOT three"))
    assert all(any(word in each.seed for word in ("lighthouse", "lantern", "whistle")) for each in asked)
    assert asked[1].seed.startswith(lines[0])
    assert asked[2].seed.startswith(f"{lines[1]}\n{lines[0]}")
    assert "PROMPT" not in asked[1].seed


def test_every_prefix_has_a_fragment(eager, leo):
    fragments = ("lonely", "lantern", "instead", "Ships remember", "remembers the ships")
    for moment in range(30):
        eager.now_s += 200.0
        leo.offer(moment, prompt="p", reply="r")

    firsts = [each for each in leo.of(GenerateLine) if each.step == 0]

    assert len(firsts) == 30
    assert all(len(each.seed) > len("p\nr\n") for each in firsts)
    assert len({fragment for fragment in fragments for each in firsts if fragment in each.seed}) == len(fragments)


@pytest.mark.parametrize("entropies", [(0.0, 0.25, 0.5, 0.75, 1.0)])
def test_leo_is_warmer_the_less_certain_the_field_is(entropies, settings):
    manners = [manner_of("leo", measures(entropy=entropy, trauma=0.9), settings) for entropy in entropies]

    assert all(a.temperature < b.temperature for a, b in pairwise(manners))
    assert (manners[0].temperature, manners[-1].temperature) == (0.6, 1.0)
    assert all(0.3 <= each.semantic_weight <= 0.4 and each.expert_bias is None for each in manners)


@pytest.mark.parametrize(("trauma", "bias"), [(0.7, None), (0.7000001, "wounded"), (1.0, "wounded"), (0.0, None)])
def test_the_friend_is_wounded_above_seven_tenths(trauma, bias, settings):
    manner = manner_of("friend", measures(trauma=trauma), settings)

    assert manner.expert_bias == bias
    assert 0.5 <= manner.semantic_weight <= 0.6
    assert 0.6 <= manner.temperature <= 1.0


def test_each_line_is_asked_for_in_the_mood_of_the_line_before(eager):
    moods = iter([measures(entropy=0.0, trauma=0.9), measures(entropy=1.0, trauma=0.1)] * 4)
    host = host_of(eager, measure=lambda _: next(moods))

    host.offer()

    leo, friend = host.of(GenerateLine)[2], host.of(GenerateLine)[1]
    assert (friend.expert_bias, friend.temperature) == ("wounded", 0.9)
    assert (leo.expert_bias, leo.temperature) == (None, 1.0)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_generator_that_fails_before_the_fourth_line_leaves_nothing(step, eager):
    host = host_of(eager, say=lambda request: None if request.step == step else "A line that is fine.")

    host.offer()

    assert (host.ending.reason, host.ending.turns, host.ending.is_kept) == ("generate_failed", step, False)
    assert eager.keeper.commits == {}
    assert eager.keeper.persona("leo").rev == 0


def test_a_generator_that_fails_at_the_fourth_line_leaves_three_whole_ones(eager):
    host = host_of(eager, say=lambda request: None if request.step == 3 else f"A line that is fine {request.step}.")
    for moment in range(12):
        eager.now_s += 200.0
        host.offer(moment)

    endings = {(each.reason, each.turns, each.is_kept) for each in host.of(DialogClose)}

    assert endings == {("done", 3, True), ("generate_failed", 3, True)}
    assert {len(commit.turns) for commit in eager.keeper.commits.values()} == {3}


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_listener_that_fails_leaves_nothing(step, eager):
    host = host_of(eager, measure=lambda request: None if request.step == step else calm(request))

    host.offer()

    assert (host.ending.reason, host.ending.turns, host.ending.is_kept) == ("observe_failed", step, False)
    assert eager.keeper.commits == {}


@pytest.mark.parametrize("text", ["", " ", "?!", "\x00\x00", "\u202e"])
def test_a_line_without_a_word_is_a_failure(text, eager):
    host = host_of(eager, say=lambda _: text)

    host.offer()

    assert (host.ending.reason, host.ending.turns) == ("generate_failed", 0)
    assert host.of(ObserveLine) == []


@pytest.mark.parametrize("text", ["word " * 20_000, "x" * 100_000, "a\x00b\nc " * 1000, "ночь " * 10_000])
def test_a_line_is_clamped_before_anyone_hears_it(text, eager):
    host = host_of(eager, say=lambda _: text)

    host.offer(limits=DialogLimits(lines=4, tokens=20, chars=64))

    assert len(host.of(ObserveLine)) >= 3
    for heard in host.of(ObserveLine):
        assert len(tokens_of(heard.text)) <= 20
        assert len(heard.text) <= 64
        assert heard.text.isprintable()
    assert {each.max_tokens for each in host.of(GenerateLine)} == {20}


def test_what_looks_secret_is_heard_but_not_kept(eager):
    host = host_of(eager, say=lambda _: "The lighthouse lantern writes to anna@example.org, ships and storm.")

    host.offer()

    (commit,) = eager.keeper.commits.values()
    assert "anna@example.org" in host.of(ObserveLine)[0].text
    assert "anna@" not in commit.model_dump_json()


def test_a_commit_says_why_it_ran_and_nothing_of_the_user(eager, leo):
    leo.offer(prompt="SECRET PROMPT", reply="SECRET REPLY", trauma=0.75)

    (commit,) = eager.said(DialogCommit)

    assert commit.facts.gates == ("trauma",)
    assert commit.facts.dice < commit.facts.probability == 1.0
    assert (commit.facts.avg_trauma, commit.facts.avg_arousal) == (0.5, 0.25)
    assert "SECRET" not in commit.model_dump_json()


@pytest.mark.parametrize("when", ["first", "unknown"])
def test_answers_that_nobody_waits_for_are_dropped_and_counted(when, eager, leo):
    leo.silent_after = 1
    leo.offer()
    dialog_id = leo.opened[0].dialog_id if when == "first" else derived_id("other")
    before = len(leo.heard)

    stray = [
        LineGenerated(dialog_id=dialog_id, step=1, text="x", error=None),
        LineObserved(dialog_id=dialog_id, step=0, now_s=0.0, measures=measures()),
    ]
    for answer in stray:
        eager.hear(answer, leo.instance)
    eager.hear(LineGenerated(dialog_id=leo.opened[0].dialog_id, step=0, text="From another.", error=None), "learner-3")

    assert len(leo.heard) == before
    assert eager.core.figures()["answers_dropped"] == 3


def test_a_line_that_comes_twice_is_heard_once(eager, leo):
    leo.silent_after = 1
    leo.offer()
    answer = LineGenerated(dialog_id=leo.opened[0].dialog_id, step=0, text="A line of mine.", error=None)

    eager.hear(answer, leo.instance)
    eager.hear(answer, leo.instance)

    assert len(leo.of(ObserveLine)) == 1


@pytest.mark.parametrize("silent_after", [1, 2, 3, 4, 5])
def test_a_host_that_falls_silent_is_given_up_and_nothing_is_kept(silent_after, eager, leo):
    leo.silent_after = silent_after
    leo.offer()

    eager.late("answer", "leo")

    assert leo.ending.reason == "late"
    assert leo.ending.is_kept is False
    assert eager.keeper.commits == {}
