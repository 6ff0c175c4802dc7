"""Reads a training configuration from TOML or YAML, once: text in, one frozen configuration or every problem out.

In: a file that ends in .toml, .yaml or .yml, or the canonical bytes that a manifest keeps. Out: `LoadedConfig`: the
resolved configuration, the digest of the file and of every plug-in. What happens to the file later changes nothing of a
run; `is_changed` tells. Words of YAML 1.1 such as `on` and `no` are words. Refused, all at once: unknown keys and kinds
with what may have been meant, values out of range, a key twice, anchors, text that is neither TOML nor YAML.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import RootModel, ValidationError

from actors.learner.trainer.configuration.plugins import PluginError, load_plugins
from actors.learner.trainer.configuration.problems import problems_in
from actors.learner.trainer.configuration.settings import (
    DreamSettings,
    MetaSettings,
    ReportSettings,
    TrainConfig,
)
from actors.learner.trainer.reading import FileRefusedError, read_file
from actors.learner.trainer.registry import SECTIONS, KindError, Registry, meant
from actors.learner.trainer.training.settings import TrainingSettings
from schemas.base import Record
from schemas.errors import SettingsError

MAX_BYTES: Final = 1024 * 1024
"""Largest file that is read."""
SHIPPED: Final = (
    "actors.learner.trainer.datasets.kinds",
    "actors.learner.trainer.tokenizer.kinds",
    "actors.learner.trainer.model.kinds",
    "actors.learner.trainer.training.kinds",
)
"""Modules that register the kinds that are shipped, when they are imported; a plug-in does the same."""
PLAIN: Final[Mapping[str, type[Record]]] = {
    "meta": MetaSettings,
    "training": TrainingSettings,
    "dreams": DreamSettings,
    "reports": ReportSettings,
}

Tree = dict[str, object]


class _AnyTree(RootModel[Tree]):
    """Whatever keys there are."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, and what is known of where it came from."""

    config: TrainConfig
    path: Path
    """Absolute path of the file."""
    sha256: str
    """Hexadecimal SHA-256 of the file's bytes as they were read."""
    plugin_digests: Mapping[str, str]
    """Plug-in to the SHA-256 of its source."""

    @property
    def base(self) -> Path:
        """The folder from which relative paths in the configuration begin."""
        return self.path.parent

    def is_changed(self) -> bool:
        """Whether the file no longer holds what was read; the run is unaffected."""
        try:
            return hashlib.sha256(read_file(self.path, MAX_BYTES)).hexdigest() != self.sha256
        except FileRefusedError:
            return True


def load_config(path: Path) -> TrainConfig:
    """The configuration in the file at `path`; raises SettingsError holding every problem there is."""
    return open_config(path).config


def open_config(path: Path) -> LoadedConfig:
    """The same, with its digest, its folder and its plug-ins; raises SettingsError."""
    path = Path(path).absolute()
    try:
        text = read_file(path, MAX_BYTES)
    except FileRefusedError as error:
        raise SettingsError((str(error),)) from error
    tree = _tree(path.name, text)
    return _open(tree, path, hashlib.sha256(text).hexdigest())


def config_from_canonical(content: bytes, base: Path) -> LoadedConfig:
    """What `hashing.canonical_bytes` wrote, with plug-ins and paths from `base`; raises SettingsError."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SettingsError((f"canonical configuration: is not JSON ({error})",)) from error
    return _open(tree, Path(base).absolute() / "configuration.json", hashlib.sha256(content).hexdigest())


def config_of(tree: object, file: str = "configuration") -> TrainConfig:
    """The configuration of plain values, by kinds that are registered; raises SettingsError with every problem."""
    _register_shipped()
    if not isinstance(tree, dict):
        raise SettingsError((f"{file}: holds no sections; begin with [meta]",))
    given = {str(key): _frozen(value) for key, value in tree.items()}
    problems = [
        f"{file}: [{name}]: unknown section{meant(name, TrainConfig.model_fields)}"
        for name in given
        if name not in TrainConfig.model_fields
    ]
    read: dict[str, object] = {"plugins": given.get("plugins", ())}
    for name in TrainConfig.model_fields:
        if name != "plugins":
            _read_section(name, given.get(name), read, problems)
    if problems:
        raise SettingsError(tuple(text if text.startswith(f"{file}: ") else f"{file}: {text}" for text in problems))
    try:
        return TrainConfig.model_validate(read)
    except ValidationError as error:
        raise SettingsError(tuple(f"{file}: {text}" for text in problems_in(error, TrainConfig))) from None


def _open(tree: object, path: Path, sha256: str) -> LoadedConfig:
    _register_shipped()  # first, so that a plug-in cannot take a name that is ours
    try:
        digests = load_plugins(_plugin_names(tree), path.parent)
    except (PluginError, KindError) as error:
        raise SettingsError((f"{path.name}: {error}",)) from error
    return LoadedConfig(config_of(tree, path.name), path, sha256, digests)


def _plugin_names(tree: object) -> tuple[str, ...]:
    """The plug-ins that are named; what is no text is left to the validation."""
    names = tree.get("plugins", ()) if isinstance(tree, dict) else ()
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list | tuple) else ()


def _read_section(name: str, section: object, read: dict[str, object], problems: list[str]) -> None:
    """Validate one section into `read`, or add what is wrong with it."""
    registry = SECTIONS.get(name)
    if section is None and registry is not None and registry.default is None:
        problems.append(f"[{name}] is missing; it needs {registry.key}, one of {', '.join(registry.kinds)}")
        return
    given = {} if section is None else section
    if not isinstance(given, dict):
        problems.append(f"{name}: is no section; write [{name}] and its keys below")
        return
    settings_type = PLAIN.get(name) if registry is None else _type_of(registry, given, problems)
    if settings_type is None:
        return
    if registry is not None:
        given = {registry.key: registry.default, **given}
    try:
        read[name] = settings_type.model_validate(given)
    except ValidationError as error:
        problems.extend(problems_in(error, settings_type, name))


def _type_of(registry: Registry[Any], given: Tree, problems: list[str]) -> type[Record] | None:
    kind = given.get(registry.key, registry.default)
    if not isinstance(kind, str):
        known = ", ".join(registry.kinds)
        problems.append(
            f"{registry.section}.{registry.key}: {'is missing' if kind is None else 'is no text'}; known are {known}"
        )
        return None
    try:
        return registry.get(kind).settings_type
    except KindError as error:
        problems.append(str(error))
        return None


def _register_shipped() -> None:
    for module in SHIPPED:
        import_module(module)


def _tree(file: str, text: bytes) -> object:
    """Plain values in the text of `file`; raises SettingsError."""
    if file.endswith(".toml"):
        return _toml(file, text)
    if file.endswith((".yaml", ".yml")):
        from schemas.regime_files import load_layers  # noqa: PLC0415 - TOML needs none of it

        return load_layers(_AnyTree, file, (text,)).root
    raise SettingsError((f"{file}: a training configuration ends in .toml, .yaml or .yml",))


def _toml(file: str, text: bytes) -> Tree:
    try:
        return tomllib.loads(text.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise SettingsError((f"{file}: is not UTF-8 text ({error.reason} at byte {error.start})",)) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"{file}: is not TOML: {error}",)) from None
    except RecursionError:
        raise SettingsError((f"{file}: is nested too deeply",)) from None


def _frozen(value: object) -> object:
    """Lists as tuples, at every depth: settings are frozen."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return {str(key): _frozen(item) for key, item in value.items()} if isinstance(value, dict) else value
