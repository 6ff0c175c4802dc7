"""A recorded run with a whole loop in it, for tests of its audit: lawful, until a test adds to it.

In: a home. Out: a manifest, the journals of four actors that agree with each other, and the means to write into them
what no honest process writes.
"""

import json
import shutil
from datetime import UTC, datetime
from typing import Any

from bus.codec import encode_body
from bus.core import Fired, MessageRef
from bus.frame import FrameKind
from bus.recovery import frames_of
from bus.step import Heard, StepRecord, encode_step
from schemas.base import Message
from schemas.dreams import DreamEntry
from schemas.ids import RunId
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import LOOP, seats_of
from supervisor.recorded.auditing import AuditReport, AuditRequest, audit_run
from supervisor.runs import RunFigures, RunFolder
from supervisor.stats import SECTION_OF
from tests.recorded_run import BEGAN_NS, Loop, Writer

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BOXED = Protection("landlock+seccomp", "curve")
PROFILE = MessageRef("bias-synthesizer", 1, 1)
"""The profile that the dreamer took."""


class Court:
    """A recorded run of two rounds, in which a profile reached the dreamer and the pool-keeper; and its audit."""

    def __init__(self, home: Home, examples: dict[str, Message]) -> None:
        self.home, self.examples = home, examples
        manifest = make_manifest(load_configuration(Sources(home)), "ab" * 32, seats_of(LOOP), 1, MOMENT, BOXED)
        self.run = RunFolder(home, RunId(manifest.run_id))
        self.run.write_manifest(manifest)
        dream = examples["DreamEntry"]
        assert isinstance(dream, DreamEntry)
        self.loop = Loop(self.run.journal, dream)
        self.dreamer, self.keeper, self.learner = self.loop.writers
        self.synthesizer = Writer(self.run.journal, "bias-synthesizer")
        self.writers = [*self.loop.writers, self.synthesizer]
        for _ in range(2):
            self.loop.turn()
        stored = self.say(self.keeper, "bias-synthesizer", "FeedbackStored")
        profile = examples["BiasProfile"]
        self.synthesizer.step(stored, [("dreamer", profile), ("pool-keeper", profile)])
        self.dreamer.step(PROFILE)
        self.keeper.step(PROFILE._replace(seq=2))

    def join(self, actor: str, after: Writer | None = None) -> Writer:
        """A further process."""
        self.writers.append(Writer(self.run.journal, actor, after))
        return self.writers[-1]

    def leave(self) -> None:
        """End all processes as a kill does."""
        while self.writers:
            self.writers.pop().crash()

    def forget(self, *actors: str) -> None:
        """End all processes, and remove the journals of `actors`."""
        self.leave()
        for actor in actors:
            shutil.rmtree(self.run.journal / actor)

    def say(self, sender: Writer, receiver: str, kind: str) -> MessageRef:
        """`sender` says an example of `kind` to `receiver`."""
        sender.step(Fired("tick"), [(receiver, self.examples[kind])])
        return MessageRef(sender.actor, sender.epoch, sender._numbering.last_seq)

    def put(self, writer: Writer, record: StepRecord) -> None:
        """Write a step as it stands."""
        writer.step_number += 1
        body, payloads = encode_step(record)
        writer.journal.add(FrameKind.STEP, writer.step_number, writer.now_ns, body, payloads)
        writer.journal.flush()

    def heard(self, kind: str, ref: MessageRef, **changes: object) -> None:
        """The dreamer takes `ref`, and keeps an example of `kind`."""
        message = self.examples[kind].model_copy(update=changes)
        heard = Heard(message.kind, message.version, encode_body(message))
        self.put(self.dreamer, StepRecord(ref, bytes(8), (), None, heard))

    def refuse_on_socket(self, actor: str, *lines: dict[str, Any] | str, **fields: object) -> None:
        folder = self.home.logs / "refusals"
        folder.mkdir(parents=True, exist_ok=True)
        plain = {"ts_ns": BEGAN_NS, "actor": actor, "sender": "stranger", "kind": "DreamEntry", "reason": "no seat"}
        plain |= {"count": 1, "left_out_before": 0} | fields
        with (folder / f"{actor}.jsonl").open("a") as file:
            for line in lines or ({},):
                file.write((line if isinstance(line, str) else json.dumps(plain | line)) + "\n")

    def audit(self, *actors: str) -> AuditReport:
        return audit_run(AuditRequest(self.home, "latest", actors))

    def close(self, reason: str = "down") -> None:
        """Let all processes stop in order, and close the run, in which each of them has reported figures."""
        while self.writers:
            self.writers.pop().stop()
        self.mark_closed(reason)

    def mark_closed(self, reason: str = "down") -> None:
        """Close the run, whatever its journals look like."""
        figures = {"run_id": self.run.run_id, "reason": reason, "at": "2026-01-01T00:01:00.000Z", "uptime_s": 60.0}
        sections = {section: {"refused": 0} for section in SECTION_OF.values()}
        self.run.close(RunFigures(**figures, sections=sections))


def last_frame(writer: Writer) -> tuple[str, int]:
    """Segment and offset of the last frame."""
    *_, last = frames_of(writer.path)
    return writer.path.name, last.offset


def kinds(report: AuditReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def counts(report: AuditReport) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {
        (row.sender, row.message, row.receiver): (row.count, row.refused)
        for row in report.rows
        if row.count or row.refused
    }
