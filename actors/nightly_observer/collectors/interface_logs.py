"""What the pool-keeper logged of a day: dreams stored, queries answered, feedback given (seed 000, section 7).

In: `logs/interface/*.jsonl`, and the row of each known dream. Out: the sequences that were stored in the day, answers
and feedback as arrays. Records that lack a field, or have one of another type, are counted; so are dreams that nobody
knows. A line costs some bytes of an array, however long it is.
"""

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from actors.nightly_observer.collectors.log_lines import Fields, LogLines
from actors.nightly_observer.collectors.span import GuardCounts, Span, Troubles
from actors.nightly_observer.day import Answers, Feedback

FOLDER: Final = "logs/interface"
SHA_REFUSED: Final = "sha256 of the raw buffer differs"
LARGEST: Final = 1e12
"""Beyond it a number is no utility: sums of a million such are finite."""
ODD: Final = "record of another form"
UNKNOWN: Final = "dream that the snapshot does not know"


@lru_cache(maxsize=1024)
def code_of(*names: str) -> int:
    """A number for some names: equal for equal names, and for others practically never."""
    digest = hashlib.blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def stored_in(lines: LogLines, span: Span, guards: GuardCounts, troubles: Troubles) -> "Stored":
    """The sequences that were stored in the day, and what was refused for its bytes."""
    stored = Stored()
    for ts_ns, fields in lines:
        match fields:
            case {"event": "stored", "sequence": int(sequence)} if 0 < sequence < 2**63:
                guards.add("sha_reject", ts_ns, 0)
                if span.is_tonight(ts_ns):
                    stored.sequences.append(sequence)
            case {"event": "refused", "reason": str(reason)}:
                if SHA_REFUSED in reason:
                    guards.add("sha_reject", ts_ns, 1)
            case {"event": "duplicate"}:
                pass
            case _:
                troubles.add(lines.path, ODD)
    stored.is_known = lines.file is not None
    return stored


@dataclass
class Stored:
    """Dreams that a log says were stored in the day."""

    sequences: "array[int]" = field(default_factory=lambda: array("q"))
    is_known: bool = False
    """Whether there is a log that could say so."""


@dataclass
class FeedbackRows:
    """Feedback on known dreams, as it comes."""

    row: "array[int]" = field(default_factory=lambda: array("q"))
    ts_ns: "array[int]" = field(default_factory=lambda: array("q"))
    utility: "array[float]" = field(default_factory=lambda: array("d"))
    contribution: "array[float]" = field(default_factory=lambda: array("d"))
    query: "array[int]" = field(default_factory=lambda: array("q"))
    learner: "array[int]" = field(default_factory=lambda: array("q"))
    unknown: int = 0

    def take(self, rows: Mapping[str, int], ts_ns: int, fields: Fields) -> bool:
        """Add one record; False for one of another form."""
        match fields:
            case {
                "entry_id": str(entry),
                "query_id": str(query),
                "learner": str(learner),
                "utility": int() | float() as utility,
                "contribution": int() | float() as contribution,
            } if _is_number(utility) and _is_number(contribution):
                pass
            case _:
                return False
        row = rows.get(entry)
        if row is None:
            self.unknown += 1
            return True
        self.row.append(row)
        self.ts_ns.append(ts_ns)
        self.utility.append(utility)
        self.contribution.append(contribution)
        self.query.append(code_of(query, learner))
        self.learner.append(code_of(learner))
        return True

    def arrays(self) -> Feedback:
        """All of it, oldest first."""
        ts_ns = np.array(self.ts_ns, dtype=np.int64)
        order = np.argsort(ts_ns, kind="stable")
        whole = (self.row, self.query, self.learner)
        row, query, learner = (np.array(column, dtype=np.int64)[order] for column in whole)
        utility, contribution = (
            np.array(column, dtype=np.float64)[order] for column in (self.utility, self.contribution)
        )
        return Feedback(row, ts_ns[order], utility, contribution, query, learner)


def take_feedback(lines: LogLines, rows: Mapping[str, int], into: FeedbackRows, troubles: Troubles) -> None:
    """Add the feedback that was stored."""
    for ts_ns, fields in lines:
        match fields:
            case {"event": "stored"}:
                if not into.take(rows, ts_ns, fields):
                    troubles.add(lines.path, ODD)
            case {"event": "duplicate" | "refused"}:
                pass
            case _:
                troubles.add(lines.path, ODD)


def answers_in(lines: LogLines, rows: Mapping[str, int], troubles: Troubles) -> tuple[Answers, int]:
    """The answers to queries, and how many dreams of them nobody knows."""
    times, starts, found = array("q"), array("q", [0]), array("q")
    unknown = 0
    for ts_ns, fields in lines:
        match fields:
            case {"event": "answered", "entry_ids": list(ids)} if all(isinstance(each, str) for each in ids):
                known = [rows[each] for each in ids if each in rows]
                unknown += len(ids) - len(known)
                times.append(ts_ns)
                found.extend(known)
                starts.append(len(found))
            case {"event": str()} if fields["event"] != "answered":
                pass
            case _:
                troubles.add(lines.path, ODD)
    columns = (np.array(column, dtype=np.int64) for column in (times, starts, found))
    return Answers(*columns), unknown


def _is_number(value: float) -> bool:
    return not isinstance(value, bool) and -LARGEST <= value <= LARGEST
