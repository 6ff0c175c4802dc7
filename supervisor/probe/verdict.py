"""What became of each attempt, judged from outside.

In: what a prisoner in the box said, what one without any box said in a world of its own, and what either world looks
like now. Out: a verdict on each attempt, and on the box. A claim is not believed, nor is a refusal: an attempt that
was refused and left a trace got through; what is blocked without a box as well says nothing about the box.
"""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.base import Record
from schemas.isolation import Rung
from supervisor.probe.attempt import Attempt
from supervisor.probe.attempts import ATTEMPTS
from supervisor.probe.prisoner import Told

Status = Literal["blocked", "through", "contained", "not possible here", "works", "fails", "unclear", "untried"]
"""`contained`: answered, but only within namespaces that hold nothing of the outside. `unclear`: it failed, but not as
the box would have made it fail."""

NAMESPACES: Final[Rung] = "bwrap"
REFUSALS: Final = frozenset({"EPERM", "EACCES", "ENOSYS"})
"""How a filter of calls and Landlock answer."""
ABSENCES: Final = REFUSALS | set(errno.errorcode.values())
"""How namespaces answer: what is outside is not there."""
NEEDS: Final = "needs"
"""The theme of what has to work."""
UNEXPLAINED: Final = "nobody"


class Judged(Record):
    """One attempt, or one thing that has to work."""

    name: str
    theme: str
    status: Status
    text: str
    """The proof, the kernel's refusal, or what else is known."""
    is_expected: bool
    """Whether the box did as it should."""


@dataclass(frozen=True)
class Seen:
    """One prisoner, and what it left."""

    told: Mapping[str, Told]
    traces: Mapping[str, str]
    holds: Callable[[str], bool]
    """Whether a text tells a secret of its world."""


def judge(rung: Rung, boxed: Seen, free: Seen, needs: Mapping[str, str]) -> tuple[Judged, ...]:
    """Everything that was tried in the box of `rung`; `free` is the same without a box, `needs` has to work."""
    works = [_judge_need(name, meaning, boxed) for name, meaning in needs.items()]
    attempts = [_judge_attempt(attempt, rung, boxed, free) for attempt in ATTEMPTS]
    return (*works, *attempts, *_judge_rest(boxed))


def _judge_need(name: str, meaning: str, boxed: Seen) -> Judged:
    told = boxed.told.get(name)
    if told is None:
        return Judged(name=name, theme=NEEDS, status="untried", text=meaning, is_expected=False)
    works = told.claim is not None
    text = f"{meaning}: {told.claim if works else told.refusal}"
    return Judged(name=name, theme=NEEDS, status="works" if works else "fails", text=text, is_expected=works)


def _judge_attempt(attempt: Attempt, rung: Rung, boxed: Seen, free: Seen) -> Judged:
    status, text = _status(attempt, rung, boxed)
    without, reason = _status(attempt, "none", free)
    if status in ("blocked", "unclear") and without in ("blocked", "unclear"):
        status, text = "not possible here", f"{reason}, also without a box"
    is_expected = status in ("blocked", "contained", "not possible here") or (
        attempt.is_conceded and status == "through"
    )
    return Judged(name=attempt.name, theme=attempt.theme, status=status, text=text, is_expected=is_expected)


def _status(attempt: Attempt, rung: Rung, seen: Seen) -> tuple[Status, str]:
    told, trace = seen.told.get(attempt.name), seen.traces.get(attempt.name)
    if trace is not None:
        return "through", trace
    if told is None:
        return "untried", "the prisoner ended before it, or of it"
    if told.claim is None:
        refusals = ABSENCES if rung == NAMESPACES else REFUSALS
        return ("blocked" if told.refusal in refusals else "unclear"), told.refusal or "no reason was given"
    is_proven = attempt.evidence != "secret" or seen.holds(told.claim)
    if rung == NAMESPACES and (attempt.evidence in ("trace", "means") or not is_proven):
        return "contained", told.claim
    return ("through" if is_proven else "unclear"), told.claim


def _judge_rest(boxed: Seen) -> tuple[Judged, ...]:
    """What has changed outside although no attempt explains it."""
    if "" not in boxed.traces:
        return ()
    return (Judged(name=UNEXPLAINED, theme="outside", status="through", text=boxed.traces[""], is_expected=False),)
