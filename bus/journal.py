"""The journal of one actor: segments that only grow, one frame a step, written before anything leaves (design, section
3).

In: frames. Out: segment files `eEPOCH-sSEQ.seg` in the actor's own folder. Frames are gathered and written by one
system call at `flush`; a write that the disk takes only in part is cut back to the last whole frame. Policy `process`
syncs in a thread every 50 ms and survives any kill; `power` syncs before `flush` returns and survives a power cut.
"""

import errno
import os
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bus.actor_log import NO_SPACE
from bus.codec import BytesLike, pack
from bus.errors import JournalError, JournalFullError
from bus.frame import FrameKind, encode_head, frame_buffers
from bus.segment import SegmentName

GROUP_SYNC_S: Final = 0.05
IOV_MAX: Final = 512

FsyncPolicy = Literal["process", "power"]


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """When a segment is closed and the next begun."""

    size_bytes: int
    age_ns: int


class Journal:
    """Appends to the segments of one process start."""

    def __init__(
        self, folder: Path, head: Mapping[str, object], epoch: int, policy: FsyncPolicy, limits: SegmentLimits
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.size_bytes = 0
        self.first_seq = 1
        self._head = dict(head)
        self._epoch = epoch
        self._policy = policy
        self._limits = limits
        self._fd = -1
        self._path = folder
        self._begun_ns = 0
        self._frames = 0
        self._last_step = 0
        self._chain = 0
        self._pending: list[BytesLike] = []
        self._pending_bytes = 0
        self._pending_frames: list[tuple[int, int]] = []
        self._syncer = _Syncer() if policy == "process" else None

    def begin_segment(self, first_seq: int, wall_ns: int) -> None:
        """Start the segment whose first message will be `first_seq`; the head repeats the facts of the run.

        Raises JournalFullError, with no file left behind.
        """
        self.first_seq = first_seq
        self._path = self.folder / SegmentName(self._epoch, first_seq).file_name()
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise JournalError(f"cannot make {self._path.name}: {error}") from error
            raise JournalFullError(self._path, error.strerror or str(error)) from error
        head = encode_head(pack({**self._head, "epoch": self._epoch, "first_seq": first_seq, "wall_ns": wall_ns}))
        self._begun_ns, self._frames, self._last_step, self._chain, self.size_bytes = wall_ns, 0, 0, 0, 0
        try:
            self._write([head], len(head))
        except JournalError:
            os.close(self._fd)
            self._fd = -1
            self._path.unlink()
            raise
        if self._syncer is None:
            os.fsync(self._folder_fd)
        else:
            self._syncer.request_folder(self._folder_fd)

    def is_due(self, wall_ns: int) -> bool:
        """Whether the segment is full or old enough to be closed."""
        return self.size_bytes >= self._limits.size_bytes or wall_ns - self._begun_ns >= self._limits.age_ns

    def add(self, kind: FrameKind, step: int, wall_ns: int, body: bytes, payloads: tuple[BytesLike, ...] = ()) -> int:
        """Gather one frame; it is on disk after the next `flush`. The offset in the segment where it will begin."""
        offset = self.size_bytes + self._pending_bytes
        buffers, size, checksum = frame_buffers(kind, step, wall_ns, body, payloads)
        self._pending.extend(buffers)
        self._pending_bytes += size
        self._pending_frames.append((checksum, step))
        return offset

    def take_sync_fault(self) -> str | None:
        """What a sync that failed since the last call said."""
        if self._syncer is None:
            return None
        fault, self._syncer.fault = self._syncer.fault, None
        return fault

    @property
    def has_pending(self) -> bool:
        """Whether frames wait for a `flush`."""
        return bool(self._pending)

    def flush(self) -> None:
        """Write all gathered frames at once. Raises JournalFullError with none written and all still gathered."""
        if not self._pending:
            return
        self._write(self._pending, self._pending_bytes)
        frames = self._pending_frames
        self._pending, self._pending_bytes, self._pending_frames = [], 0, []
        for checksum, step in frames:
            self._chain = zlib.crc32(checksum.to_bytes(4, "little"), self._chain)
            self._last_step = step
        self._frames += len(frames)

    def _write(self, buffers: list[BytesLike], size: int) -> None:
        written = 0
        try:
            for at in range(0, len(buffers), IOV_MAX):
                part = buffers[at : at + IOV_MAX]
                expected = sum(map(len, part))
                taken = os.writev(self._fd, part)
                written += taken
                if taken != expected:
                    raise OSError(errno.ENOSPC, "the disk took only part of a frame")
        except OSError as error:
            os.ftruncate(self._fd, self.size_bytes)
            if error.errno not in NO_SPACE:
                raise JournalError(f"cannot append to {self._path.name}: {error}") from error
            raise JournalFullError(self._path, error.strerror or str(error)) from error
        self.size_bytes += size
        if self._syncer is None:
            os.fdatasync(self._fd)
        else:
            self._syncer.request(self._fd)

    def seal(self, wall_ns: int) -> None:
        """Gather the closing frame: count, last step, chain of checksums. Everything before it must be flushed."""
        body = pack({"frames": self._frames, "last_step": self._last_step, "chain": self._chain})
        self.add(FrameKind.CLOSE, self._last_step, wall_ns, body)

    def end_segment(self) -> None:
        """Have the sealed and flushed segment synced and closed."""
        if self._syncer is None:
            os.fdatasync(self._fd)
            os.close(self._fd)
        else:
            self._syncer.retire(self._fd)
        self._fd = -1

    def close(self) -> None:
        """Stop syncing. The open segment stays as it is, without a closing frame."""
        if self._syncer is not None:
            self._syncer.stop()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        os.close(self._folder_fd)


class _Syncer:
    """Syncs files in a thread, the open segment at most once every `GROUP_SYNC_S`; it decides nothing."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._fd = -1
        self._retired: list[int] = []
        self._folder_fd = -1
        self._is_stopping = False
        self.fault: str | None = None
        """What the last sync that failed said; the pages stay dirty and the next one tries again."""
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def request(self, fd: int) -> None:
        """Sync `fd`, the open segment, soon."""
        self._fd = fd
        if not self._wanted.is_set():
            self._wanted.set()

    def request_folder(self, folder_fd: int) -> None:
        """Sync the folder of a new segment soon."""
        self._folder_fd = folder_fd

    def retire(self, fd: int) -> None:
        """Sync `fd`, which is not written to again, and close it."""
        with self._lock:
            self._fd = -1
            self._retired.append(fd)
        self._wanted.set()

    def forget(self) -> None:
        """Return once no sync of the open segment is under way, and start none."""
        with self._lock:
            self._fd = -1

    def stop(self) -> None:
        """Finish what is retired and end the thread."""
        self._is_stopping = True
        self.forget()
        self._wanted.set()
        self._thread.join()
        self._sync()

    def _run(self) -> None:
        pause = threading.Event()
        while not self._is_stopping:
            self._wanted.wait()
            self._wanted.clear()
            self._sync()
            if not self._is_stopping:
                pause.wait(GROUP_SYNC_S)

    def _sync(self) -> None:
        with self._lock:
            folder_fd, self._folder_fd = self._folder_fd, -1
            retired, self._retired = self._retired, []
            fd = os.dup(self._fd) if self._fd >= 0 else -1
        for ended in (*retired, fd):
            if ended >= 0:
                try:
                    os.fdatasync(ended)
                except OSError as error:
                    self.fault = str(error)
                finally:
                    os.close(ended)
        if folder_fd >= 0:
            os.fsync(folder_fd)
