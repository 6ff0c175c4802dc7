"""What a night gathers before it dreams: our own day, or one of another system's, in the same numbers.

In: the order of a night, the key of the home. Out: the seeds, the blocks of what was observed, digests of what was
read, and notes. A source that cannot be read gives a night that says so; no fault of an input is raised, and no value
of one is told.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.day import SNAPSHOT, InputManifest, Problem
from actors.nightly_observer.kernel import find_seeds
from actors.nightly_observer.looking import look_at
from actors.nightly_observer.ordering import OWN_INPUTS, NightOrder
from actors.nightly_observer.stage import Found
from schemas.dream_seeds import Block, DefragObserved, DreamSeed, ForgetfulnessHealth
from schemas.night_places import SNAPSHOT_FILE, inputs_folder
from schemas.night_settings import RuntimeSettings

MAX_NOTES: Final = 16
PLACES: Final = (SNAPSHOT, *OWN_INPUTS)
"""Sources that a note names; what another system calls its files is told to nobody."""
READING_FAULTS: Final = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, AttributeError)


@dataclass(frozen=True)
class Gathered:
    """What a night has seen."""

    found: Found
    defrag: Block
    forgetting: Block
    manifest: InputManifest | None
    """None where nothing could be read."""
    notes: tuple[str, ...]


def gather(order: NightOrder, key: bytes) -> Gathered:
    """Look at the day of `order`."""
    settings = order.settings
    anchors = Anchors(key, order.date, settings.dream.privacy.id_privacy)
    try:
        if order.source == "eqnet":
            return _at_another(order, settings, anchors)
        return _at_our_own(order, settings, anchors)
    except READING_FAULTS as error:
        return _unreadable(f"the inputs could not be read: {type(error).__name__}")


def _at_our_own(order: NightOrder, settings: RuntimeSettings, anchors: Anchors) -> Gathered:
    from actors.nightly_observer.collectors.reading import DayPaths, read_day  # noqa: PLC0415 - opens what only a child may

    if not order.snapshot_sha256:
        return _unreadable("snapshot: absent")
    home = Path(order.home)
    day = read_day(DayPaths(home, home / inputs_folder(order.date) / SNAPSHOT_FILE), *order.window)
    if not day.is_readable:
        return _unreadable(*_counted(day.problems))
    night = look_at(day, settings, anchors)
    return _gathered(night.observed, night.health, night.seeds, (day.inputs, day.problems))


def _at_another(order: NightOrder, settings: RuntimeSettings, anchors: Anchors) -> Gathered:
    from actors.nightly_observer.collectors.eqnet import read_eqnet  # noqa: PLC0415 - as above

    observed, health, manifest, problems = read_eqnet(Path(order.root), order.date, settings, anchors, order.is_parity)
    if observed.status == "missing" and health.status == "missing":
        return _unreadable("nothing that a night looks at is below the folder", *_counted(problems))
    return _gathered(observed, health, find_seeds(observed, health), (manifest, problems))


def _gathered(
    observed: DefragObserved,
    health: ForgetfulnessHealth,
    seeds: tuple[DreamSeed, ...],
    read: tuple[InputManifest, Iterable[Problem]],
) -> Gathered:
    manifest, problems = read
    is_all_zero = observed.is_all_zero and not any(finding.fires for finding in health.findings)
    is_guard_stable = None if health.guard_overactive is None else health.guard_stable
    found = Found(seeds=seeds, is_readable=True, is_all_zero=is_all_zero, is_guard_stable=is_guard_stable)
    return Gathered(found, observed.as_block(), health.as_block(), manifest, _counted(problems))


def _unreadable(*notes: str) -> Gathered:
    nothing: Block = {"status": "missing"}
    return Gathered(Found((), False, True, None), nothing, nothing, None, notes)


def _counted(problems: Iterable[Problem]) -> tuple[str, ...]:
    """What was wrong and how often, without the names of files: they hold names of runs and of guests."""
    counts: Counter[str] = Counter()
    for source, what, times in problems:
        place = source.partition("/")[0]
        counts[f"{place if place in PLACES else 'files'}: {what}"] += times
    return tuple(f"{what}, {count} times" for what, count in sorted(counts.items()))[:MAX_NOTES]
