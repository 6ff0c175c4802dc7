"""A dataset through its tokenizer: what goes on to the model is what comes back from the tokens (seed 002, section VI).

In: a chromatic tokenizer and a dataset. Out: the token log of every sample, in the order of the dataset. Each chunk is
decoded again and compared, byte for byte. Refused: a sample that does not come back exactly; images of other channels
than the tokenizer takes.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.tokenizer.chromatic import ChromaticTokenizer
from actors.learner.trainer.tokenizer.token_log import TokenLog, write_token_log
from schemas.errors import OneirosError

CHUNK_VALUES: Final = 2**21
"""Values of images that are in tokens at a time."""


class RoundTripError(OneirosError):
    """A sample did not come back from its tokens."""

    is_permanent = True

    def __init__(self, source: str, index: int) -> None:
        self.index = index
        super().__init__(f"{source}: sample {index} does not come back from its tokens; use tokenizer.kind = none")


def tokenize_dataset(tokenizer: ChromaticTokenizer, dataset: Dataset) -> TokenLog:
    """The token log of `dataset`; raises RoundTripError and ImagesRefusedError."""
    return write_token_log(tokenizer.describe(), _samples(tokenizer, dataset))


def _samples(tokenizer: ChromaticTokenizer, dataset: Dataset) -> Iterator[tuple[bytes, npt.NDArray[np.uint32]]]:
    size = max(1, CHUNK_VALUES // int(np.prod(dataset.images.shape[1:])))
    for start in range(0, len(dataset), size):
        images = dataset.images[start : start + size]
        tokens = tokenizer.encode(images)
        back = tokenizer.decode(tokens)
        for offset, row in enumerate(tokens):
            if back[offset].tobytes() != images[offset].tobytes():
                raise RoundTripError(dataset.source, start + offset)
            yield dataset.sample_hashes[start + offset].tobytes(), row
