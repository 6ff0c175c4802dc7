"""Guards that acted more than they used to (seed 004: guard_overuse).

In: the tallies of a day's guards and the thresholds. Out: a finding and a tally for each guard that had an opportunity.
A guard that acted k times of n is over its limit when n is at least `min_opportunities` and the lower end of the 95 %
Wilson interval of k / n is at least `min_rate` and unlike the nights before: median + `mads` scaled deviations of their
rates. The cap of the bias holds every bias on the way from where it begins: it needs a night before to be held against.
It is over its limit as well when it held at least `max_clamped` of what it could on `clamped_nights` nights running.
"""

from itertools import takewhile

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import Guard, GuardName, Tally
from actors.nightly_observer.spread import median, unusual_above, wilson_low
from schemas.dream_seeds import Finding, GuardTally, evidence
from schemas.night_settings import GuardOveruseSettings

CAP: GuardName = "bias_clamp"


def find_overuse(
    guards: tuple[Guard, ...], settings: GuardOveruseSettings, history: int, anchors: Anchors
) -> tuple[Finding, ...]:
    """One finding for each guard that had an opportunity; `history`: nights before that are compared with."""
    found = []
    for guard in guards:
        tonight = guard.nights[-1] if guard.nights else None
        if tonight is not None and tonight.n > 0:
            found.append(_finding(guard, tonight, settings, history, anchors))
    return tuple(found)


def tallies_of(guards: tuple[Guard, ...], history: int) -> tuple[GuardTally, ...]:
    """The tally of each guard that was counted in the night."""
    found = []
    for guard in guards:
        tonight = guard.nights[-1] if guard.nights else None
        if tonight is not None:
            rates = _rates(guard, history)
            found.append(
                GuardTally(
                    guard=guard.name,
                    k=tonight.k,
                    n=tonight.n,
                    rate=round(tonight.k / tonight.n, 6) if tonight.n else None,
                    wilson_low=round(wilson_low(*tonight), 6) if tonight.n else None,
                    baseline=round(median(rates), 6) if rates else None,
                )
            )
    return tuple(found)


def _finding(guard: Guard, tonight: Tally, settings: GuardOveruseSettings, history: int, anchors: Anchors) -> Finding:
    rates = _rates(guard, history)
    limit = max(settings.min_rate, unusual_above(rates, settings.mads)) if rates else settings.min_rate
    low = wilson_low(*tonight)
    is_comparable = bool(rates) or guard.name != CAP
    is_over = is_comparable and tonight.n >= settings.min_opportunities and low >= limit
    running = _nights_clamped(guard, settings) if guard.name == CAP else 0
    is_stuck = running >= settings.clamped_nights
    numbers = {"k": tonight.k, "rate": tonight.k / tonight.n, "wilson_low": low, "nights_before": len(rates)}
    if is_stuck and not is_over:
        shown = evidence(
            "guard_overuse.bias_clamp_nights",
            running,
            ">=",
            settings.clamped_nights,
            tonight.n,
            **numbers,
            max_clamped=settings.max_clamped,
        )
    else:
        baseline = median(rates) if rates else None
        formula = f"guard_overuse.{guard.name}"
        shown = evidence(formula, low, ">=", limit, tonight.n, **numbers, baseline=baseline)
    return Finding(
        seed_type="guard_overuse",
        fires=is_over or is_stuck,
        evidence=shown,
        anchors=(anchors.of("guard", guard.name),),
        bins=(),
    )


def _rates(guard: Guard, history: int) -> list[float]:
    """The rates of the nights before that had an opportunity."""
    before = guard.nights[max(0, len(guard.nights) - 1 - history) : -1]
    return [night.k / night.n for night in before if night is not None and night.n > 0]


def _nights_clamped(guard: Guard, settings: GuardOveruseSettings) -> int:
    """On how many nights running, up to the last, the cap held its share."""
    running = takewhile(lambda night: _is_clamped(night, settings), reversed(guard.nights))
    return sum(1 for _ in running)


def _is_clamped(night: Tally | None, settings: GuardOveruseSettings) -> bool:
    return night is not None and night.n > 0 and night.k / night.n >= settings.max_clamped
