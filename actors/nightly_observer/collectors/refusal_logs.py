"""Who was turned away at the door: refusals for want of a right (`bus.refusals`).

In: `logs/refusals/*.jsonl`. Out: for each night how often a door refused. Counted as such are a failed handshake, a key
that is another's, a sender without a seat, and a message that the topology has no row for; of the lines that a flood
left out those that stand before such a line. Refusals of content are no matter of rights and are passed over, and so is
the observer's own door: nights do not look at nights.
"""

from pathlib import Path
from typing import Final

from actors.nightly_observer.collectors.interface_logs import ODD
from actors.nightly_observer.collectors.log_lines import Fields, LogLines
from actors.nightly_observer.collectors.span import GuardCounts, Span, Troubles
from actors.nightly_observer.day import InputFile

FOLDER: Final = "logs/refusals"
OBSERVER: Final = "nightly-observer"
HANDSHAKE: Final = "handshake"
NO_RIGHT: Final = ("the topology has no row", "has no seat in this run", "the key is ")


def count_refusals(home: Path, span: Span, guards: GuardCounts, troubles: Troubles) -> list[InputFile]:
    """Count the refusals of every actor; the files that were read."""
    files = []
    for path in sorted(each for each in (home / FOLDER).glob("*.jsonl") if each.stem != OBSERVER):
        lines = LogLines(home, f"{FOLDER}/{path.name}", span, troubles)
        for ts_ns, fields in lines:
            match fields:
                case {"kind": str(), "reason": str(), "left_out_before": int(left_out)} if left_out >= 0:
                    if _is_of_rights(fields):
                        guards.add("acl_reject", ts_ns, 1 + left_out, 1 + left_out)
                case _:
                    troubles.add(lines.path, ODD)
        if lines.file is not None:
            files.append(lines.file)
    return files


def _is_of_rights(fields: Fields) -> bool:
    return fields["kind"] == HANDSHAKE or any(words in fields["reason"] for words in NO_RIGHT)
