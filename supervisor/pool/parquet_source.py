"""Dreams out of a file that `supervisor pool export --format parquet --tensors` wrote, one row group at a time.

In: an open file. Out: the facts of its dreams, and the tensor of each; the tensors of one row group are in memory. It
needs the extra `parquet` (pyarrow), and is refused by name without it. Refused as well: a file without tensors, and
what is no such export.
"""

import json
from pathlib import Path
from typing import Any, BinaryIO

from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from supervisor.errors import UsageError
from supervisor.pool.export_formats import load_arrow
from supervisor.pool.exported import compressed, facts_of


class ParquetSource:
    """One file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        arrow, parquet = load_arrow()
        self._faults = (arrow.ArrowException, OSError, KeyError, IndexError)
        self._places: dict[str, tuple[int, int]] = {}
        """Row group, and row in it."""
        self._tensors: tuple[int, Any] = (-1, None)
        try:
            self._file = parquet.ParquetFile(file)
            names = [name for name in self._file.schema_arrow.names if name != "tensor"]
            if len(names) == len(self._file.schema_arrow.names):
                raise UsageError(f"{path} has no column of tensors; export with --tensors")
            self.dreams = tuple(self._facts(names, str(path)))
        except self._faults as error:
            raise UsageError(f"{path} is no export of a pool ({error}); nothing was imported") from error

    def blob(self, facts: DreamFacts) -> bytes:
        """The tensor of the file, compressed. Raises TensorRefusedError."""
        group, row = self._places[facts.id]
        try:
            if self._tensors[0] != group:
                self._tensors = (group, self._file.read_row_group(group, columns=["tensor"]).column("tensor"))
            raw = self._tensors[1][row].as_py()
        except self._faults as error:
            raise TensorRefusedError(f"it cannot be read from the file ({error})") from error
        if raw is None:
            raise TensorRefusedError("the file has no tensor of it; export with --tensors")
        return compressed(raw, facts)

    def _facts(self, names: list[str], where: str) -> list[DreamFacts]:
        found: list[DreamFacts] = []
        for group in range(self._file.num_row_groups):
            for row, tree in enumerate(self._file.read_row_group(group, columns=names).to_pylist()):
                place = f"{where} row {len(found) + 1}"
                try:
                    tree["ancestry"] = json.loads(tree["ancestry"])
                except (KeyError, TypeError, ValueError) as error:
                    raise UsageError(f"{place}: ancestry is no JSON; nothing was imported") from error
                facts = facts_of(tree, place)
                self._places[facts.id] = (group, row)
                found.append(facts)
        return found
