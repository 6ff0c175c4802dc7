"""What the watchdog says of a trial, put together from what it knows: pure functions.

In: the watched trial, what its world answered, what the trial told of itself, its caps. Out: SafetyVerdict before and
after the trial. Refused: to call a trial safe of which a cap could not be checked, or for which there is none.
"""

from collections.abc import Mapping
from typing import Final

from actors.safety_watchdog import caps
from actors.safety_watchdog.state import WatchdogState
from actors.safety_watchdog.watching import Armed
from schemas.cap_settings import METRICS
from schemas.regimes import Reading, SafetyVerdict, TrialFinished, Unchecked

INTERRUPTED: Final = "the watchdog was started anew during the trial"
UNCAPPED: Final = "caps.yaml has no cap for this domain"
UNKNOWN: Final = "the watchdog was not told that the trial began"


def armed_verdict(armed: Armed, limits: Mapping[str, float]) -> SafetyVerdict:
    """Before a trial: what is watched, what is not, and how warm it is."""
    sensed = {metric: limit for metric, limit in limits.items() if METRICS[metric].origin == "sensor"}
    return SafetyVerdict(
        trial_id=armed.trial_id,
        phase="armed",
        applied=armed.applied,
        unchecked=caps.unchecked(armed.readings, sensed),
        safe=None,
        readings=armed.readings,
        breaches=caps.breaches(armed.readings, sensed),
        injected=armed.injected,
    )


def final_verdict(state: WatchdogState, finished: TrialFinished, limits: Mapping[str, float]) -> SafetyVerdict:
    """After a trial that was watched, whole or in part."""
    sensed = state.ended.readings if state.ended is not None else _lost(limits)
    readings = caps.merged(sensed, finished.readings)
    breaches = caps.all_breaches(state.breaches, caps.breaches(readings, limits))
    unchecked = caps.unchecked(readings, limits) if limits else (Unchecked(cap="all", reason=UNCAPPED),)
    applied = state.armed.applied if state.armed is not None else {}
    unrestored = state.ended.unrestored if state.ended is not None else {}
    return SafetyVerdict(
        trial_id=finished.trial_id,
        phase="final",
        applied=applied | {name: why for name, why in unrestored.items() if name in applied},
        unchecked=unchecked,
        safe=caps.is_safe(breaches, unchecked),
        readings=dict(sensed),
        breaches=breaches,
        injected=any(told is not None and told.injected for told in (state.armed, state.ended)),
    )


def unknown_verdict(finished: TrialFinished) -> SafetyVerdict:
    """After a trial that the watchdog never heard of."""
    return SafetyVerdict(
        trial_id=finished.trial_id,
        phase="final",
        applied={},
        unchecked=(Unchecked(cap="all", reason=UNKNOWN),),
        safe=None,
        readings={},
        breaches=(),
        injected=False,
    )


def _lost(limits: Mapping[str, float]) -> dict[str, Reading]:
    """Readings of a watch that was lost with its process."""
    names = dict.fromkeys(("temp_peak_c", "watts", *limits))
    return {
        name: Reading(value=None, unit=METRICS[name].unit, source=None, reason=INTERRUPTED)
        for name in names
        if METRICS[name].origin == "sensor"
    }
