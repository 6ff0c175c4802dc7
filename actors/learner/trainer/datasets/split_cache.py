"""Splits on disk under the hash of what they follow from: a witness that the same run divides its data the same way.

In: a dataset, shares, the seed and a folder. Out: the splits, always computed, and how the file agreed with them:
`miss` where there was none (it is written), `hit` where it holds the same, `damaged` where it is not sound and
`disagreed` where it is sound and holds others (both are replaced). A file is never trusted: what it says decides
nothing but that word. Refused: what `splitting` refuses; a folder that cannot be written raises OSError.
"""

import hashlib
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgpack

from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.settings import SplitSettings
from actors.learner.trainer.datasets.splitting import RULE, Splits, split
from actors.learner.trainer.reading import FileRefusedError, read_file
from bus.files import write_atomically

MAGIC: Final = b"oneiros splits 1\n"
HASH_BYTES: Final = 32
MAX_BYTES: Final = 1024**3

CacheState = Literal["miss", "hit", "damaged", "disagreed"]


class CachedSplits(NamedTuple):
    """Splits, and what the file said."""

    splits: Splits
    state: CacheState
    path: Path


def split_cached(dataset: Dataset, settings: SplitSettings, seed: int, folder: Path) -> CachedSplits:
    """The splits of `dataset`, compared with the file of `folder` and kept there; raises DataRefusedError, OSError."""
    splits = split(dataset, settings, seed)
    path = folder / f"splits-{cache_key(dataset, settings, seed)}"
    content = _content(splits)
    state = _state(path, content)
    if state != "hit":
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return CachedSplits(splits, state, path)


def cache_key(dataset: Dataset, settings: SplitSettings, seed: int) -> str:
    """Hexadecimal SHA-256 of all that splits follow from: one changed byte of data is another key."""
    parts = (RULE, dataset.digest, settings.model_dump_json(), str(seed))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _content(splits: Splits) -> bytes:
    arrays = [array.astype("<i8").tobytes() for array in (splits.train, splits.val, splits.test)]
    body: bytes = msgpack.packb({"digest": splits.digest, "parts": arrays})
    return MAGIC + hashlib.sha256(body).digest() + body


def _state(path: Path, content: bytes) -> CacheState:
    if not path.exists():
        return "miss"
    try:
        found = read_file(path, MAX_BYTES)
    except FileRefusedError:
        return "damaged"
    if found == content:
        return "hit"
    head, body = len(MAGIC), found[len(MAGIC) + HASH_BYTES :]
    is_sound = found.startswith(MAGIC) and found[head : head + HASH_BYTES] == hashlib.sha256(body).digest()
    return "disagreed" if is_sound else "damaged"
