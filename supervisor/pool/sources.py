"""Where dreams are imported from: the pool of another home, or a file that `supervisor pool export` wrote.

In: a folder or a file. Out: the facts of its dreams, and the tensor of each as a verified blob. Tensors are read one by
one: none but the one that is asked for is in memory. Refused, before anything is changed: a file that is cut short or
is no export with tensors, by the place of its first fault; a format that holds no tensors.
"""

import base64
import binascii
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.reading import DreamFilter, PoolMissingError, PoolReader
from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from schemas.tensor import decode
from supervisor.errors import UsageError
from supervisor.pool.archive_source import NpzSource
from supervisor.pool.exported import compressed, facts_of, tree_of_line
from supervisor.pool.parquet_source import ParquetSource

ZIP_MARK: Final = b"PK\x03\x04"
PARQUET_MARK: Final = b"PAR1"
CSV_MARK: Final = b"sequence,id,"
FORMATS: Final = "npz, jsonl or parquet, the last two with --tensors"


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
                tree = tree_of_line(line, f"{path} line {number}")
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
            tree = tree_of_line(file.readline(), str(self._path))
        try:
            raw = base64.b64decode(tree["tensor"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise TensorRefusedError(f"no base64 ({error})") from error
        return compressed(raw, facts)


@contextmanager
def opened_source(path: Path) -> Iterator[DreamSource]:
    """The dreams at `path`: a home, or an export. Raises UsageError and PoolError."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise UsageError(f"{path} cannot be looked at ({error.strerror}); nothing was imported") from error
    if is_folder:
        with _pool_of(path) as reader:
            yield HomeSource(reader)
        return
    if not is_file:
        raise UsageError(f"{path} is neither the home of a pool nor a file; name one of them")
    with path.open("rb") as file:
        mark = file.read(len(CSV_MARK))
        file.seek(0)
        if mark.startswith(CSV_MARK):
            raise UsageError(f"{path} is a CSV file, which holds no tensors; import a home, or an export as {FORMATS}")
        if mark.startswith(PARQUET_MARK):
            yield ParquetSource(file, path)
        elif mark.startswith(ZIP_MARK):
            with closing(NpzSource(file, path)) as archive:
                yield archive
        else:
            yield JsonLinesSource(path)


def _pool_of(home: Path) -> PoolReader:
    try:
        return PoolReader(home)
    except PoolMissingError as error:
        raise UsageError(f"{error}; name a home that has one, or an export as {FORMATS}") from error
