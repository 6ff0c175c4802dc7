"""The models that are shipped, registered: importing this module makes their kinds known.

In: settings and a plan. Out: the model, of the back end that the plan names. Refused: a back end that has no such
model. A model from outside registers `build(settings, plan: ModelPlan) -> Model` in the same way.
"""

from actors.learner.trainer.model.cnn import build_cnn
from actors.learner.trainer.model.mlp import build_mlp
from actors.learner.trainer.model.parameters import ModelRefusedError
from actors.learner.trainer.model.port import Model, ModelPlan
from actors.learner.trainer.model.settings import CnnSettings, MlpSettings, TransformerSettings
from actors.learner.trainer.registry import MODELS


def mlp_of(settings: MlpSettings, plan: ModelPlan) -> Model:
    """The perceptron, in either back end."""
    if plan.backend != "torch":
        return build_mlp(settings, plan)
    from actors.learner.trainer.model.torch_networks import torch_mlp  # noqa: PLC0415 - torch is an extra

    return torch_mlp(settings, plan)


def cnn_of(settings: CnnSettings, plan: ModelPlan) -> Model:
    """The convolutional network, in either back end."""
    if plan.backend != "torch":
        return build_cnn(settings, plan)
    from actors.learner.trainer.model.torch_networks import torch_cnn  # noqa: PLC0415 - torch is an extra

    return torch_cnn(settings, plan)


def transformer_of(settings: TransformerSettings, plan: ModelPlan) -> Model:
    """The transformer, in torch alone."""
    if plan.backend != "torch":
        reason = f"the back end {plan.backend} has no transformer"
        raise ModelRefusedError(f'model.kind: {reason}; set training.backend = "torch", or choose mlp or cnn')
    from actors.learner.trainer.model.torch_networks import torch_transformer  # noqa: PLC0415 - torch is an extra

    return torch_transformer(settings, plan)


MODELS.register("mlp", MlpSettings, mlp_of)
MODELS.register("cnn", CnnSettings, cnn_of)
MODELS.register("transformer", TransformerSettings, transformer_of)
