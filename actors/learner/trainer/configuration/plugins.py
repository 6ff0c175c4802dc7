"""Modules from outside that register kinds, and the digest of the code that they brought.

In: the names in `plugins` of a configuration and the folder of its file. Out: imported modules and the SHA-256 of their
source. A name that ends in `.py` is a file, from the folder of the configuration; any other is imported as Python finds
it. The bytes of a file that are hashed are those that are run. Refused: what is not found, what has no source, what
fails while it is imported.
"""

import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from actors.learner.trainer.reading import FileRefusedError, read_file
from schemas.errors import OneirosError

MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024


class PluginError(OneirosError):
    """A plug-in of a configuration cannot be used."""

    is_permanent = True

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"plugins: {name}: {reason}")


class _FromBytes(importlib.abc.SourceLoader):
    """Runs source that was read before, so that nobody changes it between hashing and running."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path = str(path)
        self._source = source

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - the name of the base class's argument
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        if path != self._path:
            raise OSError(f"{path!r} is not read: a plug-in runs from its source")
        return self._source


def load_plugins(names: Iterable[str], base: Path) -> Mapping[str, str]:
    """Import every plug-in; name to hexadecimal SHA-256 of its source. Raises PluginError."""
    return {name: _load_file(name, base) if name.endswith(".py") else _load_module(name) for name in names}


def _load_file(name: str, base: Path) -> str:
    path = (base / name).resolve()
    try:
        source = read_file(path, MAX_SOURCE_BYTES)
    except FileRefusedError as error:
        raise PluginError(name, f"{path} {error.reason}") from error
    digest = hashlib.sha256(source).hexdigest()
    module_name = f"oneiros_plugin_{digest[:16]}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, path, loader=_FromBytes(path, source))
        if spec is None or spec.loader is None:
            raise PluginError(name, "cannot be made a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # code from outside fails with whatever it likes; the user is told what
            del sys.modules[module_name]
            raise PluginError(name, f"fails while it is loaded ({type(error).__name__}: {error})") from error
    return digest


def _load_module(name: str) -> str:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        advice = "install it, or name a file that ends in .py"
        raise PluginError(name, f"there is no module {error.name}; {advice}") from error
    except Exception as error:  # as above
        raise PluginError(name, f"fails while it is loaded ({type(error).__name__}: {error})") from error
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]
    if folders:
        sources = sorted(path for folder in folders for path in folder.rglob("*.py"))
    else:
        file: str | None = getattr(module, "__file__", None)
        sources = [Path(file)] if file else []
    if not sources:
        raise PluginError(name, "has no source file whose digest could be recorded; name a module of Python source")
    total = hashlib.sha256()
    for path in sources:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
