"""Reading below a folder of EQNet's without leaving a trace there.

In: the folder and the date of the night. Out: what each known file holds of that night, an `InputManifest`, and every
problem counted by what is wrong. Files are opened for reading alone, links are not followed, nothing is made. Read as
UTF-8 with or without a byte order mark, lines ended by LF or CRLF; NaN and Infinity are refused. A damaged line or
document costs itself and nothing else.
"""

import datetime as dt
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from actors.nightly_observer.collectors.eqnet.shapes import (
    DocumentShape,
    Item,
    Json,
    QualiaRow,
    ReplayEvent,
    TraceRow,
    date_of,
    item,
    qualia_row,
    replay_event,
    shape_of_document,
    shape_of_row,
    trace_row,
)
from actors.nightly_observer.day import InputFile, InputManifest, Problem

MAX_DEPTH: Final = 8
MAX_FILES: Final = 20_000
MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
BOM: Final = b"\xef\xbb\xbf"
PASSED_OVER: Final = frozenset({"node_modules", "__pycache__", "venv"})
_NAMED_DATE: Final = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")
_IDS: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{4,}|(?=[a-fA-F]*\d)[0-9a-fA-F]{9,}")


class Document(NamedTuple):
    """One report."""

    shape: DocumentShape
    value: Json
    path: str
    sha256: str
    date: str | None


@dataclass
class Gathered:
    """What was read of one night."""

    date: str
    documents: list[Document] = field(default_factory=list)
    events: list[ReplayEvent] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    """Of the last night in the log: a night ends where a trace comes again."""
    seen_items: set[str] = field(default_factory=set)
    """Traces of that night."""
    traces: list[TraceRow] = field(default_factory=list)
    qualia: list[QualiaRow] = field(default_factory=list)
    monument_episodes: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    files: list[InputFile] = field(default_factory=list)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def manifest(self) -> InputManifest:
        """The files that were read, by path."""
        return InputManifest(tuple(sorted(self.files)))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used."""
        return tuple(Problem(source, what, count) for (source, what), count in sorted(self.faults.items()))

    def fault(self, source: str, what: str) -> None:
        """Count a problem."""
        self.faults[source, what] += 1


class _NotFiniteError(ValueError):
    """NaN or Infinity."""


def gather(root: Path, date: str) -> Gathered:
    """What is below `root` of the night of `date`."""
    found = Gathered(date)
    for path in _files(root, found):
        relative = path.relative_to(root).as_posix()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                (_read_lines if path.suffix == ".jsonl" else _read_document)(file, relative, found)
        except OSError:
            found.fault(masked(relative), "cannot be opened")
    return found


def masked(path: str) -> str:
    """`path` without what may be an id in it."""
    return _IDS.sub("*", path)


def _files(root: Path, found: Gathered) -> Iterator[Path]:
    """JSON and JSONL files below `root`, by path."""
    paths: list[Path] = []
    for folder, folders, names in os.walk(root, followlinks=False, onerror=lambda _: found.fault(".", "closed folder")):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(
            name for name in folders if depth < MAX_DEPTH and name not in PASSED_OVER and not name.startswith(".")
        )
        paths += [Path(folder, name) for name in names if name.endswith((".json", ".jsonl"))]
    if len(paths) > MAX_FILES:
        found.faults[".", "files beyond the limit"] += len(paths) - MAX_FILES
    yield from sorted(paths)[:MAX_FILES]


def _read_document(file: BinaryIO, path: str, found: Gathered) -> None:
    raw = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(raw) > MAX_DOCUMENT_BYTES:
        found.fault(masked(path), "document is too large")
        return
    value = _parsed(raw.removeprefix(BOM), path, found)
    if value is None:
        return
    shape = shape_of_document(value)
    if shape is None:
        found.fault(masked(path), f"shape is not known: {masked(Path(path).name)}")
        return
    date = _date_of_document(value, shape, path)
    if not _is_of_night(date, shape, found.date):
        return
    digest = hashlib.sha256(raw).hexdigest()
    found.files.append(InputFile(masked(path), len(raw), digest, len(raw)))
    found.documents.append(Document(shape, value, path, digest, date))


def _read_lines(file: BinaryIO, path: str, found: Gathered) -> None:
    """Every complete line of a log; its digest is of the lines that count."""
    digest, counted, unknown = hashlib.sha256(), 0, False
    for at, line in enumerate(_lines(file, path, found)):
        text = (line.removeprefix(BOM) if at == 0 else line).strip()
        row = _parsed(text, path, found) if text else None
        if row is None:
            continue
        shape = shape_of_row(row) if isinstance(row, dict) else None
        if shape is None:
            found.fault(masked(path), f"shape is not known: {masked(Path(path).name)}")
            unknown = True
        elif _TAKERS[shape](found, row, path):
            found.counts[shape] += 1
            digest.update(line)
            counted += len(line)
    if counted or not unknown:
        found.files.append(InputFile(masked(path), os.fstat(file.fileno()).st_size, digest.hexdigest(), counted))


def _lines(file: BinaryIO, path: str, found: Gathered) -> Iterator[bytes]:
    """Lines with their ends; one that is too long is passed over in pieces."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            found.fault(masked(path), "line is too long")
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            continue
        yield line


def _parsed(raw: bytes, path: str, found: Gathered) -> Any:
    """The JSON value of `raw`; None, and a problem, for what is none."""
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except _NotFiniteError:
        found.fault(masked(path), "number is not finite")
    except UnicodeDecodeError:
        found.fault(masked(path), "bytes are no UTF-8")
    except (ValueError, RecursionError):
        found.fault(masked(path), "is no JSON")
    return None


def _refuse(name: str) -> float:
    raise _NotFiniteError(name)


def _date_of_document(value: Json, shape: DocumentShape, path: str) -> str | None:
    """The date that a report says it is of; None when it says none."""
    if shape == "weekly_audit":
        return _text(value.get("day")) or _text(value["nightly_audit"].get("date"))
    if shape == "audit":
        return _text(value.get("date"))
    for said in (value.get("nightly_id"), Path(path).name):
        if isinstance(said, str) and (match := _NAMED_DATE.search(said)):
            return "-".join(match.groups())
    return date_of(value.get("ts"))


def _is_of_night(date: str | None, shape: DocumentShape, night: str) -> bool:
    """Whether a report is of `night`: of its date, or run in the morning after; one without a date always is."""
    if date is None:
        return True
    morning = dt.date.fromisoformat(night) + dt.timedelta(days=1)
    return date == night or (shape in ("nightly", "thermo") and date == morning.isoformat())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _take_item(found: Gathered, row: Json, _path: str) -> bool:
    taken = item(row)
    if taken.trace_id in found.seen_items:
        found.items.clear()
        found.seen_items.clear()
    found.seen_items.add(taken.trace_id)
    found.items.append(taken)
    return True


def _take_replay(found: Gathered, row: Json, _path: str) -> bool:
    event = replay_event(row)
    if event.timestamp_s is not None and (date_of(event.timestamp_s) or "") > found.date:
        return False
    found.events.append(event)
    return True


def _take_trace(found: Gathered, row: Json, path: str) -> bool:
    taken = trace_row(row)
    date = date_of(taken.timestamp_ms / 1000) if taken.timestamp_ms is not None else _named_date(path)
    if date != found.date:
        return False
    found.traces.append(taken)
    return True


def _take_qualia(found: Gathered, row: Json, path: str) -> bool:
    taken = qualia_row(row)
    if taken is None:
        found.fault(masked(path), "vector is none")
        return False
    if (date_of(taken.timestamp) or _named_date(path)) != found.date:
        return False
    found.qualia.append(taken)
    return True


def _take_monument(found: Gathered, row: Json, _path: str) -> bool:
    episodes = row.get("episodes")
    found.monument_episodes.update(str(each) for each in (episodes if isinstance(episodes, list) else ()))
    return True


def _pass_over(_found: Gathered, _row: Json, _path: str) -> bool:
    """A known shape that says nothing that a night looks at."""
    return True


def _named_date(path: str) -> str | None:
    matches = _NAMED_DATE.findall(path)
    return "-".join(matches[-1]) if matches else None


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
_TAKERS: Final[Mapping[str, Callable[[Gathered, Json, str], bool]]] = {
    "item": _take_item,
    "replay": _take_replay,
    "trace": _take_trace,
    "qualia": _take_qualia,
    "monument": _take_monument,
    "telemetry": _pass_over,
    "episode": _pass_over,
}
