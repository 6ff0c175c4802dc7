"""What a trial may not exceed, judged: pure functions over readings and caps.

In: readings by metric, and the cap of each capped metric. Out: breaches, caps that nothing can check, and the verdict:
unsafe with a breach, unknown with a cap unchecked, safe otherwise. Equal to the cap is safe. Refused: to take a missing
reading for a small one.
"""

from collections.abc import Iterable, Mapping

from schemas.regimes import Breach, Reading, Unchecked

Readings = Mapping[str, Reading]
Caps = Mapping[str, float]
UNTOLD = "nothing tells it: no sensor of the watchdog, and no workload of this trial"


def breaches(readings: Readings, caps: Caps, margins: Mapping[str, float] | None = None) -> tuple[Breach, ...]:
    """Every cap that a reading is beyond; with a margin, already that far below it."""
    found: list[Breach] = []
    for metric, cap in caps.items():
        reading = readings.get(metric)
        margin = margins.get(metric, 0.0) if margins else 0.0
        if reading is None or reading.value is None or reading.value <= cap - margin:
            continue
        source = reading.source or "the trial"
        if margin:
            source += f", {margin:g} {reading.unit} of margin"
        found.append(Breach(cap=metric, limit=cap, value=reading.value, unit=reading.unit, source=source))
    return tuple(found)


def unchecked(readings: Readings, caps: Caps) -> tuple[Unchecked, ...]:
    """Every cap without a reading, and why."""
    found: list[Unchecked] = []
    for metric in caps:
        reading = readings.get(metric)
        if reading is None or reading.value is None:
            reason = UNTOLD if reading is None or reading.reason is None else reading.reason
            found.append(Unchecked(cap=metric, reason=reason))
    return tuple(found)


def is_safe(found: Iterable[Breach], missing: Iterable[Unchecked]) -> bool | None:
    """False with a breach, None with a cap unchecked, True otherwise."""
    if tuple(found):
        return False
    return None if tuple(missing) else True


def merged(sensed: Readings, told: Readings) -> dict[str, Reading]:
    """What the watchdog read and what the trial told of itself; of a metric that both know, the larger value."""
    found = dict(sensed)
    for metric, reading in told.items():
        known = found.get(metric)
        if known is None or known.value is None or (reading.value is not None and reading.value > known.value):
            found[metric] = reading
    return found


def all_breaches(*groups: Iterable[Breach]) -> tuple[Breach, ...]:
    """One breach of each cap, the one furthest beyond it."""
    worst: dict[str, Breach] = {}
    for found in (found for group in groups for found in group):
        if found.cap not in worst or found.value > worst[found.cap].value:
            worst[found.cap] = found
    return tuple(worst.values())
