"""What many seeds of planted-hue say together, and whether it is what was hoped for.

In: the outcomes of the seeds. Out: means over the seeds with 95 % intervals, the recovery after the jump, and each
target with the figure that decides on it. A target that is missed is reported like one that is met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final, NamedTuple

from supervisor.experiments.campaign import Campaign
from supervisor.experiments.charting import Chart
from supervisor.experiments.company import RAN_IN
from supervisor.experiments.planted_hue import ARMS, RECOVERED, RETURNED, Arm, HueOutcome
from supervisor.experiments.reporting import Question, seeds_text, table
from supervisor.experiments.scripted_learner import NOISE
from supervisor.experiments.statistics import Spread, spread_of

LEAST_BIASED: Final = RECOVERED
MOST_UNBIASED: Final = 0.05
MOST_SHUFFLED: Final = 0.15
LEAST_COVERAGE: Final = 0.5
MOST_UPDATES: Final = 8


class Target(NamedTuple):
    """What was hoped for, and what came out."""

    name: str
    wanted: str
    found: str
    is_met: bool


@dataclass(frozen=True)
class HueReport:
    """`supervisor experiment planted-hue`."""

    question: Question
    campaign: Campaign[HueOutcome]

    def utility(self, arm: Arm) -> Spread:
        """Mean utility of the dreams of the last third, over the seeds."""
        return spread_of([outcome.arms[arm].mean_utility_last_third for outcome in self.campaign.results])

    def coverage(self, arm: Arm) -> float:
        """Share of the bins still dreamt in the last third, mean over the seeds."""
        return fmean(outcome.arms[arm].coverage_last_third for outcome in self.campaign.results)

    @property
    def recoveries(self) -> tuple[int | None, ...]:
        """Updates until recovery, seed by seed."""
        return tuple(outcome.recovery_updates for outcome in self.campaign.results)

    @property
    def returns(self) -> tuple[int | None, ...]:
        """Updates until the former worth has all but returned, seed by seed."""
        return tuple(outcome.return_updates for outcome in self.campaign.results)

    def targets(self) -> tuple[Target, ...]:
        """Each target with the figure that decides on it."""
        biased, unbiased, shuffled = (self.utility(arm).mean for arm in ARMS)
        coverage = self.coverage("biased")
        late = [count for count in self.recoveries if count is None or count > MOST_UPDATES]
        counts = len(self.recoveries)
        return (
            Target("utility, biased", f">= {LEAST_BIASED}", f"{biased:.3f}", biased >= LEAST_BIASED),
            Target("utility, unbiased", f"within {MOST_UNBIASED}", f"{unbiased:.3f}", abs(unbiased) <= MOST_UNBIASED),
            Target("utility, shuffled", f"within {MOST_SHUFFLED}", f"{shuffled:.3f}", abs(shuffled) <= MOST_SHUFFLED),
            Target(
                "bins still dreamt, biased", f">= {LEAST_COVERAGE:.0%}", f"{coverage:.0%}", coverage >= LEAST_COVERAGE
            ),
            Target(
                "recovery after the jump",
                f"within {MOST_UPDATES} updates",
                f"{counts - len(late)} of {counts} seeds, {_when(self.recoveries)}",
                not late,
            ),
        )

    def tree(self) -> dict[str, Any]:
        """The report as one JSON object."""
        outcomes = self.campaign.results
        return {
            "experiment": self.question.experiment,
            "ran_in": RAN_IN,
            "config_sha256": self.question.config_sha256,
            "seeds": self.campaign.seeds,
            "complete": self.campaign.is_complete,
            "noise": NOISE,
            "arms": {arm: self._arm_tree(arm) for arm in ARMS},
            "recovery": _count_tree(self.recoveries) | {"level": RECOVERED},
            "return": _count_tree(self.returns) | {"share_of_before": RETURNED},
            "utility_by_update": [outcome.utility_by_update for outcome in outcomes],
            "targets": [target._asdict() for target in self.targets()],
            "ok": all(target.is_met for target in self.targets()),
        }

    def markdown(self) -> str:
        """The report for people."""
        rows = [
            (arm, f"{spread.mean:.3f}", _interval(spread), f"{self.coverage(arm):.0%}")
            for arm, spread in ((arm, self.utility(arm)) for arm in ARMS)
        ]
        verdicts = [(t.name, t.wanted, t.found, "met" if t.is_met else "missed") for t in self.targets()]
        return "\n".join(
            [
                "# planted-hue: does the hint reach the dreams?",
                "",
                f"Ran on {RAN_IN}; {seeds_text(self.campaign.seeds, self.campaign.is_complete)}. Utility of a dream: "
                "cosine of the angle between its hue and the hidden hue, without the noise of the feedback.",
                "",
                *table(("arm", "mean utility, last third", "95 % (t)", "bins dreamt"), rows),
                *table(("target", "wanted", "found", ""), verdicts),
                f"Recovery: the dreams of one update's time are worth {RECOVERED} again. They are worth {RETURNED:.0%} "
                f"of what they were worth before the jump: updates until then, {_when(self.returns)}.",
                "",
            ]
        )

    def chart(self) -> Chart:
        """Utility after the jump, update by update, mean over the seeds."""
        curves = [outcome.utility_by_update for outcome in self.campaign.results]
        length = min(len(curve) for curve in curves)
        means = [fmean(curve[step] for curve in curves) for step in range(length)]
        return Chart(
            "Mean utility of dreams after the hidden hue jumps to its opposite",
            "profile updates since the jump",
            {"biased": means, "recovered": [RECOVERED] * length},
        )

    def _arm_tree(self, arm: Arm) -> dict[str, Any]:
        outcomes, spread = [outcome.arms[arm] for outcome in self.campaign.results], self.utility(arm)
        return {
            "mean_utility_last_third": spread.mean,
            "utility_last_third": spread.tree(),
            "coverage_last_third": self.coverage(arm),
            "dreams_last_third": sum(outcome.dreams for outcome in outcomes),
            "profile_updates": sum(outcome.profiles for outcome in outcomes),
        }


def _count_tree(counts: Sequence[int | None]) -> dict[str, Any]:
    worst = None if None in counts else max(filter(None, counts), default=0)
    return {"median_updates": _median(counts), "worst_updates": worst, "per_seed": counts}


def _median(counts: Sequence[int | None]) -> float | None:
    """The median where at least half recovered; those that did not count as late."""
    middle = median([float("inf") if count is None else float(count) for count in counts])
    return None if middle == float("inf") else middle


def _when(counts: Sequence[int | None]) -> str:
    """The median, where there is one, and the worst, in words."""
    middle, missing = _median(counts), sum(count is None for count in counts)
    worst = f"{missing} never" if missing else f"worst {max(filter(None, counts), default=0)}"
    return worst if middle is None else f"median {middle:g}, {worst}"


def _interval(spread: Spread) -> str:
    return "-" if spread.t_interval is None else f"{spread.t_interval[0]:.3f} to {spread.t_interval[1]:.3f}"
