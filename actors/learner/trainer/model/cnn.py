"""A small convolutional network in numpy: two 3 x 3 convolutions, each averaged over 2 x 2 pixels, and a dense layer.

In: settings, the shape of the images, the classes, named streams. Out: a model whose convolutions are products of
matrices, so that their sums have a fixed order. A last row or column that has no partner is left out of the average.
Refused: images of fewer than 4 rows or columns, of which nothing would be left.
"""

from typing import Final, NamedTuple

import numpy as np

from actors.learner.trainer.model.parameters import F32, Layout, ModelRefusedError, Part
from actors.learner.trainer.model.port import ImageShape, LossFunction, Model, ModelPlan, drop
from actors.learner.trainer.model.settings import CnnSettings

SIDE: Final = 3
LEAST_SIDE: Final = 4


class Pass(NamedTuple):
    """What a forward pass leaves for the way back."""

    first_columns: F32
    first: F32
    second_columns: F32
    second: F32
    features: F32
    kept: F32 | None
    logits: F32


def layout_of(settings: CnnSettings, images: ImageShape, classes: int) -> Layout:
    """The parts; kernels are [3, 3, channels in, channels out]. Raises ModelRefusedError for images too small."""
    if min(images.rows, images.cols) < LEAST_SIDE:
        size = f"{images.rows} x {images.cols}"
        raise ModelRefusedError(f"model cnn: images of {size} are too small; it takes {LEAST_SIDE} x {LEAST_SIDE}")
    features = (images.rows // 4) * (images.cols // 4) * settings.second_channels
    return Layout(
        (
            Part("k1", (SIDE, SIDE, images.channels, settings.first_channels), "he"),
            Part("c1", (settings.first_channels,)),
            Part("k2", (SIDE, SIDE, settings.first_channels, settings.second_channels), "he"),
            Part("c2", (settings.second_channels,)),
            Part("w", (features, classes), "level"),
            Part("b", (classes,)),
        )
    )


class Cnn(Model):
    """Two convolutions and a dense layer."""

    def __init__(self, layout: Layout, weights: F32, dropout: float) -> None:
        super().__init__(layout, weights)
        self._dropout = dropout
        self._of = layout.views(self.weights)
        self._slopes = layout.views(self.gradient)

    @property
    def draws(self) -> bool:
        """Whether inputs of the dense layer are dropped."""
        return self._dropout > 0.0

    def step_gradients(
        self, images: F32, targets: F32, loss: LossFunction, stream: np.random.Generator | None, scale: float = 1.0
    ) -> tuple[float, F32]:
        """See `Model`."""
        seen = self._forward(images, stream, is_training=True)
        total, delta = loss(seen.logits, targets)
        delta *= np.float32(scale)
        np.matmul(seen.features.T, delta, out=self._slopes["w"])
        delta.sum(axis=0, out=self._slopes["b"])
        back = delta @ self._of["w"].T
        if seen.kept is not None:
            back *= seen.kept
        rows, cols, channels = seen.second.shape[1] // 2, seen.second.shape[2] // 2, seen.second.shape[3]
        back = _spread(back.reshape(-1, rows, cols, channels), seen.second)
        back = self._through("k2", "c2", seen.second_columns, back)
        back = _fold(back, (len(images), seen.first.shape[1] // 2, seen.first.shape[2] // 2, seen.first.shape[3]))
        back = _spread(back, seen.first)
        self._write("k1", "c1", seen.first_columns, back.reshape(-1, back.shape[3]))
        return total, self.gradient

    def logits(self, images: F32) -> F32:
        """See `Model`."""
        return self._forward(images, None, is_training=False).logits

    def _forward(self, images: F32, stream: np.random.Generator | None, is_training: bool) -> Pass:
        first_columns, first = self._convolve(images, "k1", "c1")
        second_columns, second = self._convolve(_halve(first), "k2", "c2")
        features = _halve(second).reshape(len(images), -1)
        kept = drop(stream, features.shape, self._dropout) if is_training and self.draws else None
        if kept is not None:
            features = features * kept
        logits = features @ self._of["w"] + self._of["b"]
        return Pass(first_columns, first, second_columns, second, features, kept, logits)

    def _convolve(self, images: F32, kernel: str, bias: str) -> tuple[F32, F32]:
        """The columns of `images` and the rectified convolution [n, rows, cols, channels]."""
        columns = _columns(images)
        channels = self._of[bias].size
        raw = columns @ self._of[kernel].reshape(-1, channels)
        raw += self._of[bias]
        np.maximum(raw, 0, out=raw)
        return columns, raw.reshape(*images.shape[:3], channels)

    def _through(self, kernel: str, bias: str, columns: F32, back: F32) -> F32:
        flat = back.reshape(-1, back.shape[3])
        self._write(kernel, bias, columns, flat)
        through: F32 = flat @ self._of[kernel].reshape(-1, flat.shape[1]).T
        return through

    def _write(self, kernel: str, bias: str, columns: F32, back: F32) -> None:
        np.matmul(columns.T, back, out=self._slopes[kernel].reshape(-1, back.shape[1]))
        back.sum(axis=0, out=self._slopes[bias])


def build_cnn(settings: CnnSettings, plan: ModelPlan) -> Cnn:
    """The network of `settings` with fresh weights."""
    layout = layout_of(settings, plan.images, plan.classes)
    return Cnn(layout, layout.first_weights(plan.streams), settings.dropout)


def _columns(images: F32) -> F32:
    """The 3 x 3 neighbourhood of each pixel as a row, zeros beyond the border: [n * rows * cols, 9 * channels]."""
    count, rows, cols, channels = images.shape
    framed = np.zeros((count, rows + 2, cols + 2, channels), dtype=np.float32)
    framed[:, 1:-1, 1:-1] = images
    columns = np.empty((count, rows, cols, SIDE * SIDE, channels), dtype=np.float32)
    for down in range(SIDE):
        for right in range(SIDE):
            columns[:, :, :, down * SIDE + right] = framed[:, down : down + rows, right : right + cols]
    return columns.reshape(count * rows * cols, SIDE * SIDE * channels)


def _fold(columns: F32, shape: tuple[int, int, int, int]) -> F32:
    """The adjoint of `_columns`: what each pixel of `shape` gave to its neighbourhoods, added in fixed order."""
    count, rows, cols, channels = shape
    parts = columns.reshape(count, rows, cols, SIDE * SIDE, channels)
    framed = np.zeros((count, rows + 2, cols + 2, channels), dtype=np.float32)
    for down in range(SIDE):
        for right in range(SIDE):
            framed[:, down : down + rows, right : right + cols] += parts[:, :, :, down * SIDE + right]
    return framed[:, 1:-1, 1:-1]


def _halve(images: F32) -> F32:
    """The mean of each 2 x 2 pixels: [n, rows // 2, cols // 2, channels]."""
    rows, cols = images.shape[1] // 2 * 2, images.shape[2] // 2 * 2
    total = images[:, 0:rows:2, 0:cols:2] + images[:, 0:rows:2, 1:cols:2]
    total += images[:, 1:rows:2, 0:cols:2]
    total += images[:, 1:rows:2, 1:cols:2]
    total *= np.float32(0.25)
    return total


def _spread(back: F32, rectified: F32) -> F32:
    """The adjoint of `_halve` and of the rectifier before it: zero where `rectified` is."""
    wide = np.zeros_like(rectified)
    quarter = back * np.float32(0.25)
    rows, cols = back.shape[1] * 2, back.shape[2] * 2
    for down in range(2):
        for right in range(2):
            wide[:, down:rows:2, right:cols:2] = quarter
    wide *= rectified > 0
    return wide
