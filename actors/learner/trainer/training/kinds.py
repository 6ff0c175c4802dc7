"""The optimizers, schedules and losses that are shipped, registered: importing this module makes their kinds known."""

from actors.learner.trainer.registry import LOSSES, OPTIMIZERS, SCHEDULES
from actors.learner.trainer.training.losses import build_cross_entropy, build_mse
from actors.learner.trainer.training.optimizers import AdamW, RmsProp, Sgd
from actors.learner.trainer.training.schedules import build_constant, build_cosine, build_linear, build_step
from actors.learner.trainer.training.settings import (
    AdamWSettings,
    ConstantSettings,
    CosineSettings,
    CrossEntropySettings,
    LinearSettings,
    MseSettings,
    RmsPropSettings,
    SgdSettings,
    StepSettings,
)

OPTIMIZERS.register("sgd", SgdSettings, Sgd)
OPTIMIZERS.register("adamw", AdamWSettings, AdamW)
OPTIMIZERS.register("rmsprop", RmsPropSettings, RmsProp)

SCHEDULES.register("constant", ConstantSettings, build_constant)
SCHEDULES.register("linear", LinearSettings, build_linear)
SCHEDULES.register("cosine", CosineSettings, build_cosine)
SCHEDULES.register("step", StepSettings, build_step)

LOSSES.register("cross-entropy", CrossEntropySettings, build_cross_entropy)
LOSSES.register("mse", MseSettings, build_mse)
