"""Do dreams help the learner? One seed of `supervisor experiment help`.

In: the resolved configuration and a seed. Out: `HelpOutcome`: four arms at the end of each epoch, on patches that none
of them ever trained on. Every arm takes the same number of gradient steps, from the same initial weights, on the same
labelled minibatches; they differ in what each step sees beside these:

- none: nothing. It is the arm without dreams that every learner keeps;
- random: dreams drawn uniformly from the pool, every lineage equally likely (`learner.exploration` = 1);
- retrieved: the dreams that the learner asks for: the loop as it is;
- shuffled: the same, and the feedback names the wrong dreams, so that the profile says nothing.

The last three are three whole loops, each with a dreamer and a pool of its own, for what is retrieved shapes what is
dreamt. Refused: loops whose arms without dreams differ, for then the arms would not be comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from schemas.feedback import ArmResult, EpochReport
from schemas.roles import Role
from supervisor.configuration import Configuration
from supervisor.errors import SupervisorError
from supervisor.experiments.company import Change, staged
from supervisor.experiments.stand_ins import shuffled

Arm = Literal["none", "random", "retrieved", "shuffled"]
ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
EPOCHS: Final = 40
PRIMARY: Final = "test_accuracy"
"""What the verdict is about, at the end of the last epoch."""
PATIENCE: Final = 4.0
"""How many times the time that its epochs should take a loop is given."""
START_S: Final = 30.0


class UnequalArmsError(SupervisorError):
    """The arms of a seed cannot be compared."""


@dataclass(frozen=True)
class HelpOutcome:
    """One seed: for each arm its figures at the end of every epoch."""

    seed: int
    arms: dict[Arm, tuple[ArmResult, ...]]

    def last(self, arm: Arm, metric: str) -> float:
        """A figure of `arm` at the end of the last epoch."""
        value: float = getattr(self.arms[arm][-1], metric)
        return value


def help_of(configuration: Configuration, seed: int, epochs: int = EPOCHS) -> HelpOutcome:
    """All arms of one seed; raises UnequalArmsError."""
    arms: dict[Arm, tuple[ArmResult, ...]] = {}
    for loop in ARMS[1:]:
        reports = _loop(configuration, seed, loop, epochs)
        dreaming, plain = zip(*(report.arms for report in reports), strict=True)
        if arms.setdefault("none", plain) != plain:
            raise UnequalArmsError(f"seed {seed}: the arm without dreams of loop {loop} differs from the others'")
        arms[loop] = dreaming
    return HelpOutcome(seed, {arm: arms[arm] for arm in ARMS})


def _loop(configuration: Configuration, seed: int, loop: Arm, epochs: int) -> list[EpochReport]:
    """The reports of the first `epochs` epochs."""
    changes: Mapping[Role, Change] = {"learner": shuffled} if loop == "shuffled" else {}
    chosen = _drawing(configuration) if loop == "random" else configuration
    learner = configuration.settings.learner
    epoch_s = learner.rounds_per_epoch / (learner.rounds_hz or 1.0)
    reports: list[EpochReport] = []
    with staged(chosen, seed, changes) as stage:
        for _ in range(int(PATIENCE * (epochs + START_S / epoch_s))):
            reports += [said.message for said in stage.run(epoch_s) if isinstance(said.message, EpochReport)]
            if len(reports) >= epochs:
                return reports[:epochs]
    raise UnequalArmsError(f"seed {seed}: loop {loop} has only come to epoch {len(reports)} of {epochs}")


def _drawing(configuration: Configuration) -> Configuration:
    """The same settings, with every place of an answer drawn uniformly from the pool."""
    settings = configuration.settings
    learner = settings.learner.model_copy(update={"exploration": 1.0})
    return replace(configuration, settings=settings.model_copy(update={"learner": learner}))
