"""Tensors in append-only files beside the pool file: `pool/blobs/NNNNNN.blob`, many blobs in each.

In: blobs to append, places to read. Out: places (segment, offset, length), which the pool file keeps in the row of the
dream together with the tensor's SHA-256. A file holds blobs end to end and nothing else. Committed bytes are never
written again: what was appended since the last commit is cut off when that is rolled back, and at start, where it is
counted. A file that ends before its last committed blob is reported and never appended to; a file that the pool file
does not know is what an interrupted compaction or migration left, and is removed. It verifies nothing: that a blob is
its tensor, the SHA-256 says, to whoever decodes it.
"""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from actors.pool_keeper.rows import StoredTensor
from bus.core import MessageRef
from bus.files import sync_folder
from bus.mapping import MappedFiles

BLOB_FOLDER: Final = "pool/blobs"
INLINE_BYTES: Final = 16 * 1024
"""A blob up to this size stays in its row, where one page holds it."""
NO_SEGMENT: Final = 0
SUFFIX: Final = ".blob"
MOST_SOUND: Final = 65536
"""So many places of sound blobs are remembered."""
EAGER_BYTES: Final = 1024 * 1024
"""So much more has the disk to write before it is told to begin."""


class Place(NamedTuple):
    """Where a blob lies."""

    segment: int
    offset: int
    length: int


class Growth(NamedTuple):
    """What a commit adds to a segment."""

    segment: int
    size_bytes: int
    """Its length now."""
    added_bytes: int


def segment_path(folder: Path, segment: int) -> Path:
    """The file of a segment."""
    return folder / f"{segment:06d}{SUFFIX}"


def read_blob(folder: Path, place: Place) -> bytes:
    """The bytes at `place`, fewer when the file has fewer, none when it or the disk cannot be read. Raises OSError."""
    try:
        descriptor = os.open(segment_path(folder, place.segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, place.length, place.offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EIO):
            return b""
        raise


def tensor_of(folder: Path, row: Sequence[Any]) -> StoredTensor:
    """The tensor of a row of `rows.SELECT_TENSOR`, as it lies in the pool whose segments are in `folder`, not verified.

    Raises OSError.
    """
    tensor = described(row)
    return tensor if tensor.place is None else tensor._replace(blob=read_blob(folder, Place(*tensor.place)))


def described(row: Sequence[Any]) -> StoredTensor:
    """The tensor of a row of `rows.SELECT_TENSOR` without the blob that lies in a segment."""
    run_id, sender, epoch, seq, n_rows, n_cols, n_layers, sha256, inline, *found = row
    place = None if found[0] is None else Place(*found)
    return StoredTensor(run_id, MessageRef(sender, epoch, seq), (n_rows, n_cols, n_layers), sha256, inline, place)


class BlobFiles:
    """The segments of one pool, open for appending."""

    def __init__(self, folder: Path, known: Mapping[int, int], segment_bytes: int, is_synced: bool = False) -> None:
        """`known`: committed length of each segment. `segment_bytes`: no blob is begun behind it. Raises OSError.

        `is_synced`: each commit is going to wait for the disk, which therefore begins to write before it.
        """
        self.cut_bytes = 0
        """Bytes that no committed row names and that were removed at start."""
        self.missing: dict[int, int] = {}
        """Committed bytes that were not there at start, by segment."""
        self._folder = folder
        self._prefix = f"{folder}/"
        self._segment_bytes = segment_bytes
        self._is_synced = is_synced
        self._descriptor = -1
        self._is_new = False
        folder.mkdir(parents=True, exist_ok=True)
        self._clear_away(known)
        for segment, size in known.items():
            self._repair(segment, size)
        self._segment = self._kept_segment = max(known, default=NO_SEGMENT)
        self._size = self._kept_size = known.get(self._segment, 0)
        self._begun_bytes = self._size
        self._is_sealed = self._segment in self.missing
        self._added: dict[int, int] = {}
        self._mapped = MappedFiles()
        self._sound: set[Place] = set()

    @property
    def current(self) -> int:
        """The segment that grows."""
        return self._segment

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was found and mended at start, in words."""
        cut = [f"{BLOB_FOLDER}: removed {self.cut_bytes} bytes that no committed row names"] if self.cut_bytes else []
        lost = [
            f"{BLOB_FOLDER}: {size} committed bytes of segment {segment} are missing; their dreams cannot be served"
            for segment, size in self.missing.items()
        ]
        return (*cut, *lost)

    @property
    def folder(self) -> Path:
        """Where the segments lie."""
        return self._folder

    def append(self, blob: bytes | memoryview) -> Place:
        """Write `blob` behind all others. Raises OSError; then call `roll_back`."""
        if self._segment == NO_SEGMENT or self._is_sealed or self._size >= self._segment_bytes:
            self._begin()
        elif self._descriptor < 0:
            self._open()
        place = Place(self._segment, self._size, len(blob))
        self._added.setdefault(self._segment, 0)
        view = memoryview(blob)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._size += len(blob)
        self._added[self._segment] += len(blob)
        if self._is_synced and self._size - self._begun_bytes >= EAGER_BYTES:
            self._begin_writing()
        return place

    def tensors(self, found: Iterable[Sequence[Any]]) -> list[StoredTensor]:
        """The tensors of rows of `rows.SELECT_TENSOR`; a blob is a view once it was found sound. Raises OSError."""
        lengths: dict[str, int] = {}
        return [self._tensor(described(row), lengths) for row in found]

    def _tensor(self, tensor: StoredTensor, lengths: dict[str, int]) -> StoredTensor:
        if tensor.place is None:
            return tensor
        place = Place(*tensor.place)
        view = self._view(place, lengths) if place in self._sound else None
        if view is None:
            return tensor._replace(blob=self.read(place))
        return tensor._replace(blob=view, is_sound=True)  # type: ignore[arg-type]  # read as bytes are

    def call_sound(self, place: Place) -> None:
        """The blob at `place` is its tensor."""
        if len(self._sound) >= MOST_SOUND:
            self._sound.clear()
        self._sound.add(place)

    def _view(self, place: Place, lengths: dict[str, int]) -> memoryview | None:
        """The bytes at `place` in the mapped file, which they outlive; None when the file has them no more."""
        path, end = f"{self._prefix}{place.segment:06d}{SUFFIX}", place.offset + place.length
        if path not in lengths:
            try:
                lengths[path] = os.stat(path).st_size
            except FileNotFoundError:
                lengths[path] = 0
        return self._mapped.view(path, place.offset, end) if lengths[path] >= end else None

    def read(self, place: Place) -> bytes:
        """The bytes at `place`; see `read_blob`."""
        return read_blob(self._folder, place)

    def holds(self, places: Sequence[Place]) -> bool:
        """Whether the files are long enough for all of `places`."""
        ends: dict[int, int] = {}
        for segment, offset, length in places:
            ends[segment] = max(ends.get(segment, 0), offset + length)
        try:
            return all(self._length(segment) >= end for segment, end in ends.items())
        except FileNotFoundError:
            return False

    def growth(self) -> list[Growth]:
        """What was appended since the last `settle`, by segment."""
        return [
            Growth(segment, self._size if segment == self._segment else self._length(segment), added)
            for segment, added in self._added.items()
        ]

    def sync(self) -> None:
        """Bring what was appended to the disk. Raises OSError."""
        for segment in self._added:
            if segment != self._segment:
                self.sync_segment(segment)
        if self._added:
            os.fdatasync(self._descriptor)
        if self._is_new:
            sync_folder(self._folder)
            self._is_new = False

    def sync_segment(self, segment: int) -> None:
        """Bring one segment to the disk, from any thread; one that is gone needs none. Raises OSError."""
        try:
            descriptor = os.open(segment_path(self._folder, segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def settle(self) -> None:
        """The commit that names what was appended is done."""
        self._added.clear()
        self._kept_segment, self._kept_size = self._segment, self._size

    def roll_back(self) -> None:
        """Cut off what was appended since the last `settle`."""
        if not self._added and self._segment == self._kept_segment:
            return
        for segment in range(self._kept_segment + 1, self._segment + 1):
            segment_path(self._folder, segment).unlink(missing_ok=True)
        if self._segment != self._kept_segment:
            self._close_descriptor()
        self._sound.clear()
        self._mapped.close()
        self._segment, self._size = self._kept_segment, self._kept_size
        self._begun_bytes = self._size
        self._is_sealed = self._segment in self.missing
        self._added.clear()
        if self._segment != NO_SEGMENT and not self._is_sealed and self._length(self._segment) > self._size:
            os.truncate(segment_path(self._folder, self._segment), self._size)

    def remove(self, segment: int) -> None:
        """Delete a segment that no row names any more. Raises OSError."""
        self._mapped.close()
        segment_path(self._folder, segment).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files."""
        self._mapped.close()
        self._close_descriptor()

    def _begin_writing(self) -> None:
        """Let the disk write what is new while more comes: what is dirty is written, and only what is clean dropped."""
        length = self._size - self._begun_bytes
        os.posix_fadvise(self._descriptor, self._begun_bytes, length, os.POSIX_FADV_DONTNEED)
        self._begun_bytes = self._size

    def _begin(self) -> None:
        self._close_descriptor()
        self._segment, self._size, self._is_sealed = self._segment + 1, 0, False
        self._begun_bytes = 0
        self._is_new = True
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(segment_path(self._folder, self._segment), flags, 0o644)

    def _close_descriptor(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _length(self, segment: int) -> int:
        return segment_path(self._folder, segment).stat().st_size

    def _clear_away(self, known: Mapping[int, int]) -> None:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if not path.stem.isdigit() or int(path.stem) not in known:
                self.cut_bytes += path.stat().st_size
                path.unlink()

    def _repair(self, segment: int, size: int) -> None:
        path = segment_path(self._folder, segment)
        found = path.stat().st_size if path.exists() else 0
        if found < size:
            self.missing[segment] = size - found
        elif found > size:
            os.truncate(path, size)
            self.cut_bytes += found - size
