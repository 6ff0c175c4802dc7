"""Where dreams are imported from: the pool of another home, or a file that `supervisor pool export` wrote.

In: a folder or a file. Out: the facts of its dreams, and the tensor of each as a verified blob. Refused, before
anything is changed: a file that is cut short or is no export with tensors, by the place of its first fault.
"""

import base64
import binascii
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
from pydantic import ValidationError

from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.reading import DreamFilter, PoolReader
from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from schemas.tensor import decode, encode
from supervisor.errors import UsageError
from supervisor.pool.export_formats import FACTS_MEMBER

ZIP_MARK: Final = b"PK\x03\x04"


class DreamSource(Protocol):
    """Dreams that can be taken into a pool."""

    @property
    def dreams(self) -> tuple[DreamFacts, ...]:
        """The facts of all of them."""

    def blob(self, facts: DreamFacts) -> bytes:
        """The tensor of one, compressed and verified. Raises TensorRefusedError."""


class HomeSource:
    """The pool of another home."""

    def __init__(self, reader: PoolReader) -> None:
        self._reader = reader
        self._sequences = {dream_id: sequence for sequence, dream_id in reader.sequences(DreamFilter())}
        self.dreams = tuple(reader.facts(sequence) for sequence in sorted(self._sequences.values()))

    def blob(self, facts: DreamFacts) -> bytes:
        """As it lies there. Raises TensorRefusedError."""
        try:
            return self._read(self._reader, facts)
        except TensorRefusedError:
            with PoolReader(self._reader.home) as now:  # a keeper at work may have moved it since
                return self._read(now, facts)

    def _read(self, reader: PoolReader, facts: DreamFacts) -> bytes:
        try:
            blob = bytes(reader.tensor(self._sequences[facts.id]).blob)
        except PoolError as error:
            raise TensorRefusedError(str(error)) from error
        decode(blob, facts.shape, facts.tensor_sha256)
        return blob


class JsonLinesSource:
    """A file of `pool export --format jsonl --tensors`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, int] = {}
        found: list[DreamFacts] = []
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                tree = _tree(line, f"{path} line {number}")
                if tree.get("tensor") is None:
                    raise UsageError(f"{path} line {number} has no tensor; export with --tensors")
                facts = facts_of(tree, f"{path} line {number}")
                self._places[facts.id] = offset
                found.append(facts)
                offset += len(line)
        self.dreams = tuple(found)

    def blob(self, facts: DreamFacts) -> bytes:
        """The tensor of the line, compressed. Raises TensorRefusedError."""
        with self._path.open("rb") as file:
            file.seek(self._places[facts.id])
            tree = _tree(file.readline(), str(self._path))
        try:
            raw = base64.b64decode(tree["tensor"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise TensorRefusedError(f"no base64 ({error})") from error
        return _compressed(raw, facts)


class NpzSource:
    """A file of `pool export --format npz`; the tensors of one shape at a time are in memory."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        try:
            self._archive = np.load(file, allow_pickle=False)
            lines = self._archive[FACTS_MEMBER].tobytes().splitlines()
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} is no export of a pool ({error}); nothing was imported") from error
        self.dreams = tuple(facts_of(_tree(line + b"\n", str(path)), str(path)) for line in lines)
        self._name = ""
        self._tensors: Any = None
        self._places: dict[str, int] = {}

    def blob(self, facts: DreamFacts) -> bytes:
        """The tensor of the archive, compressed. Raises TensorRefusedError."""
        name = "x".join(map(str, facts.shape))
        try:
            if name != self._name:
                ids = self._archive[f"ids_{name}"].tolist()
                self._tensors = self._archive[f"tensors_{name}"]
                self._places, self._name = {dream_id: at for at, dream_id in enumerate(ids)}, name
            return _compressed(self._tensors[self._places[facts.id]].tobytes(), facts)
        except (KeyError, IndexError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise TensorRefusedError(f"it cannot be read from the archive ({error})") from error


@contextmanager
def opened_source(path: Path) -> Iterator[DreamSource]:
    """The dreams at `path`: a home, or an export. Raises UsageError and PoolError."""
    if path.is_dir():
        with PoolReader(path) as reader:
            yield HomeSource(reader)
        return
    if not path.is_file():
        raise UsageError(f"{path} is neither the home of a pool nor a file; name one of them")
    with path.open("rb") as file:
        mark = file.read(len(ZIP_MARK))
        file.seek(0)
        yield NpzSource(file, path) if mark == ZIP_MARK else JsonLinesSource(path)


def facts_of(tree: dict[str, Any], where: str) -> DreamFacts:
    """The facts in an exported object. Raises UsageError naming `where`."""
    known = {name: tree[name] for name in DreamFacts.model_fields if name in tree}
    try:
        digest = bytes.fromhex(str(known.get("tensor_sha256")))
        facts = DreamFacts.model_validate_json(json.dumps({**known, "tensor_sha256": "-" * len(digest)}))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"]))
        raise UsageError(f"{where}: {place}: {found['msg']}; nothing was imported") from error
    except ValueError as error:
        raise UsageError(f"{where}: tensor_sha256 is no hexadecimal text; nothing was imported") from error
    return facts.model_copy(update={"tensor_sha256": digest})


def _tree(line: bytes, where: str) -> dict[str, Any]:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error) if line.endswith(b"\n") else "the file is cut short"
        raise UsageError(f"{where}: no line of an export ({reason}); nothing was imported") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{where}: no line of an export; nothing was imported")
    return tree


def _compressed(raw: bytes, facts: DreamFacts) -> bytes:
    rows, cols, layers = facts.shape
    if len(raw) != rows * cols * layers * 3 * 4:
        raise TensorRefusedError(f"{len(raw)} bytes are no tensor of {rows} x {cols} x {layers}")
    blob, sha256 = encode(np.frombuffer(raw, dtype="<f4").reshape(rows, cols, layers, 3))
    if sha256 != facts.tensor_sha256:
        raise TensorRefusedError("sha256 of the raw buffer differs from the one declared")
    return blob
