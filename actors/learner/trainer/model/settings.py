"""The settings of the models that are shipped: closed, with a default for everything.

In: the section `model` of a training configuration. Out: frozen settings, every default written out. Refused: unknown
keys, widths of nothing, a dropout of everything. A model from outside brings settings of its own.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Record

Width = Annotated[int, Field(ge=1, le=65_536)]
"""Units of a layer."""

Dropout = Annotated[float, Field(ge=0.0, le=0.95)]
"""Share of the units that one step leaves out; what is left is scaled up, and a prediction leaves out none."""


class MlpSettings(Record):
    """One hidden layer of rectifiers, the network that the learner of the loop has."""

    kind: Literal["mlp"] = "mlp"
    hidden: Width = 128
    dropout: Dropout = 0.0


class CnnSettings(Record):
    """Two 3 x 3 convolutions with rectifiers, the mean of 2 x 2 pixels after each, then one dense layer."""

    kind: Literal["cnn"] = "cnn"
    first_channels: Width = 8
    second_channels: Width = 16
    dropout: Dropout = 0.0
    """Of the inputs of the dense layer."""


class TransformerSettings(Record):
    """Square patches as tokens, attention with layer norms before each part, the mean token into one dense layer."""

    kind: Literal["transformer"] = "transformer"
    patch: Annotated[int, Field(ge=1, le=64)] = 4
    """Side of a patch, pixels; divides the rows and columns of the images."""
    width: Width = 32
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    """Divides `width`."""
    depth: Annotated[int, Field(ge=1, le=64)] = 2
    """Blocks of attention and a dense pair."""
    dropout: Dropout = 0.0
    """Of what each part adds."""
