"""How far the friend has drifted, and whether it circles in itself (dossier, sections 5 and 6).

In: a persona, recent lines, what a host measured of its field. Out: gauges, each a number, or None with the reason why
there is none; and the first limit that is crossed, in words. A mean of few dialogues is beyond a limit when its
standard error is not what carries it there. Nothing here looks at how good a line claims to be: a
field that feeds on itself finds itself better and better. It refuses nothing.
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Final, NamedTuple

from actors.friend.words import content_words, tokens_of
from schemas.friend_settings import FriendSettings
from schemas.persona import Drift, Fragment, Persona

LEAST_LINES: Final = 24
"""Recent lines under which distinctness is not judged."""
LEAST_DIALOGS: Final = 10
"""Dialogues under which echo is not judged."""
TURNOVER_DIALOGS: Final = 10


class Gauge(NamedTuple):
    """One measurement: a value, or why there is none."""

    value: float | None
    reason: str | None = None
    error: float = 0.0
    """Standard error of a mean."""


class Recent(NamedTuple):
    """What the gauges look at beside the persona."""

    lines: Sequence[str]
    """Of the last dialogues, oldest first."""
    echoes: Sequence[float]
    """Prompt echo of each of the last dialogues."""
    generations: Sequence[Sequence[int]]
    """Ids of the fragments after each of the last dialogues, oldest first."""
    self_talk_share: float | None
    bits: tuple[float, float] | None
    """Bits per token of recent user lines before the field heard them: with dreams, and without."""


def gauges(fragments: Sequence[Fragment], recent: Recent) -> dict[str, Gauge]:
    """Every instrument, by name."""
    return {
        "origin_share": origin_share(fragments),
        "lexical_distance": lexical_distance(fragments),
        "turnover": turnover(recent.generations),
        "effective_fragments": effective_fragments(fragments),
        "self_talk_share": _given(recent.self_talk_share, "a foreign field does not tell"),
        "distinct_3": distinct_3(recent.lines),
        "prompt_echo": _mean_echo(recent.echoes),
        "bits_excess": bits_excess(recent.bits),
    }


def drift_of(persona: Persona, generations: Sequence[Sequence[int]]) -> Drift:
    """How far `persona` has come; `generations`: ids of the fragments after each dialogue before, oldest first."""
    fragments = persona.fragments
    ids = [fragment.fragment_id for fragment in fragments]
    return Drift(
        rev=persona.rev,
        origin_share=_unit(origin_share(fragments).value) or 0.0,
        lexical_distance=_unit(lexical_distance(fragments).value),
        turnover=_unit(turnover([*generations, ids]).value),
        effective_fragments=effective_fragments(fragments).value or 0.0,
    )


def limit_crossed(found: dict[str, Gauge], settings: FriendSettings) -> str | None:
    """The first limit that a gauge is beyond, in words; None when all is well."""
    lower = (("origin_share", settings.least_origin_share), ("distinct_3", settings.least_distinct))
    upper = (("prompt_echo", settings.max_prompt_echo), ("bits_excess", settings.max_bits_excess))
    for name, least in lower:
        value = found[name].value
        if value is not None and value < least:
            return f"{name} {value:.3f} is below {least:g}"
    for name, most in upper:
        value = found[name].value
        if value is not None and value - found[name].error > most:
            return f"{name} {value:.3f} is above {most:g}"
    return None


def origin_share(fragments: Sequence[Fragment]) -> Gauge:
    """Share of the origin in the sum of the weights."""
    total = sum(fragment.weight for fragment in fragments)
    if not total:
        return Gauge(None, "no fragment yet")
    return Gauge(sum(fragment.weight for fragment in fragments if fragment.is_origin) / total)


def lexical_distance(fragments: Sequence[Fragment]) -> Gauge:
    """One minus the cosine between the words of the adopted fragments and those of the origin."""
    origin, adopted = (_bag([f.text for f in fragments if f.is_origin is side]) for side in (True, False))
    if not origin or not adopted:
        return Gauge(None, "nothing adopted yet" if origin else "no origin")
    dot = sum(count * origin[word] for word, count in adopted.items())
    return Gauge(1.0 - dot / (_length(origin) * _length(adopted)))


def turnover(generations: Sequence[Sequence[int]]) -> Gauge:
    """Share of the fragments that were not there ten dialogues ago."""
    if len(generations) <= TURNOVER_DIALOGS or not generations[-1]:
        return Gauge(None, f"fewer than {TURNOVER_DIALOGS + 1} dialogues")
    before, now = set(generations[-1 - TURNOVER_DIALOGS]), generations[-1]
    return Gauge(sum(each not in before for each in now) / len(now))


def effective_fragments(fragments: Sequence[Fragment]) -> Gauge:
    """How many equal fragments would be as varied: the exponential of the entropy of the weights."""
    total = sum(fragment.weight for fragment in fragments)
    if not total:
        return Gauge(None, "no fragment yet")
    shares = [fragment.weight / total for fragment in fragments]
    return Gauge(math.exp(-sum(share * math.log(share) for share in shares)))


def distinct_3(lines: Sequence[str]) -> Gauge:
    """Share of distinct ones among the triples of tokens of `lines`."""
    if len(lines) < LEAST_LINES:
        return Gauge(None, f"fewer than {LEAST_LINES} lines")
    runs = [run for line in lines for run in _triples(tokens_of(line))]
    return Gauge(len(set(runs)) / len(runs)) if runs else Gauge(None, "no line has three tokens")


def bits_excess(bits: tuple[float, float] | None) -> Gauge:
    """By which share the field with its dreams is worse at foretelling the user than without them."""
    if bits is None:
        return Gauge(None, "no field of our own, or too few user lines that were new")
    whole, waking = bits
    return Gauge(whole / waking - 1.0)


def _mean_echo(echoes: Sequence[float]) -> Gauge:
    if len(echoes) < LEAST_DIALOGS:
        return Gauge(None, f"fewer than {LEAST_DIALOGS} dialogues")
    return Gauge(fmean(echoes), error=stdev(echoes) / math.sqrt(len(echoes)))


def _given(value: float | None, reason: str) -> Gauge:
    return Gauge(value, reason if value is None else None)


def _unit(value: float | None) -> float | None:
    """`value` without the last bits that rounding left beyond its range."""
    return None if value is None else min(1.0, max(0.0, value))


def _bag(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in content_words(text))


def _length(bag: Counter[str]) -> float:
    return math.sqrt(sum(count * count for count in bag.values()))


def _triples(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(tokens, tokens[1:], tokens[2:], strict=False))
