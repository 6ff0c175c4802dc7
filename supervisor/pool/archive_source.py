"""Dreams out of an archive that `supervisor pool export --format npz` wrote, one tensor at a time.

In: an open file. Out: the facts of its dreams, and the tensor of each, which is read where it lies; a compressed
archive (numpy.savez_compressed) is unpacked into a temporary file first, shape by shape. Refused: what is no such
archive, or is cut short.
"""

import tempfile
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from supervisor.errors import UsageError
from supervisor.pool.export_formats import FACTS_MEMBER
from supervisor.pool.exported import compressed, facts_of, tree_of_line

LOCAL_HEAD_BYTES: Final = 30
"""Of a member of a zip file; its name and extra field follow."""
FAULTS: Final = (KeyError, IndexError, ValueError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile)


@dataclass(frozen=True)
class _Member:
    """The tensors of one shape."""

    file: BinaryIO | IO[bytes]
    start: int
    """Where the first of them begins in `file`."""
    places: dict[str, int]
    """By id, the how manyth tensor."""


class NpzSource:
    """One archive."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        try:
            self._archive = zipfile.ZipFile(file)
            lines = self._array(FACTS_MEMBER).tobytes().splitlines()
        except FAULTS as error:
            raise UsageError(f"{path} is no export of a pool ({error}); nothing was imported") from error
        self.dreams = tuple(facts_of(tree_of_line(line + b"\n", str(path)), str(path)) for line in lines)
        self._members: dict[tuple[int, int, int], _Member] = {}
        self._unpacked = ExitStack()

    def blob(self, facts: DreamFacts) -> bytes:
        """The tensor of the archive, compressed. Raises TensorRefusedError."""
        rows, cols, layers = facts.shape
        size = rows * cols * layers * 3 * 4
        try:
            if facts.shape not in self._members:
                self._members[facts.shape] = self._member(facts.shape)
            member = self._members[facts.shape]
            member.file.seek(member.start + member.places[facts.id] * size)
            return compressed(member.file.read(size), facts)
        except FAULTS as error:
            raise TensorRefusedError(f"it cannot be read from the archive ({error})") from error

    def close(self) -> None:
        """Remove what was unpacked."""
        self._unpacked.close()

    def _member(self, shape: tuple[int, int, int]) -> _Member:
        name = "x".join(map(str, shape))
        ids = self._array(f"ids_{name}").tolist()
        info = self._archive.getinfo(f"tensors_{name}.npy")
        with self._archive.open(info) as unpacked:
            found, is_fortran, kind = _head(unpacked)
            start = unpacked.tell()
        if (found, is_fortran, kind) != ((len(ids), *shape, 3), False, np.dtype("<f4")):
            raise ValueError(f"tensors_{name} holds {kind} {found}")
        places = {dream_id: at for at, dream_id in enumerate(ids)}
        if info.compress_type == zipfile.ZIP_STORED:
            return _Member(self._file, self._data_start(info) + start, places)
        file = self._unpacked.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed in `close`
        with self._archive.open(info) as unpacked:
            copyfileobj(unpacked, file)
        return _Member(file, start, places)

    def _data_start(self, info: zipfile.ZipInfo) -> int:
        """Where the bytes of a member that is not compressed begin in the file."""
        self._file.seek(info.header_offset)
        head = self._file.read(LOCAL_HEAD_BYTES)
        if len(head) < LOCAL_HEAD_BYTES:
            raise ValueError("it is cut short")
        names = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        return info.header_offset + LOCAL_HEAD_BYTES + names

    def _array(self, name: str) -> npt.NDArray[Any]:
        """A whole member, for what is no tensor."""
        with self._archive.open(f"{name}.npy") as member:
            array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _head(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and kind of the array in `member`, read up to where its data begin."""
    version = np.lib.format.read_magic(member)
    reading = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, kind = reading(member)
    return tuple(shape), bool(is_fortran), kind
