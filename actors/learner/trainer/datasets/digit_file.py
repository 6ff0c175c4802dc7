"""The 8 x 8 digits that are shipped: real data without a download.

In: the packaged file. Out: a `Dataset` of grey images with values 0 to 16. Refused: a file that is not the one that was
shipped (its SHA-256 is known).
"""

import gzip
import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from actors.learner.trainer.datasets.dataset import DataRefusedError, Dataset, Facts, dataset_of
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import DigitsSettings
from actors.learner.trainer.reading import read_file

PATH: Final = Path(__file__).parent / "digits" / "digits.csv.gz"
SHA256: Final = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
SIDE: Final = 8
TOP: Final = 16.0
MAX_BYTES: Final = 1024 * 1024


def load_digits(settings: DigitsSettings, place: Place) -> Dataset:
    """The digits; of the settings nothing but what every source has matters. Raises DataRefusedError."""
    if settings.root:
        raise DataRefusedError(
            f"digits: data.root is {place.root(settings)}, but the digits are shipped; leave it empty"
        )
    packed = read_file(PATH, MAX_BYTES)
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise DataRefusedError(f"digits: {PATH} is not the file that was shipped; install the package again")
    table = np.loadtxt(gzip.decompress(packed).decode("ascii").splitlines(), delimiter=",", dtype=np.uint8)
    images = table[:, :-1].reshape(-1, SIDE, SIDE, 1)
    names = tuple(str(digit) for digit in range(10))
    return dataset_of(images, table[:, -1].astype(np.intp), Facts(names, "digits", TOP))
