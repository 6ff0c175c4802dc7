"""The settings of optimizers, schedules, losses and of the loop: closed, with a default for everything.

In: the sections `optimizer`, `schedule`, `loss` and `training` of a training configuration. Out: frozen settings, every
default written out. Refused: unknown keys, a learning rate or a batch of nothing, numbers that are not finite, another
precision than float32. An optimizer, schedule or loss from outside brings settings of its own.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Record

Rate = Annotated[float, Field(gt=0.0, le=1e6)]
Decay = Annotated[float, Field(ge=0.0, le=1.0)]
Memory = Annotated[float, Field(ge=0.0, lt=1.0)]
"""Share of what was there that one step keeps."""
Tiny = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Steps = Annotated[int, Field(ge=0, le=1_000_000_000)]


class SgdSettings(Record):
    """Stochastic gradient descent with momentum; weight decay is added to the gradient."""

    kind: Literal["sgd"] = "sgd"
    lr: Rate = 0.1
    momentum: Memory = 0.9
    weight_decay: Decay = 0.0


class AdamWSettings(Record):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Rate = 0.001
    beta1: Memory = 0.9
    beta2: Memory = 0.999
    epsilon: Tiny = 1e-8
    weight_decay: Decay = 0.01


class RmsPropSettings(Record):
    """RMSProp (Hinton 2012) with momentum; weight decay is added to the gradient."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: Rate = 0.001
    alpha: Memory = 0.99
    epsilon: Tiny = 1e-8
    momentum: Memory = 0.0
    weight_decay: Decay = 0.0


class ConstantSettings(Record):
    """The learning rate of the optimizer at every step."""

    kind: Literal["constant"] = "constant"
    warmup_steps: Steps = 0
    """Steps over which the rate climbs from 0 in a line."""


class LinearSettings(Record):
    """Down in a line over the steps of the whole run."""

    kind: Literal["linear"] = "linear"
    warmup_steps: Steps = 0
    final_share: Share = 0.0
    """The last rate as a share of the first."""


class CosineSettings(Record):
    """Down along half a cosine over the steps of the whole run."""

    kind: Literal["cosine"] = "cosine"
    warmup_steps: Steps = 0
    final_share: Share = 0.0
    """The last rate as a share of the first."""


class StepSettings(Record):
    """Down by a factor every few epochs."""

    kind: Literal["step"] = "step"
    warmup_steps: Steps = 0
    every_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    factor: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5


class CrossEntropySettings(Record):
    """Cross entropy of the softmax of the outputs, nats."""

    kind: Literal["cross-entropy"] = "cross-entropy"


class MseSettings(Record):
    """Mean over the classes of the squared distance between output and target."""

    kind: Literal["mse"] = "mse"


class TrainingSettings(Record):
    """[training]"""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 32
    """Examples of a step; the last batch of an epoch has what is left."""
    accumulate: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Parts that a batch is cut into, whose gradients are added in order. It changes the last bits of a sum and nothing
    else, and as part of the configuration it changes its hash."""
    backend: Literal["numpy", "torch"] = "numpy"
    threads: Literal[1] = 1
    """Threads of one multiplication: another number changes sums, and is refused."""
    precision: Literal["float32"] = "float32"
    """Of weights, gradients and the optimizer; float16 is not stable to the bit across sums, and is refused."""
    checkpoint_every: Steps = 0
    """Steps between checkpoints inside an epoch; 0 for none. The end of an epoch always has one."""
    keep_checkpoints: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    clip_norm: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    """Longest gradient; 0 does not clip."""
    divergence_factor: Annotated[float, Field(gt=1.0, le=1e9)] = 1000.0
    """A batch whose mean loss exceeds that of the first batch so many times stops the run."""
