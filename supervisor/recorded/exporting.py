"""Exporting a recorded run into a file of another format.

In: a run, a sink for its messages, the path of the file. Out: the file, whole or not at all, with the messages of all
actors in the order of their wall time, those of one actor always in its order. Refused: a file that exists, unless
the export is forced; a path that is no ordinary file. Messages that cannot be read are left out, counted, and said.
"""

import heapq
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from bus.errors import DecodeError, MissingInputError
from bus.files import sync_folder
from bus.recording import RecordedMessage, Recording
from bus.stream import Damage
from schemas.base import Message, Record
from supervisor.errors import UsageError
from supervisor.recorded.recordings import open_recording
from supervisor.runs import RunFolder

STANDARD_OUTPUT: Final = "-"
"""What other programs call their standard output; no file gets that name."""
MOST_LOSSES: Final = 20
"""Losses that are told one by one."""


class Sink(Protocol):
    """Writes messages in one format."""

    def write(self, recorded: RecordedMessage, message: Message) -> None:
        """Append `message`."""

    def finish(self) -> None:
        """Write what stands at the end of a file."""


class Exported(Record):
    """What was exported."""

    run_id: str
    format: str
    output: str
    messages: int
    size_bytes: int
    """Of the file."""
    lost: int
    """Stretches of the journals and messages that could not be read."""
    losses: tuple[str, ...]
    """The first of them, each with its place."""


@dataclass(frozen=True)
class ExportRequest:
    """What is exported, and where to."""

    run: RunFolder
    format: str
    output: Path
    is_forced: bool = False


def export_run(
    request: ExportRequest,
    make_sink: Callable[[BinaryIO, Recording], Sink],
    watch: Callable[[int], None] | None = None,
) -> Exported:
    """Export `request.run`; `watch` is called with the bytes read. Raises NoJournalError and UsageError."""
    recording = open_recording(request.run)
    if watch is not None:
        recording.watch = watch
    losses: list[str] = []
    count = 0
    with new_file(request.output, is_forced=request.is_forced) as file:
        sink = make_sink(file, recording)
        for recorded in merged_messages(recording, losses):
            try:
                message = recording.decode(recorded)
            except (DecodeError, MissingInputError) as error:
                losses.append(f"{recorded.message_id} ({recorded.kind}): {error}")
                continue
            sink.write(recorded, message)
            count += 1
        sink.finish()
        size_bytes = file.tell()
    recording.close()
    return Exported(
        run_id=request.run.run_id,
        format=request.format,
        output=str(request.output),
        messages=count,
        size_bytes=size_bytes,
        lost=len(losses),
        losses=tuple(losses[:MOST_LOSSES]),
    )


def merged_messages(recording: Recording, losses: list[str]) -> Iterator[RecordedMessage]:
    """The messages of all actors by wall time; `losses` grows by each damaged stretch."""
    streams = (_readable(recording, actor, losses) for actor in recording.actors())
    return heapq.merge(*streams, key=lambda message: message.wall_ns)


def _readable(recording: Recording, actor: str, losses: list[str]) -> Iterator[RecordedMessage]:
    for item in recording.messages(actor):
        if isinstance(item, Damage):
            losses.append(f"{actor}/{item.segment} at {item.offset}: {item.reason}")
        else:
            yield item


@contextmanager
def new_file(path: Path, *, is_forced: bool) -> Iterator[BinaryIO]:
    """A file that has the name `path` once the body is done, and does not exist when it fails. Raises UsageError."""
    _refuse(path, is_forced=is_forced)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse(path, is_forced=is_forced)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _refuse(path: Path, *, is_forced: bool) -> None:
    if str(path) == STANDARD_OUTPUT:
        raise UsageError(
            f"--output {path}: an export is whole or not there, so it is no stream; name a file "
            "(`supervisor topic echo --json` writes messages to standard output)"
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it, or name another file")
    if not os.path.lexists(path):
        return
    if not path.is_file() or path.is_symlink():
        raise UsageError(f"{path} is not an ordinary file; name another one with --output")
    if not is_forced:
        raise UsageError(f"{path} exists; name another file with --output, or replace it with --force")


def mcap_sink(run: RunFolder) -> Callable[[BinaryIO, Recording], Sink]:
    """Makes the sink for MCAP; raises UsageError where the package mcap is missing."""
    try:
        from supervisor.recorded.mcap_export import McapFile
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcap":
            raise
        raise UsageError("an export to MCAP needs the package mcap: pip install 'oneiros[export]'") from error
    return lambda file, recording: McapFile(file, recording, run)


def json_lines_sink(*, has_payloads: bool) -> Callable[[BinaryIO, Recording], Sink]:
    """Makes the sink for JSON Lines."""
    from supervisor.recorded.jsonl_export import JsonLines

    return lambda file, _recording: JsonLines(file, has_payloads=has_payloads)
