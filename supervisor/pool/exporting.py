"""Dreams copied out of the pool into a file of another format.

In: a reader of the pool, which dreams, a format, the path of the file. Out: the file, whole or not at all, and an
account of it. A tensor is verified before it leaves; a dream whose tensor is damaged is left out and named. Refused: a
file that exists, unless it is to be replaced.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from actors.pool_keeper.reading import DreamFilter, PoolReader
from schemas.base import Record
from schemas.tensor import Tensor
from supervisor.errors import UsageError
from supervisor.pool.export_formats import CsvSink, DreamTree, JsonLinesSink, NpzSink, ParquetSink, Sink
from supervisor.pool.verifying import CheckedTensor, DamagedDream, checked_tensors
from supervisor.recorded.exporting import new_file

Form = Literal["npz", "jsonl", "csv", "parquet"]


@dataclass(frozen=True)
class PoolExport:
    """What is exported, and where to."""

    form: Form
    output: Path
    wanted: DreamFilter
    has_tensors: bool
    is_forced: bool = False


class PoolExported(Record):
    """What was exported."""

    format: str
    output: str
    dreams: int
    has_tensors: bool
    size_bytes: int
    damaged: tuple[DamagedDream, ...]
    """Left out."""


def export_pool(reader: PoolReader, asked: PoolExport, watch: Callable[[int], None]) -> PoolExported:
    """Export what is asked for; `watch` is told of every dream. Raises UsageError and PoolError."""
    if asked.has_tensors and asked.form == "csv":
        raise UsageError("a CSV file holds no tensors; choose npz, jsonl or parquet, or leave --tensors out")
    damaged: list[DamagedDream] = []
    count = 0
    with new_file(asked.output, is_forced=asked.is_forced) as file:
        sink = _sink(reader, asked, file)
        for dream, tensor in _dreams(reader, asked, damaged):
            sink.write(dream, tensor)
            count += 1
            watch(1)
        sink.finish()
        file.seek(0, 2)
        size_bytes = file.tell()
    return PoolExported(
        format=asked.form,
        output=str(asked.output),
        dreams=count,
        has_tensors=asked.has_tensors,
        size_bytes=size_bytes,
        damaged=tuple(damaged),
    )


def _sink(reader: PoolReader, asked: PoolExport, file: BinaryIO) -> Sink:
    match asked.form:
        case "jsonl":
            return JsonLinesSink(file)
        case "csv":
            return CsvSink(file)
        case "parquet":
            return ParquetSink(file)
        case "npz":
            return NpzSink(file, _shapes(reader, asked.wanted) if asked.has_tensors else {})


def _dreams(
    reader: PoolReader, asked: PoolExport, damaged: list[DamagedDream]
) -> Iterator[tuple[DreamTree, Tensor | None]]:
    worth = reader.worth()
    for checked in _chosen(reader, asked):
        if asked.has_tensors and checked.tensor is None:
            damaged.append(DamagedDream(sequence=checked.sequence, id=checked.id, reason=checked.reason))
            continue
        yield tree_of(reader, checked.sequence, worth), checked.tensor


def _chosen(reader: PoolReader, asked: PoolExport) -> Iterator[CheckedTensor]:
    if not asked.has_tensors:
        return (CheckedTensor(sequence, i, None, "") for sequence, i in reader.sequences(asked.wanted))
    return checked_tensors(reader, asked.wanted)


def _shapes(reader: PoolReader, wanted: DreamFilter) -> dict[tuple[int, int, int], int]:
    """How many sound tensors of each shape there are."""
    found = (checked.tensor.shape for checked in checked_tensors(reader, wanted) if checked.tensor is not None)
    return dict(Counter((rows, cols, layers) for rows, cols, layers, _ in found))


def tree_of(reader: PoolReader, sequence: int, worth: dict[str, tuple[int, float]]) -> DreamTree:
    """A dream as the fields that every format has."""
    facts = reader.facts(sequence)
    given, utility = worth.get(facts.id, (0, None))
    tree = {"sequence": sequence, **facts.model_dump(mode="json"), "tensor_sha256": facts.tensor_sha256.hex()}
    return {**tree, "feedback": given, "utility": utility, "is_pinned": facts.id in reader.pinned}
