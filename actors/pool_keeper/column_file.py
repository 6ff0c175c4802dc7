"""The columns as a file beside the pool, so that a start need not read every signature again.

In: frozen columns, or the digest of a file. Out: `pool/columns-DIGEST.bin`, or the columns in it. The file is derived
and can be deleted at any time. It is written under another name, brought to the disk and then renamed; the pool file
names the SHA-256 of the one that it vouches for, in a commit after that. So a file of another pool, of a pool that a
power cut took back behind it, or one that nobody vouched for is never used, and neither is one that is cut short, has a
changed bit, another format or another machine's numbers. An older file of the same pool is used: what came later is
read from the tables.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from actors.pool_keeper.columns import Columns, Frozen, frozen_kinds
from bus.codec import pack, unpack
from bus.errors import DecodeError
from bus.files import sync_folder
from schemas.errors import OneirosError

MAGIC: Final = b"ONEICOLS"
FORMAT: Final = 1
PIECE_BYTES: Final = 4 * 1024 * 1024
"""Brought to the disk at a time, so that no commit waits long behind it."""
MAX_HEAD_BYTES: Final = 4096
MAX_ROWS: Final = 2**31 - 1
DIGEST_BYTES: Final = 32
PATTERN: Final = "columns-*"


class ColumnFileRefusedError(OneirosError):
    """The file is not there, or not what the pool file vouches for."""


def column_path(folder: Path, digest: str) -> Path:
    """The file of a digest."""
    return folder / f"columns-{digest[:16]}.bin"


def write_columns(folder: Path, frozen: Frozen, ending: threading.Event | None = None) -> str | None:
    """Write `frozen`; the digest of the file, or None when `ending` was set before it was whole. Raises OSError."""
    temporary = folder / "columns-new.tmp"
    digest = hashlib.sha256()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        for piece in _pieces(frozen):
            if ending is not None and ending.is_set():
                return None
            digest.update(piece)
            _write(descriptor, piece)
        _write(descriptor, memoryview(digest.digest()))
        os.replace(temporary, column_path(folder, digest.hexdigest()))
        sync_folder(folder)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def read_columns(folder: Path, digest: str) -> Columns:
    """The columns in the file of `digest`. Raises ColumnFileRefusedError, OSError."""
    path = column_path(folder, digest)
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise ColumnFileRefusedError(f"{path.name} is not there") from error
    with file:
        try:
            return Columns.thawed(_read(file, digest))
        except (DecodeError, ValueError, TypeError, KeyError) as error:
            raise ColumnFileRefusedError(f"{path.name} is not what the pool file vouches for ({error})") from error


def remove_others(folder: Path, digest: str | None) -> None:
    """Delete every file of columns but that of `digest`. Raises OSError."""
    kept = None if digest is None else column_path(folder, digest)
    for path in folder.glob(PATTERN):
        if path != kept:
            path.unlink(missing_ok=True)


def _pieces(frozen: Frozen) -> Iterator[memoryview]:
    rows, root_slots, tensor_slots = len(frozen.arrays[0]), len(frozen.arrays[-4]), len(frozen.arrays[-1])
    told = {
        "format": FORMAT,
        "order": sys.byteorder,
        "slots": (root_slots, tensor_slots),
        "rows": rows,
        "blob_bytes": frozen.blob_bytes,
        "different": (frozen.lineages, frozen.tensors),
    }
    head = pack(told)
    yield memoryview(MAGIC + len(head).to_bytes(4, "little") + head)
    for array in frozen.arrays:
        whole = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        for start in range(0, len(whole), PIECE_BYTES):
            yield whole[start : start + PIECE_BYTES]


def _write(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
    os.fdatasync(descriptor)


def _read(file: FileIO, digest: str) -> Frozen:
    """Raises ValueError and its like for anything that is not the file of `digest`."""
    found = hashlib.sha256()
    start = _take(file, len(MAGIC) + 4, found)
    head_bytes = int.from_bytes(start[len(MAGIC) :], "little")
    if start[: len(MAGIC)] != MAGIC or head_bytes > MAX_HEAD_BYTES:
        raise ValueError("it does not begin as such a file")
    told = unpack(_take(file, head_bytes, found))
    if (told["format"], told["order"]) != (FORMAT, sys.byteorder):
        raise ValueError(f"format {told['format']!r} is not {FORMAT}")
    rows, (root_slots, tensor_slots) = int(told["rows"]), told["slots"]
    kinds = frozen_kinds(rows, int(root_slots), int(tensor_slots))
    size = len(start) + head_bytes + sum(kind.itemsize * int(np.prod(shape)) for kind, shape in kinds) + DIGEST_BYTES
    if not 0 < rows <= MAX_ROWS or os.fstat(file.fileno()).st_size != size:
        raise ValueError("it has another length")
    arrays = tuple(_array(file, kind, shape, found) for kind, shape in kinds)
    if file.read(DIGEST_BYTES) != found.digest() or found.hexdigest() != digest:
        raise ValueError("its bytes have another SHA-256")
    lineages, tensors = told["different"]
    return Frozen(arrays, int(told["blob_bytes"]), int(lineages), int(tensors))


def _take(file: FileIO, size: int, digest: "hashlib._Hash") -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it is cut short")
    digest.update(data)
    return data


def _array(file: FileIO, kind: np.dtype[Any], shape: tuple[int, ...], digest: "hashlib._Hash") -> npt.NDArray[Any]:
    array = np.empty(shape, dtype=kind)
    whole = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(whole), PIECE_BYTES):
        piece = whole[start : start + PIECE_BYTES]
        while piece:
            read = file.readinto(piece)
            if not read:
                raise ValueError("it is cut short")
            digest.update(piece[:read])
            piece = piece[read:]
    return array
