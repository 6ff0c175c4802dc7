"""What a training run is made of before its first step: data, splits, tokens, pictures, the facts of the machine.

In: a configuration that was read, a folder for the splits cache. Out: `Prepared`, the same for the same content,
whatever the current folder, the locale or the user. Images pass through the tokenizer and back, and must come back as
they were. Refused: what the layers of the trainer refuse; a tokenizer that loses something.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from actors.learner.trainer.configuration.loading import LoadedConfig
from actors.learner.trainer.configuration.plugins import blaming
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.datasets.dataset import Dataset
from actors.learner.trainer.datasets.kinds import load_dataset
from actors.learner.trainer.datasets.patches import inputs_of
from actors.learner.trainer.datasets.place import Place
from actors.learner.trainer.datasets.settings import FoldersSettings, PatchesSettings
from actors.learner.trainer.datasets.split_cache import CacheState, split_cached
from actors.learner.trainer.datasets.splitting import Splits, split
from actors.learner.trainer.dreaming.kinship import Kinship, kinship_of
from actors.learner.trainer.registry import TOKENIZERS
from actors.learner.trainer.streams import Streams, seed_of
from actors.learner.trainer.tokenizer.dataset_tokens import tokenize_dataset
from actors.learner.trainer.tokenizer.token_log import TokenLog, write_token_log
from schemas.errors import OneirosError, SettingsError
from schemas.inputs import InputSet
from supervisor.errors import SupervisorError, UsageError
from supervisor.pictures import decode_sized

LIBRARIES: Final = (
    "oneiros",
    "numpy",
    "pydantic",
    "msgpack",
    "zstandard",
    "torch",
    "tokenizers",
    "matplotlib",
    "pillow",
    "pydicom",
)
"""Their versions are recorded where they are installed."""


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the first step."""

    loaded: LoadedConfig
    dataset: Dataset
    splits: Splits
    splits_cache: CacheState | None
    """What the cached splits said; None where no cache was asked."""
    tokenizer: dict[str, str | int]
    token_log: TokenLog | None
    inputs: InputSet | None
    """The pictures that the dataset is cut from; None for other data."""

    @cached_property
    def kinship(self) -> Kinship:
        """What dreams may teach here."""
        data = self.config.data
        if not isinstance(data, FoldersSettings):
            return kinship_of(self.dataset, self.splits, self.inputs)
        from supervisor.training.relatives import picture_ids

        place = Place(self.loaded.base, self.config.meta.seed)
        return kinship_of(self.dataset, self.splits, self.inputs, picture_ids(data, place))

    @property
    def config(self) -> TrainConfig:
        """The configuration."""
        return self.loaded.config

    @property
    def batches_per_epoch(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.splits.train) // self.config.training.batch_size)


@contextmanager
def before_the_first_step(loaded: LoadedConfig) -> Iterator[None]:
    """Whatever the layers of the trainer or a plug-in refuse here is a mistake in what was given: a UsageError."""
    try:
        with blaming(loaded.plugin_digests):
            yield
    except (SupervisorError, SettingsError):
        raise
    except OneirosError as error:
        raise UsageError(str(error)) from error


def prepare(loaded: LoadedConfig, cache: Path | None) -> Prepared:
    """Load, divide and tokenize the data of a configuration; raises OneirosError and OSError."""
    config = loaded.config
    inputs = _inputs(loaded)
    dataset = load_dataset(config.data, Place(loaded.base, config.meta.seed, inputs, decode_sized))
    if cache is None:
        splits, state = split(dataset, config.data.split, config.meta.seed), None
    else:
        splits, state, _ = split_cached(dataset, config.data.split, config.meta.seed, cache)
    tokenizer = TOKENIZERS.build(config.tokenizer)
    described = {} if tokenizer is None else dict(tokenizer.describe())
    log = None if tokenizer is None else _tokenize(tokenizer, described, dataset)
    return Prepared(loaded, dataset, splits, state, described, log, inputs)


def named_seeds(config: TrainConfig) -> dict[str, str]:
    """Each named stream with the key of its first generator."""
    streams = Streams(config.meta.seed)
    first = {"weights": (0,), "order": (0,), "dropout": (0,), "dreams": (0, 0)}
    return {name: seed_of(streams.at(name, *counters)) for name, counters in sorted(first.items())}


@cache
def versions() -> dict[str, str]:
    """The libraries that are installed, and python."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


@cache
def code_sha256() -> str:
    """Over every file of the program, 16 hex digits."""
    from actors.regime_runner.fingerprint import code_hash

    return code_hash(Path(__file__).parents[2])


def _inputs(loaded: LoadedConfig) -> InputSet | None:
    """The pictures that the dataset is cut from: those that are shipped where no root is named; None for other data."""
    data = loaded.config.data
    if not isinstance(data, PatchesSettings):
        return None
    if data.root:
        return inputs_of(data, Place(loaded.base, loaded.config.meta.seed))
    from supervisor.configuration import Sources, load_configuration
    from supervisor.home import Home
    from supervisor.inputs import prepare_inputs

    shipped = load_configuration(Sources(Home(Path("/nonexistent")))).settings.run
    return prepare_inputs(shipped).inputs


def _tokenize(tokenizer: Any, described: dict[str, str | int], dataset: Dataset) -> TokenLog:
    """The log of the tokens of every image, or of the names of the classes for a tokenizer of text."""
    if described.get("kind") != "text":
        return tokenize_dataset(tokenizer, dataset)
    return write_token_log(described, ((name.encode(), tokenizer.encode(name)) for name in dataset.class_names))
