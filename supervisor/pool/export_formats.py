"""The formats that dreams are exported in: JSON Lines, CSV, NPZ, Parquet.

In: one dream after another, with its verified tensor where tensors are wanted. Out: the bytes of the file. Parquet
needs the extra `parquet` (pyarrow); without it the format is refused by name. What a format holds:

- jsonl: one object a dream; the tensor as base64 of its raw f32 buffer.
- csv: one line a dream, without tensors; lists inside a cell are JSON.
- npz: columns as arrays; for each shape `tensors_RxCxL` [n, rows, cols, layers, 3] and `ids_RxCxL`; `facts_json`, the
  lines of jsonl without tensors, from which an import makes the dreams again.
- parquet: one row a dream; the tensor as binary.
"""

import base64
import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import IO, Any, BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt

from schemas.tensor import Tensor
from supervisor.errors import UsageError

FACTS_MEMBER: Final = "facts_json"
ROW_GROUP: Final = 64
"""Dreams of one row group of a Parquet file; so many tensors are in memory at a time."""
ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Members have no time, so that the same dreams give the same file."""

DreamTree = dict[str, Any]


class Sink(Protocol):
    """Writes dreams in one format."""

    def write(self, dream: DreamTree, tensor: Tensor | None) -> None:
        """Append `dream`."""

    def finish(self) -> None:
        """Write what stands at the end of the file."""


class JsonLinesSink:
    """One JSON object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, dream: DreamTree, tensor: Tensor | None) -> None:
        """Append the line of `dream`."""
        text = None if tensor is None else base64.b64encode(_raw(tensor)).decode("ascii")
        self._file.write(_json({**dream, "tensor": text}) + b"\n")

    def finish(self) -> None:
        """Nothing stands at the end."""


class CsvSink:
    """A table with headings, as RFC 4180 has it."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._has_headings = False

    def write(self, dream: DreamTree, tensor: Tensor | None) -> None:  # noqa: ARG002 - a table holds no tensor
        """Append the line of `dream`."""
        if not self._has_headings:
            self._writer.writerow(dream)
            self._has_headings = True
        self._writer.writerow([_json(v).decode() if isinstance(v, list | tuple) else v for v in dream.values()])

    def finish(self) -> None:
        """Let go of the file, which its owner closes."""
        self._text.flush()
        self._text.detach()


class NpzSink:
    """An archive that `numpy.load` opens; tensors are written one by one, each shape into a member of its own."""

    def __init__(self, file: BinaryIO, counts: dict[tuple[int, int, int], int]) -> None:
        """`counts`: how many tensors of each shape are going to be written."""
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._counts = counts
        self._dreams: list[DreamTree] = []
        self._ids: dict[tuple[int, int, int], list[str]] = {}
        self._member: IO[bytes] | None = None
        self._member_shape: tuple[int, ...] = ()

    def write(self, dream: DreamTree, tensor: Tensor | None) -> None:
        """Append `dream`; dreams of one shape must follow each other."""
        self._dreams.append(dream)
        if tensor is None:
            return
        rows, cols, layers, _ = tensor.shape
        if tensor.shape != self._member_shape:
            self._end_member()
            self._member_shape = tensor.shape
            self._member = self._open(f"tensors_{rows}x{cols}x{layers}")
            _write_head(self._member, (self._counts[rows, cols, layers], *tensor.shape), "<f4")
        if self._member is not None:
            self._member.write(_raw(tensor))
        self._ids.setdefault((rows, cols, layers), []).append(dream["id"])

    def finish(self) -> None:
        """Write the columns and close the archive. Raises UsageError when other tensors came than were counted."""
        self._end_member()
        if {shape: len(ids) for shape, ids in self._ids.items()} != self._counts:
            raise UsageError("the pool changed while it was exported; export it again")
        for (rows, cols, layers), ids in self._ids.items():
            self._add(f"ids_{rows}x{cols}x{layers}", np.array(ids, dtype="<U36"))
        for name, kind in COLUMNS.items():
            self._add(name, np.array([_number(dream[name]) for dream in self._dreams], dtype=kind))
        lines = b"".join(_json(dream) + b"\n" for dream in self._dreams)
        self._add(FACTS_MEMBER, np.frombuffer(lines, dtype=np.uint8))
        self._archive.close()

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(zipfile.ZipInfo(f"{name}.npy", ZIP_TIME), "w", force_zip64=True)

    def _add(self, name: str, array: npt.NDArray[Any]) -> None:
        with self._open(name) as member:
            _write_head(member, array.shape, array.dtype.str)
            member.write(np.ascontiguousarray(array).tobytes())


COLUMNS: Final = {
    "sequence": "<i8", "id": "<U36", "timestamp_ns": "<i8", "source": "<U8", "chroma_signature": "<f8",
    "coherence": "<f8", "spectral_entropy": "<f8", "energy": "<f8", "generation": "<i8", "feedback": "<i8",
    "utility": "<f8", "is_pinned": "?",
}  # fmt: skip
"""Columns of an NPZ file; a utility that nobody gave is NaN."""


class ParquetSink:
    """A Parquet file, written with pyarrow."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises UsageError where pyarrow is not installed."""
        self._arrow, self._parquet = load_arrow()
        self._file = file
        self._dreams: list[DreamTree] = []
        self._writer: Any = None

    def write(self, dream: DreamTree, tensor: Tensor | None) -> None:
        """Append `dream`."""
        packed = {"ancestry": _json(dream["ancestry"]).decode(), "tensor": None if tensor is None else _raw(tensor)}
        self._dreams.append({**dream, **packed})
        if len(self._dreams) >= ROW_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the last rows and the foot."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        schema = self._schema()
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._file, schema)
        self._writer.write_table(self._arrow.Table.from_pylist(self._dreams, schema=schema))
        self._dreams = []

    def _schema(self) -> Any:
        arrow = self._arrow
        number, text, whole = arrow.float64(), arrow.string(), arrow.int64()
        kinds = {
            "sequence": whole, "id": text, "timestamp_ns": whole, "source": text, "factoid_ids": arrow.list_(text),
            "image_id": text, "parents": arrow.list_(text), "lineage_root": text, "generation": whole,
            "ancestry": text, "coherence": number, "energy": number, "chroma_signature": arrow.list_(number),
            "spectral_entropy": number, "shape": arrow.list_(whole), "tensor_sha256": text, "metadata_json": text,
            "profile_id": text, "feedback": whole, "utility": number, "is_pinned": arrow.bool_(),
            "tensor": arrow.binary(),
        }  # fmt: skip
        return arrow.schema(list(kinds.items()))


MakeSink = Callable[[BinaryIO], Sink]


def load_arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet. Raises UsageError where pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError("parquet needs pyarrow: `pip install 'oneiros[parquet]'`, or choose another format") from error
    return pa, pq


def _write_head(member: IO[bytes], shape: tuple[int, ...], kind: str) -> None:
    np.lib.format.write_array_header_1_0(member, {"descr": kind, "fortran_order": False, "shape": shape})


def _raw(tensor: Tensor) -> bytes:
    return np.ascontiguousarray(tensor, dtype="<f4").tobytes()


def _json(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def _number(value: object) -> object:
    return float("nan") if value is None else value
