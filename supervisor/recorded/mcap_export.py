"""A recorded run as an MCAP file (mcap.dev), for tools that know nothing of this program.

In: messages, and what is known of the run. Out: a file with one chunk a message, so that a flipped bit is noticed and
costs one message. Topic: SENDER/KIND; one channel for each receiver and process start, named in its metadata.
Message: one msgpack map, payloads as bin (encoding `msgpack`); schema: `supervisor.recorded.message_schema` (encoding
`jsonschema`). Log time and publish time are the wall time of the step that said the message, nanoseconds; sequence is
the message's number in its process. Metadata records: `run`, `fingerprint`, `manifest`, and `epoch SENDER/EPOCH` for
each process start. What led to a message is in the export to JSON Lines.
"""

import json
from pathlib import Path
from typing import BinaryIO, Final

from mcap.writer import CompressionType, Writer

from bus.codec import pack
from bus.recording import RecordedMessage, Recording
from bus.segment import SegmentReader
from schemas.base import Message
from supervisor.recorded.message_schema import message_schema
from supervisor.recorded.recordings import read_facts
from supervisor.runs import RunFolder

PROFILE: Final = "oneiros"
SEQUENCE_LIMIT: Final = 2**32
"""MCAP keeps 32 bits of a sequence."""
HEAD_FACTS: Final = ("actor", "role", "epoch", "predecessor", "cut_bytes", "schema", "wall_ns")

_ChannelKey = tuple[str, str, str, int]


class McapFile:
    """Writes messages into channels that are made as they are needed."""

    def __init__(self, file: BinaryIO, recording: Recording, run: RunFolder) -> None:
        self._writer = Writer(file, chunk_size=1, compression=CompressionType.NONE, enable_data_crcs=True)
        self._schemas: dict[str, int] = {}
        self._channels: dict[_ChannelKey, int] = {}
        self._writer.start(profile=PROFILE)
        for name, facts in _metadata(recording, run).items():
            self._writer.add_metadata(name, facts)

    def write(self, recorded: RecordedMessage, message: Message) -> None:
        """Append `message`."""
        self._writer.add_message(
            channel_id=self._channel(recorded, message),
            log_time=recorded.wall_ns,
            publish_time=recorded.wall_ns,
            sequence=recorded.ref.seq % SEQUENCE_LIMIT,
            data=pack(message),
        )

    def finish(self) -> None:
        """Write the summary."""
        self._writer.finish()  # type: ignore[no-untyped-call]  # mcap leaves it without annotations

    def _channel(self, recorded: RecordedMessage, message: Message) -> int:
        sender, epoch, _ = recorded.ref
        key = (sender, recorded.kind, recorded.receiver, epoch)
        if key not in self._channels:
            self._channels[key] = self._writer.register_channel(
                topic=f"{sender}/{recorded.kind}",
                message_encoding="msgpack",
                schema_id=self._schema(type(message)),
                metadata={
                    "sender": sender,
                    "receiver": recorded.receiver,
                    "kind": recorded.kind,
                    "version": str(message.version),
                    "epoch": str(epoch),
                },
            )
        return self._channels[key]

    def _schema(self, cls: type[Message]) -> int:
        if cls.kind not in self._schemas:
            text = json.dumps(message_schema(cls), ensure_ascii=False)
            self._schemas[cls.kind] = self._writer.register_schema(cls.kind, "jsonschema", text.encode())
        return self._schemas[cls.kind]


def _metadata(recording: Recording, run: RunFolder) -> dict[str, dict[str, str]]:
    """The metadata records: name to facts, all of them text."""
    facts = read_facts(run)
    told = facts.model_dump(include={"started_at_ns", "seed", "config_sha256", "fsync", "isolation", "keys"})
    found = {"run": {"run_id": run.run_id, **{name: str(value) for name, value in told.items() if value is not None}}}
    if facts.fingerprint is not None:
        found["fingerprint"] = facts.fingerprint
    if facts.problem is None:
        found["manifest"] = {"json": run.manifest_file.read_text(encoding="utf-8")}
    for actor in recording.actors():
        for name, path in recording.segments(actor):
            found.setdefault(f"epoch {actor}/{name.epoch}", {}).update(_head(path) if name.first_seq == 1 else {})
    return found


def _head(path: Path) -> dict[str, str]:
    """The facts of a process start from the head of its first segment."""
    reader = SegmentReader(path)
    head = reader.head
    reader.close()
    return {fact: _text(head[fact]) for fact in HEAD_FACTS if fact in head}


def _text(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
