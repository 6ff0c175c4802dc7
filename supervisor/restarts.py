"""When a dead actor is started again, and when it is given up.

In: deaths, each with its monotonic time and how long the actor had been ready. Out: a delay in seconds, or None
for giving up. A death after a healthy second is no fault of the start: it restarts at once. An early death backs
off, doubling to a limit with full jitter from a seeded generator; too many of them within the window end the
attempts, and so do six times as many deaths of any kind. A restart that the user asks for is never counted, so it
never comes here (dossier of reliability, section 6).
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from schemas.settings import SupervisorSettings

HEALTHY_AFTER_S: Final = 1.0
"""An actor that has been ready for this long has started well."""
CROWD: Final = 6
"""So many times the limit of early deaths is the limit of all deaths within the window."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The limits of one actor's restarts; all durations in seconds."""

    backoff_first_s: float
    backoff_max_s: float
    max_restarts: int
    """Early deaths within `window_s` that are still answered by a restart."""
    window_s: float

    @classmethod
    def of(cls, settings: SupervisorSettings) -> "RestartPolicy":
        """The policy that the configuration states."""
        return cls(settings.backoff_first_s, settings.backoff_max_s, settings.max_restarts, settings.restart_window_s)


class RestartHistory:
    """The early deaths of one actor, and what follows from them."""

    def __init__(self, policy: RestartPolicy, seed: str) -> None:
        self._policy = policy
        self._jitter = random.Random(seed)
        self._early: deque[float] = deque()
        self._all: deque[float] = deque()

    def record_death(self, now_s: float, ready_for_s: float | None) -> float | None:
        """The delay before the next start, or None to give up.

        `ready_for_s` is how long the actor had been ready, None when it never was.
        """
        self._forget_before(now_s - self._policy.window_s)
        self._all.append(now_s)
        if len(self._all) > CROWD * self._policy.max_restarts:
            return None
        if ready_for_s is not None and ready_for_s >= HEALTHY_AFTER_S:
            return 0.0
        self._early.append(now_s)
        if len(self._early) > self._policy.max_restarts:
            return None
        return self._jitter.uniform(0.0, self._ceiling_s(len(self._early)))

    def in_window(self, now_s: float) -> int:
        """Early deaths that still count at `now_s`."""
        self._forget_before(now_s - self._policy.window_s)
        return len(self._early)

    def clear(self) -> None:
        """Forget every death: the user asked for a start."""
        self._early.clear()
        self._all.clear()

    def _ceiling_s(self, attempt: int) -> float:
        doublings = min(attempt - 1, 64)
        return min(self._policy.backoff_max_s, self._policy.backoff_first_s * 2.0**doublings)

    def _forget_before(self, limit_s: float) -> None:
        for deaths in (self._early, self._all):
            while deaths and deaths[0] <= limit_s:
                deaths.popleft()
