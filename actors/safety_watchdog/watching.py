"""What the core and the world of the watchdog say to each other: asks, and observations of what came of them.

In: python values. Out: immutable records, as JSON in asks and observations, so that a replay has every answer of the
world. Times and numbers in them were read by the world, never by the core.
"""

from typing import Annotated, Final

from pydantic import Field

from schemas.base import Count, Record
from schemas.regimes import Breach, Domain, GeneValue, Reading, TrialId

ARM: Final = "arm"
"""Ask: watch a trial. Answer: ARMED."""
DISARM: Final = "disarm"
"""Ask: the trial is over. Answer: ENDED, unless that was said before."""
ARMED: Final = "armed"
BREACHED: Final = "breached"
"""A cap was breached, and the trial was ended."""
ENDED: Final = "ended"
"""The trial is not watched any more: it was disarmed, or its guard is gone."""
RECOVERED: Final = "recovered"
"""What an earlier watchdog has left, and what became of it."""
FAILED: Final = "failed"
"""The watch itself cannot go on."""


class Watch(Record):
    """A trial to be watched."""

    trial_id: TrialId
    domain: Domain
    guard_pid: Annotated[int, Field(ge=1)]
    guard_started_ticks: Count
    timeout_s: Annotated[float, Field(gt=0.0)]
    settings: dict[str, GeneValue]
    """Settings of the machine to be made for it."""
    caps: dict[str, float]
    margins: dict[str, float]


class Armed(Record):
    """A trial is watched from now on."""

    trial_id: TrialId
    applied: dict[str, str]
    readings: dict[str, Reading]
    injected: bool


class Breached(Record):
    """A cap was breached while the trial ran."""

    trial_id: TrialId
    breach: Breach
    killed: Count


class Ended(Record):
    """What a watch came to."""

    trial_id: TrialId
    readings: dict[str, Reading]
    unrestored: dict[str, str]
    """Setting or file of the machine that is not as it was before -> why."""
    killed: Count
    """Processes that had to be ended after their guard was gone or overdue."""
    injected: bool


class Recovered(Record):
    """Lines for the log."""

    lines: tuple[str, ...]
