"""The kinds of datasets, tokenizers, models, optimizers, schedules and losses, and the door through which others come.

In: a name, the strict settings of that kind, and what builds it. Out: settings read from a section of a configuration,
and the built thing. Kinds that are shipped and kinds of a plug-in (a module named in `plugins`) are registered in the
same way, when their module is imported; a kind brings its own settings, so that a new one touches nothing of ours and
old configurations keep their hash. Refused: a name twice, a name that is no plain word, settings that are not closed,
a kind that nobody registered (with a suggestion).

    from actors.learner.trainer.registry import OPTIMIZERS
    OPTIMIZERS.register("mine", MySettings, build_mine)
"""

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from schemas.base import Record
from schemas.errors import OneirosError

if TYPE_CHECKING:
    from actors.learner.trainer.datasets.dataset import Dataset

Built = TypeVar("Built")

_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


class KindError(OneirosError):
    """A kind cannot be registered, or is not known."""

    is_permanent = True


@dataclass(frozen=True, slots=True)
class Kind(Generic[Built]):
    """One registered kind."""

    name: str
    settings_type: type[Record]
    build: Callable[..., Built]
    """Called with the settings first; what follows is said where the section is used."""


class Registry(Generic[Built]):
    """The kinds of one section of a configuration, by the word that chooses among them."""

    def __init__(self, section: str, key: str = "kind", default: str | None = None) -> None:
        self.section = section
        self.key = key
        """Name of the setting that holds the kind."""
        self.default = default
        """The kind of a configuration without this section; None where the section is required."""
        self._kinds: dict[str, Kind[Built]] = {}

    @property
    def kinds(self) -> Mapping[str, Kind[Built]]:
        """Every kind that is registered, in order of names."""
        return dict(sorted(self._kinds.items()))

    def register(self, kind: str, settings_type: type[Record], build: Callable[..., Built]) -> None:
        """Make `kind` known; raises KindError when the name is taken, or it or its settings will not do."""
        if _KIND.fullmatch(kind) is None:
            raise KindError(f"{self.section}: {kind!r} is no name of a kind; use at most 32 of a-z, 0-9 and -")
        if self.key not in settings_type.model_fields:
            raise KindError(f"{self.section}: the settings of {kind} have no field `{self.key}`; add one")
        if settings_type.model_config.get("extra") != "forbid" or not settings_type.model_config.get("frozen"):
            raise KindError(f"{self.section}: the settings of {kind} are not closed and frozen; derive from Record")
        taken = self._kinds.get(kind)
        if taken is not None and _origin(taken.build) != _origin(build):
            raise KindError(f"{self.section}: {kind} is taken by {_origin(taken.build)}; choose another name")
        self._kinds[kind] = Kind(kind, settings_type, build)

    def get(self, kind: str) -> Kind[Built]:
        """What is registered as `kind`; raises KindError with what may have been meant."""
        found = self._kinds.get(kind)
        if found is None:
            raise KindError(f"{self.section}.{self.key}: {kind!r} is no known kind{meant(kind, self._kinds)}")
        return found

    def kind_of(self, settings: Record) -> str:
        """The kind that `settings` are of."""
        return str(getattr(settings, self.key))

    def build(self, settings: Record, *arguments: Any) -> Built:
        """What the kind of `settings` builds of them and `arguments`; raises KindError for an unknown kind."""
        return self.get(self.kind_of(settings)).build(settings, *arguments)


def meant(wrong: str, known: Mapping[str, object]) -> str:
    """The end of a sentence: the known name that `wrong` may have meant, or all of them."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"


def _origin(build: Callable[..., object]) -> str:
    """File and name of `build`: a plug-in that was edited replaces itself."""
    module = getattr(build, "__module__", "?")
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{getattr(build, '__qualname__', '?')} of {file or module}"


DATASETS: Final["Registry[Dataset]"] = Registry("data", key="source")
"""build(settings, place: datasets.loading.Place) -> Dataset"""
TOKENIZERS: Final[Registry[Any]] = Registry("tokenizer", default="none")
"""build(settings) -> Tokenizer"""
MODELS: Final[Registry[Any]] = Registry("model")
"""build(settings, ...) as the back ends of `model` say"""
OPTIMIZERS: Final[Registry[Any]] = Registry("optimizer")
"""build(settings, ...) as `training.optimizers` says"""
SCHEDULES: Final[Registry[Any]] = Registry("schedule", default="constant")
"""build(settings, ...) as `training.schedules` says"""
LOSSES: Final[Registry[Any]] = Registry("loss", default="cross-entropy")
"""build(settings) as `training.losses` says"""

SECTIONS: Final[Mapping[str, Registry[Any]]] = {
    registry.section: registry for registry in (DATASETS, TOKENIZERS, MODELS, OPTIMIZERS, SCHEDULES, LOSSES)
}
"""Section of a configuration to the registry of its kinds."""
