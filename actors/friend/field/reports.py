"""What the system reports, in words that a field can hear.

In: an epoch report, a measured candidate of the regime-runner. Out: a few plain sentences without figures, for a field
that heard numbers would speak numbers. It refuses nothing; what the report does not say is not said.
"""

from typing import Final

from schemas.feedback import ArmResult, EpochReport
from schemas.regimes import PackWritten

EQUAL: Final = 1e-3
"""Difference in accuracy at which two arms did the same."""


def epoch_text(report: EpochReport) -> str:
    """An epoch of the learner, told."""
    dreaming, waking = report.arms[0], report.arms[1]
    return " ".join(("The learner closed another epoch.", _worth(dreaming, waking), _course(report), _taste(report)))


def pack_text(pack: PackWritten) -> str:
    """A measured candidate, told."""
    return " ".join((f"The runner measured the machine in its {pack.domain} once more.", _outcome(pack), _safety(pack)))


def _outcome(pack: PackWritten) -> str:
    if not pack.is_valid:
        return "What it measured cannot be trusted."
    if pack.score_v2 is None:
        return "How good it was, nobody can say."
    return "It got a number, and the number was kept."


def _safety(pack: PackWritten) -> str:
    if pack.safe is None:
        return "The watchdog could not see everything."
    return "The watchdog was calm." if pack.safe else "The watchdog stopped it."


def _worth(dreaming: ArmResult, waking: ArmResult) -> str:
    gain = dreaming.test_accuracy - waking.test_accuracy
    if abs(gain) <= EQUAL:
        return "With dreams and without dreams it saw the same."
    return "With dreams it saw more." if gain > 0.0 else "Without dreams it saw more today."


def _course(report: EpochReport) -> str:
    if report.probe_loss_at_start is None:
        return "How hard it was, it did not say."
    is_easier = report.arms[0].probe_loss < report.probe_loss_at_start
    return "The work became easier for it." if is_easier else "The work became harder for it."


def _taste(report: EpochReport) -> str:
    precision = report.kpis.selection_precision
    if precision is None:
        return "No dream was chosen."
    return "Most dreams that were chosen helped." if precision > 0.5 else "Few dreams that were chosen helped."
