"""What many seeds of help say together: paired differences between the arms, and a verdict on the primary figure.

In: the outcomes of the seeds. Out: for each arm its figures at the end, for each comparison the paired difference with
95 % intervals and its effect size. The verdict is `helps` when both intervals of retrieved against none lie above zero,
`harms` when both lie below, else `inconclusive`; it takes ten seeds to be anything else (design, 5.12). Beside it
stands what else differs, in favour or not.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, Literal, NamedTuple

from supervisor.experiments.campaign import Campaign
from supervisor.experiments.charting import Chart
from supervisor.experiments.company import RAN_IN
from supervisor.experiments.helping import ARMS, PRIMARY, Arm, HelpOutcome
from supervisor.experiments.reporting import Question, seeds_text, table
from supervisor.experiments.statistics import Interval, Spread, paired, spread_of

METRICS: Final = (PRIMARY, "test_loss", "probe_loss", "train_loss")
COMPARED: Final = (PRIMARY, "test_loss", "probe_loss")
PAIRS: Final[tuple[tuple[Arm, Arm], ...]] = (
    ("retrieved", "none"),
    ("random", "none"),
    ("shuffled", "none"),
    ("retrieved", "random"),
    ("retrieved", "shuffled"),
)
LEAST_SEEDS: Final = 10
"""Fewer give no verdict."""
Verdict = Literal["helps", "harms", "inconclusive"]


class Comparison(NamedTuple):
    """One arm against another on one figure."""

    arm: Arm
    against: Arm
    metric: str
    difference: Spread


@dataclass(frozen=True)
class HelpReport:
    """`supervisor experiment help`."""

    question: Question
    campaign: Campaign[HelpOutcome]

    def at_end(self, arm: Arm, metric: str) -> tuple[float, ...]:
        """A figure at the end of the last epoch, seed by seed."""
        return tuple(outcome.last(arm, metric) for outcome in self.campaign.results)

    def comparisons(self) -> tuple[Comparison, ...]:
        """All of them, the primary one first."""
        return tuple(
            Comparison(arm, against, metric, paired(self.at_end(arm, metric), self.at_end(against, metric)))
            for metric in COMPARED
            for arm, against in PAIRS
        )

    @property
    def verdict(self) -> Verdict:
        """On the primary figure, retrieved against none."""
        difference = self.comparisons()[0].difference
        intervals = (difference.t_interval, difference.bootstrap_interval)
        if len(self.campaign.seeds) < LEAST_SEEDS:
            return "inconclusive"
        if all(interval is not None and interval[0] > 0.0 for interval in intervals):
            return "helps"
        if all(interval is not None and interval[1] < 0.0 for interval in intervals):
            return "harms"
        return "inconclusive"

    def tree(self) -> dict[str, Any]:
        """The report as one JSON object."""
        arms = {arm: {metric: spread_of(self.at_end(arm, metric)).tree() for metric in METRICS} for arm in ARMS}
        comparisons = [{**row._asdict(), "difference": row.difference.tree()} for row in self.comparisons()]
        return {
            "experiment": self.question.experiment,
            "ran_in": RAN_IN,
            "config_sha256": self.question.config_sha256,
            "seeds": self.campaign.seeds,
            "complete": self.campaign.is_complete,
            "gradient_steps": self.campaign.results[0].arms["none"][-1].steps,
            "primary": PRIMARY,
            "verdict": self.verdict,
            "arms": arms,
            "comparisons": comparisons,
        }

    def markdown(self) -> str:
        """The report for people."""
        steps = self.campaign.results[0].arms["none"][-1].steps
        arms = [(arm, *(f"{fmean(self.at_end(arm, metric)):.3f}" for metric in METRICS)) for arm in ARMS]
        rows = [
            (
                row.metric,
                f"{row.arm} - {row.against}",
                f"{row.difference.mean:+.3f}",
                _interval(row.difference.t_interval),
                _interval(row.difference.bootstrap_interval),
                "-" if row.difference.effect_size is None else f"{row.difference.effect_size:+.2f}",
            )
            for row in self.comparisons()
        ]
        return "\n".join(
            [
                "# help: do dreams help the learner?",
                "",
                f"Ran on {RAN_IN}; {seeds_text(self.campaign.seeds, self.campaign.is_complete)}; {steps} gradient "
                "steps an arm, from the same weights, on the same labelled minibatches.",
                "",
                f"Verdict on {PRIMARY}, retrieved against none: **{self.verdict}**{self._reservation()}.",
                "",
                *table(("arm", *METRICS), arms),
                *table(("figure", "paired", "mean", "95 % (t)", "95 % (bootstrap)", "effect size"), rows),
            ]
        )

    def _reservation(self) -> str:
        """Why the intervals are not asked."""
        return "" if len(self.campaign.seeds) >= LEAST_SEEDS else f", for a verdict takes {LEAST_SEEDS} seeds"

    def chart(self) -> Chart:
        """The primary figure by epoch, mean over the seeds."""
        outcomes = self.campaign.results
        series: dict[str, list[float]] = {
            arm: [
                fmean(getattr(outcome.arms[arm][epoch], PRIMARY) for outcome in outcomes)
                for epoch in range(len(outcomes[0].arms[arm]))
            ]
            for arm in ARMS
        }
        return Chart("Test accuracy, mean over the seeds", "epoch", series, first=1)


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"
