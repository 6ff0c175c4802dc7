"""The typed form of a training configuration: every section, its types, ranges and defaults.

In: plain values, as `configuration.loading` reads them from TOML or YAML. Out: one frozen `TrainConfig`, every default
written out in it. Sections with a kind (`data` by its `source`, `tokenizer`, `model`, `optimizer`, `schedule`, `loss`)
hold the settings of that kind, found in `registry`; their modules say what is in them. Refused: unknown keys, values
out of range, numbers that are not finite, a kind that is not registered.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny

from actors.learner.trainer.datasets.settings import DataSettings
from actors.learner.trainer.registry import (
    DATASETS,
    LOSSES,
    MODELS,
    OPTIMIZERS,
    SCHEDULES,
    TOKENIZERS,
    KindError,
    Registry,
)
from actors.learner.trainer.training.settings import TrainingSettings
from schemas.base import Record, Unit

LISTED: Final = BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
"""For tuples: TOML, YAML and JSON have lists."""
SEED_LIMIT: Final = 2**63 - 1


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("give plain text, without control characters and without spaces around it")
    return text


Line = Annotated[str, AfterValidator(_printable)]
Seed = Annotated[int, Field(ge=0, le=SEED_LIMIT)]


class MetaSettings(Record):
    """[meta]"""

    name: Annotated[Line, Field(min_length=1, max_length=64)]
    """Of the run, for people."""
    version: Annotated[Line, Field(min_length=1, max_length=32)] = "1"
    """Of the configuration, for people."""
    seed: Seed
    """Master seed: every draw of the run derives from it by name."""


class DreamSettings(Record):
    """[dreams]: augmentation with dreams of a live pool; whatever is taken is pinned in the run."""

    count: Annotated[int, Field(ge=0, le=4096)] = 0
    """Dreams beside each batch; 0 trains without."""
    query: Literal["cosine", "euclidean", "mixed", "composite", "random"] = "mixed"
    """How dreams are chosen: a mode of the pool's retrieval, or a draw from all of it."""
    mix: Unit = 0.5
    """Weight of a dream's loss against that of an example."""
    pool: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Dreams that are retrieved and pinned before the first step."""
    seed: Seed = 0
    """Of the query."""


class ReportSettings(Record):
    """[reports]"""

    sign_key: Line = ""
    """Path of an Ed25519 private key, from the folder of the configuration; empty leaves the reports unsigned."""
    plots: bool = True
    """Whether plots are drawn where matplotlib is installed."""
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    """Logical age at which the files of a run may be removed; its manifest stays."""


def _of_kind(registry: Registry[Any]) -> BeforeValidator:
    """Reads a section with the settings of the kind that it names."""

    def read(given: object) -> object:
        if isinstance(given, Record) or not isinstance(given, dict):
            return given
        kind = given.get(registry.key, registry.default)
        if not isinstance(kind, str):
            raise ValueError(f"needs `{registry.key}`, one of {', '.join(registry.kinds)}")
        try:
            found = registry.get(kind)
        except KindError as error:
            raise ValueError(str(error)) from None
        return found.settings_type.model_validate({**given, registry.key: kind})

    return BeforeValidator(read)


class TrainConfig(Record):
    """The whole of a training configuration, resolved."""

    meta: MetaSettings
    data: Annotated[SerializeAsAny[DataSettings], _of_kind(DATASETS)]
    tokenizer: Annotated[SerializeAsAny[Record], _of_kind(TOKENIZERS)]
    model: Annotated[SerializeAsAny[Record], _of_kind(MODELS)]
    optimizer: Annotated[SerializeAsAny[Record], _of_kind(OPTIMIZERS)]
    schedule: Annotated[SerializeAsAny[Record], _of_kind(SCHEDULES)]
    loss: Annotated[SerializeAsAny[Record], _of_kind(LOSSES)]
    training: TrainingSettings
    dreams: DreamSettings
    plugins: Annotated[tuple[Line, ...], LISTED, Field(max_length=64)]
    """Modules that register more kinds: names to import, or files (`.py`) from the folder of the configuration."""
    reports: ReportSettings
