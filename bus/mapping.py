"""Segments of journals as mapped memory: what is read there is copied nowhere.

In: the path of a segment and a stretch of it. Out: a read-only view of these bytes, which lives for as long as somebody
holds it, also when the file is deleted meanwhile. A file that grew is mapped anew. Refused: a stretch that the file
does not have. The bytes are not checked: whoever takes a view knows their hash. Whole frames of a journal never change
and are never cut off, for which reason only stretches within them may be asked for.
"""

import mmap
import os
from pathlib import Path
from typing import Final

from bus.files import open_to_read

MOST_MAPS: Final = 32
"""Files that are mapped at a time."""


class MappedFiles:
    """Maps files when they are first read."""

    def __init__(self) -> None:
        self._maps: dict[str, memoryview] = {}

    def view(self, path: str, start: int, end: int) -> memoryview:
        """The bytes from `start` to `end`. Raises OSError, ValueError when the file has fewer."""
        mapped = self._maps.get(path)
        if mapped is None or end > len(mapped):
            mapped = self._map(path)
        if not 0 <= start <= end <= len(mapped):
            raise ValueError(f"{path} has {len(mapped)} bytes, not {end}")
        return mapped[start:end]

    def close(self) -> None:
        """Let go of all files; views that somebody holds stay."""
        self._maps.clear()

    def _map(self, path: str) -> memoryview:
        descriptor = open_to_read(Path(path))
        try:
            size = os.fstat(descriptor).st_size
            whole = memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b"")
        finally:
            os.close(descriptor)
        self._maps.pop(path, None)
        while len(self._maps) >= MOST_MAPS:
            del self._maps[next(iter(self._maps))]
        self._maps[path] = whole
        return whole
