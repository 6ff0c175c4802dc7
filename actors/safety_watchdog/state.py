"""What the watchdog remembers: one trial at a time, the caps of its run, counts.

In: what the core puts in. Out: the same as bytes, and from bytes. It decides nothing.
"""

from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter

from actors.safety_watchdog.watching import Armed, Ended
from schemas.regimes import Breach, TrialFinished, TrialStarted


@dataclass(slots=True)
class WatchdogState:
    """Everything that the watchdog remembers."""

    caps: str = ""
    """The text of the caps of the run."""
    cpus: int = 1
    started: TrialStarted | None = None
    """The trial that is watched, None between trials."""
    armed: Armed | None = None
    ended: Ended | None = None
    finished: TrialFinished | None = None
    breaches: list[Breach] = field(default_factory=list)
    """Those that ended the trial while it ran."""
    is_interrupted: bool = False
    """The trial was armed by a process that is gone."""
    trials: int = 0
    breached: int = 0
    """Trials that were ended for a breach."""
    packs: int = 0

    def forget_trial(self) -> None:
        """No trial is watched any more."""
        self.started = self.armed = self.ended = self.finished = None
        self.breaches = []
        self.is_interrupted = False

    def to_bytes(self) -> bytes:
        """As JSON."""
        return _adapter().dump_json(self)

    @staticmethod
    def from_bytes(data: bytes) -> "WatchdogState":
        """What `to_bytes` gave."""
        return _adapter().validate_json(data)


@cache
def _adapter() -> TypeAdapter[WatchdogState]:
    return TypeAdapter(WatchdogState)
