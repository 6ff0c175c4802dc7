"""The pictures and facts of a run, decoded once, content-addressed, and the split of each picture.

The supervisor writes one input set per distinct content; dreamer and learner load it, so that no actor decodes pictures
and a replay needs no picture folder. A picture is split by columns: the left 60 % train, the next 20 % probe, the last
20 % test. Dreams are cut from `train` alone, so no dream has seen what the learner is measured on.
"""

from typing import Annotated, Final, Literal

import msgpack
import numpy as np
import numpy.typing as npt
from pydantic import Field

from schemas.base import Record
from schemas.ids import UuidText

Region = Literal["train", "probe", "test"]
SPLIT: Final[dict[Region, tuple[float, float]]] = {"train": (0.0, 0.6), "probe": (0.6, 0.8), "test": (0.8, 1.0)}


class Picture(Record):
    """A decoded picture."""

    image_id: UuidText
    """UUIDv5 of the decoded pixels."""
    name: str
    """File name, for people."""
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    rgb: bytes
    """u8 [height, width, 3] in C order."""

    def pixels(self, region: Region) -> npt.NDArray[np.uint8]:
        """The columns of `region`: u8 [height, columns, 3]."""
        low, high = (round(self.width * edge) for edge in SPLIT[region])
        whole = np.frombuffer(self.rgb, dtype=np.uint8).reshape(self.height, self.width, 3)
        return whole[:, low:high]


class Factoid(Record):
    """One line of the facts file."""

    factoid_id: UuidText
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class InputSet(Record):
    """All that the world gives to a run before it starts."""

    pictures: tuple[Picture, ...]
    factoids: tuple[Factoid, ...]

    def to_bytes(self) -> bytes:
        """Canonical msgpack bytes; their SHA-256 names the set."""
        packed: bytes = msgpack.packb(
            {"pictures": [p.__dict__ for p in self.pictures], "factoids": [f.__dict__ for f in self.factoids]}
        )
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> "InputSet":
        """The set that `to_bytes` wrote; raises pydantic.ValidationError on anything else."""
        return cls.model_validate(msgpack.unpackb(data, use_list=False))
