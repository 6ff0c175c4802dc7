"""Modules from outside that register kinds, and the digest of the code that they brought.

In: the names in `plugins` of a configuration and the folder of its file. Out: imported modules and the SHA-256 of their
source, which can be had without running it. A name that ends in `.py` is a file, from the folder of the configuration;
any other is imported as Python finds it. The bytes of a file that are hashed are those that are run. Refused: what is
not found, what has no source, what fails while it is imported, and, in words that name it, what fails later.
"""

import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from actors.learner.trainer.reading import FileRefusedError, read_file
from schemas.errors import OneirosError

MAX_SOURCE_BYTES: Final = 4 * 1024 * 1024
ADVICE: Final = "install it, or name a file that ends in .py"


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


def digest_of_plugin(name: str, base: Path) -> str:
    """Hexadecimal SHA-256 of the source of a plug-in, of which nothing is run; raises PluginError."""
    if name.endswith(".py"):
        return hashlib.sha256(_source_of_file(name, base)).hexdigest()
    return _digest_of_module(name)


@contextmanager
def blaming(digests: Mapping[str, str]) -> Iterator[None]:
    """What the code of one of these plug-ins raises becomes a PluginError that names it; all else passes."""
    try:
        yield
    except OneirosError:
        raise
    except (Exception, SystemExit) as error:  # code from outside fails with whatever it likes; the user is told what
        culprit = _culprit(error.__traceback__, {_module_of(name, digest): name for name, digest in digests.items()})
        if culprit is None:
            raise
        name, place = culprit
        raise PluginError(name, f"fails {place} ({_told(error)})") from error


def _load_file(name: str, base: Path) -> str:
    source = _source_of_file(name, base)
    digest = hashlib.sha256(source).hexdigest()
    module_name = _module_of(name, digest)
    if module_name not in sys.modules:
        path = (base / name).resolve()
        spec = importlib.util.spec_from_file_location(module_name, path, loader=_FromBytes(path, source))
        if spec is None or spec.loader is None:
            raise PluginError(name, "cannot be made a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # as above
            del sys.modules[module_name]
            raise PluginError(name, f"fails while it is loaded ({_told(error)})") from error
    return digest


def _load_module(name: str) -> str:
    digest = _digest_of_module(name)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise PluginError(name, f"there is no module {error.name}; {ADVICE}") from error
    except (Exception, SystemExit) as error:  # as above
        raise PluginError(name, f"fails while it is loaded ({_told(error)})") from error
    return digest


def _source_of_file(name: str, base: Path) -> bytes:
    path = (base / name).resolve()
    try:
        return read_file(path, MAX_SOURCE_BYTES)
    except FileRefusedError as error:
        raise PluginError(name, f"{path} {error.reason}") from error


def _digest_of_module(name: str) -> str:
    """Over every source file of a package with its place in it, or over the one file of a module."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, TypeError) as error:  # a package above it is missing; a name that is none
        raise PluginError(name, f"there is no such module ({error}); {ADVICE}") from error
    if spec is None:
        raise PluginError(name, f"there is no module {name}; {ADVICE}")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [(folder, path) for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and spec.origin is not None and Path(spec.origin).is_file():
        files = [(Path(spec.origin).parent, Path(spec.origin))]
    if not files:
        raise PluginError(name, "has no source file whose digest could be recorded; name a module of Python source")
    total = hashlib.sha256()
    for folder, path in files:
        total.update(hashlib.sha256(str(path.relative_to(folder)).encode()).digest())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _module_of(name: str, digest: str) -> str:
    """The name under which a plug-in is imported."""
    return f"oneiros_plugin_{digest[:16]}" if name.endswith(".py") else name


def _culprit(trace: TracebackType | None, plugins: Mapping[str, str]) -> tuple[str, str] | None:
    """The plug-in whose code was reached last on the way to an error, and where it was; None where none was."""
    for frame, line in reversed(list(traceback.walk_tb(trace))):
        module = str(frame.f_globals.get("__name__", ""))
        owner = next((name for name in plugins if module == name or module.startswith(f"{name}.")), None)
        if owner is not None:
            return plugins[owner], f"in {frame.f_code.co_name}, line {line}"
    return None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
