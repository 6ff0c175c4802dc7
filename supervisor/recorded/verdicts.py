"""What a verification means for the one who asked: an exit code, and a JSON object.

In: a `Verification`. Out: 0 for a whole run, 3 for one that lost something, 1 for one that cannot be read; and the
verdict on each segment with the offset of each finding.
"""

from typing import Any, Final

from bus.verification import Verification

EXIT_WHOLE: Final = 0
EXIT_UNREADABLE: Final = 1
EXIT_LOSSY: Final = 3

_WORDS: Final = {EXIT_WHOLE: "whole", EXIT_UNREADABLE: "unreadable", EXIT_LOSSY: "lossy"}


def verdict_code(verification: Verification) -> int:
    """The exit code; damage that was seen weighs more than a file that could not be opened."""
    if any(finding.kind != "unreadable" for _, finding in verification.findings):
        return EXIT_LOSSY
    return EXIT_WHOLE if verification.is_readable else EXIT_UNREADABLE


def verdict_tree(run_id: str, verification: Verification) -> dict[str, Any]:
    """The verification as a JSON object."""
    code = verdict_code(verification)
    segments = [
        {
            "actor": segment.actor,
            "segment": segment.segment,
            "size_bytes": segment.size_bytes,
            "frames": segment.frames,
            "steps": segment.steps,
            "messages": segment.messages,
            "is_closed": segment.is_closed,
            "lost_frames": segment.lost_frames,
            "cut_bytes": segment.cut_bytes,
            "cut_offset": segment.cut_offset,
            "findings": [finding._asdict() for finding in segment.findings],
        }
        for segment in verification.segments
    ]
    return {
        "run_id": run_id,
        "verdict": _WORDS[code],
        "exit_code": code,
        "findings": sum(len(segment.findings) for segment in verification.segments),
        "cut_bytes": verification.cut_bytes,
        "segments": segments,
        "unread": [stream._asdict() for stream in verification.unread],
    }
