"""The files of a folder that has a folder for each class.

In: a folder and the endings wanted. Out: class names and, class by class, files, both in byte order of their names, so
that neither the file system nor the locale has a say. Hidden names and other endings are passed over. Refused: fewer
than two classes with files, a class without files, more files than a dataset has.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from actors.learner.trainer.datasets.dataset import DataRefusedError
from actors.learner.trainer.reading import FileRefusedError

MIN_CLASSES: Final = 2
MAX_FILES: Final = 10_000_000
SHOWN: Final = 5
"""So many refused files are named."""


class ClassFile(NamedTuple):
    """One file and its class."""

    path: Path
    label: int


class ClassFolders(NamedTuple):
    """Names of the classes and all of their files."""

    names: tuple[str, ...]
    files: tuple[ClassFile, ...]


def find_class_files(root: Path, source: str, is_wanted: Callable[[Path], bool]) -> ClassFolders:
    """The class folders of `root`; raises DataRefusedError."""
    folders = [path for path in _listed(root, source) if path.is_dir()]
    names = tuple(os.fsencode(path.name).decode("utf-8", "backslashreplace") for path in folders)
    if len(folders) < MIN_CLASSES:
        raise DataRefusedError(f"{source}: {root} has {len(folders)} class folders; at least {MIN_CLASSES} are needed")
    files: list[ClassFile] = []
    for label, folder in enumerate(folders):
        wanted = [path for path in _listed(folder, source) if is_wanted(path) and not path.is_dir()]
        if not wanted:
            raise DataRefusedError(f"{source}: {folder} holds no file that can be read; add some or remove the folder")
        files.extend(ClassFile(path, label) for path in wanted)
        if len(files) > MAX_FILES:
            raise DataRefusedError(f"{source}: {root} has more than {MAX_FILES} files; take an IDX or npz file")
    return ClassFolders(names, tuple(files))


def refuse_if_any(refused: list[FileRefusedError], source: str) -> None:
    """Raise DataRefusedError naming the first few files that cannot be used: labels never shift in silence."""
    if refused:
        shown = [str(error) for error in refused[:SHOWN]]
        more = [f"and {len(refused) - SHOWN} more"] if len(refused) > SHOWN else []
        raise DataRefusedError(f"{source}: repair or remove {len(refused)} files:\n" + "\n".join([*shown, *more]))


def _listed(folder: Path, source: str) -> list[Path]:
    try:
        visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except (OSError, ValueError) as error:  # ValueError: a name that the encoding of this process does not have
        reason = getattr(error, "strerror", None) or str(error)
        raise DataRefusedError(f"{source}: {folder} cannot be read ({reason})") from error
    return sorted(visible, key=lambda path: os.fsencode(path.name))
