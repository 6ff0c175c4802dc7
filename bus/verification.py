"""The integrity of a recorded run: each of its segments, then all journals against each other.

In: a recording. Out: a `Verification` with a verdict on each segment and the place of everything that is wrong. The
run may still be written; it is judged as far as it was there when it was read. Nothing is changed on disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bus.agreement import Unread, compare_journals, unread_messages
from bus.journal_check import ContentCheck, Finding, JournalCheck, SegmentVerdict
from bus.recording import Recording


@dataclass(frozen=True)
class Verification:
    """What was found in the journals of a run."""

    segments: tuple[SegmentVerdict, ...]
    unread: tuple[Unread, ...] = ()
    """Messages that their receiver has not taken; none are told of a run that is still written."""

    @property
    def findings(self) -> Iterator[tuple[SegmentVerdict, Finding]]:
        """Everything that is wrong, in the order of actors and segments."""
        return ((segment, finding) for segment in self.segments for finding in segment.findings)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong; an unfinished write at the end of a journal is not wrong."""
        return not any(segment.findings for segment in self.segments)

    @property
    def is_readable(self) -> bool:
        """Whether there is something, and every file of it can be read."""
        return bool(self.segments) and all(finding.kind != "unreadable" for _, finding in self.findings)

    @property
    def cut_bytes(self) -> int:
        """Bytes of unfinished writes."""
        return sum(segment.cut_bytes for segment in self.segments)


def verify(recording: Recording, check_content: ContentCheck | None = None, *, is_live: bool = False) -> Verification:
    """Check every segment of `recording`; `is_live` when it is still written."""
    checks = {actor: JournalCheck(recording, actor, check_content).run() for actor in recording.actors()}
    compare_journals(checks, is_live=is_live)
    verdicts = tuple(verdict for check in checks.values() for verdict in check.verdicts)
    return Verification(verdicts, () if is_live else unread_messages(checks))
