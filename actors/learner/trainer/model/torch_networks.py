"""Forward passes in torch: the perceptron, the convolutional network and a small transformer.

In: parts by name, images, dropout. Out: logits. The first two have the layouts and first weights of their numpy twins,
so that one seed gives the same network in either back end. Refused: a patch that does not divide the images, heads
that do not divide the width.
"""

from typing import Final

import torch
from torch.nn import functional

from actors.learner.trainer.model import cnn, mlp
from actors.learner.trainer.model.parameters import Layout, ModelRefusedError, Part
from actors.learner.trainer.model.port import ImageShape, ModelPlan
from actors.learner.trainer.model.settings import CnnSettings, MlpSettings, TransformerSettings
from actors.learner.trainer.model.torch_model import Drop, Forward, Parts, TorchModel

WIDENING: Final = 2
"""Units of a block's dense pair, per unit of its width."""


def torch_mlp(settings: MlpSettings, plan: ModelPlan) -> TorchModel:
    """The perceptron with the weights that its numpy twin would have."""
    shape = mlp.shape_of(settings, plan)
    return TorchModel(mlp.layout_of(shape), mlp.weights_of(shape, plan), _mlp, settings.dropout)


def torch_cnn(settings: CnnSettings, plan: ModelPlan) -> TorchModel:
    """The convolutional network with the weights that its numpy twin would have."""
    layout = cnn.layout_of(settings, plan.images, plan.classes)
    return TorchModel(layout, layout.first_weights(plan.streams), _cnn, settings.dropout)


def torch_transformer(settings: TransformerSettings, plan: ModelPlan) -> TorchModel:
    """A transformer over patches; raises ModelRefusedError where patches or heads do not fit."""
    layout = _transformer_layout(settings, plan.images, plan.classes)
    return TorchModel(layout, layout.first_weights(plan.streams), _transformer(settings), settings.dropout)


def _mlp(parts: Parts, images: torch.Tensor, drop: Drop) -> torch.Tensor:
    hidden = functional.relu(images.reshape(len(images), -1) @ parts["w1"] + parts["b1"])
    return drop(hidden) @ parts["w2"] + parts["b2"]


def _cnn(parts: Parts, images: torch.Tensor, drop: Drop) -> torch.Tensor:
    seen = images.permute(0, 3, 1, 2)
    for kernel, bias in (("k1", "c1"), ("k2", "c2")):
        raw = functional.conv2d(seen, parts[kernel].permute(3, 2, 0, 1), parts[bias], padding=1)
        seen = functional.avg_pool2d(functional.relu(raw), 2)
    return drop(seen.permute(0, 2, 3, 1).reshape(len(images), -1)) @ parts["w"] + parts["b"]


def _transformer_layout(settings: TransformerSettings, images: ImageShape, classes: int) -> Layout:
    side, width = settings.patch, settings.width
    if images.rows % side or images.cols % side:
        size = f"{images.rows} x {images.cols}"
        raise ModelRefusedError(f"model.patch: patches of {side} do not divide images of {size}; choose a divisor")
    if width % settings.heads:
        raise ModelRefusedError(f"model.heads: {settings.heads} heads do not divide a width of {width}")
    tokens = (images.rows // side) * (images.cols // side)
    parts = [
        Part("embedding", (side * side * images.channels, width), "level"),
        Part("places", (tokens, width), "level"),
    ]
    for block in range(settings.depth):
        parts += [
            Part(f"{block}.norm1", (width,), "ones"),
            Part(f"{block}.shift1", (width,)),
            Part(f"{block}.qkv", (width, 3 * width), "level"),
            Part(f"{block}.out", (width, width), "level"),
            Part(f"{block}.norm2", (width,), "ones"),
            Part(f"{block}.shift2", (width,)),
            Part(f"{block}.up", (width, WIDENING * width), "he"),
            Part(f"{block}.up_bias", (WIDENING * width,)),
            Part(f"{block}.down", (WIDENING * width, width), "level"),
            Part(f"{block}.down_bias", (width,)),
        ]
    parts += [Part("norm", (width,), "ones"), Part("shift", (width,))]
    return Layout((*parts, Part("w", (width, classes), "level"), Part("b", (classes,))))


def _transformer(settings: TransformerSettings) -> Forward:
    side, width, heads = settings.patch, settings.width, settings.heads

    def attend(parts: Parts, block: int, seen: torch.Tensor) -> torch.Tensor:
        count, tokens, _ = seen.shape
        parted = (seen @ parts[f"{block}.qkv"]).reshape(count, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        query, key, value = parted[0], parted[1], parted[2]
        share = torch.softmax(query @ key.transpose(2, 3) * (width // heads) ** -0.5, dim=3)
        return (share @ value).transpose(1, 2).reshape(count, tokens, width) @ parts[f"{block}.out"]

    def think(parts: Parts, block: int, seen: torch.Tensor) -> torch.Tensor:
        up = functional.relu(seen @ parts[f"{block}.up"] + parts[f"{block}.up_bias"])
        return up @ parts[f"{block}.down"] + parts[f"{block}.down_bias"]

    def norm(parts: Parts, gain: str, shift: str, seen: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(seen, (width,), parts[gain], parts[shift])

    def forward(parts: Parts, images: torch.Tensor, drop: Drop) -> torch.Tensor:
        count, rows, cols, channels = images.shape
        patches = images.reshape(count, rows // side, side, cols // side, side, channels).permute(0, 1, 3, 2, 4, 5)
        seen = patches.reshape(count, -1, side * side * channels) @ parts["embedding"] + parts["places"]
        for block in range(settings.depth):
            seen = seen + drop(attend(parts, block, norm(parts, f"{block}.norm1", f"{block}.shift1", seen)))
            seen = seen + drop(think(parts, block, norm(parts, f"{block}.norm2", f"{block}.shift2", seen)))
        return norm(parts, "norm", "shift", seen).mean(dim=1) @ parts["w"] + parts["b"]

    return forward
