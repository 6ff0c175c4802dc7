"""One line of a log: as JSON in a file, as text for people.

In: lines that actors and the supervisor write, `{"ts", "level", "actor", "event", ...}`; anything else is shown as it
is, at level `info`. Out: JSON lines, and text with the actor in front, in the actor's colour.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from supervisor.event_text import phrase_of
from supervisor.stats import Scalar

LEVELS: Final = ("debug", "info", "warning", "error")
RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
LEVEL_COLOURS: Final[Mapping[str, str]] = {"debug": DIM, "warning": "\x1b[33m", "error": "\x1b[31m"}
ACTOR_COLOURS: Final[Mapping[str, str]] = {
    "supervisor": "\x1b[1m",
    "pool-keeper": "\x1b[36m",
    "bias-synthesizer": "\x1b[35m",
    "learner": "\x1b[32m",
    "dreamer": "\x1b[34m",
    "safety-watchdog": "\x1b[31m",
    "regime-runner": "\x1b[33m",
}
OTHER_COLOURS: Final = ("\x1b[96m", "\x1b[95m", "\x1b[92m", "\x1b[94m")
NAME_WIDTH: Final = 16
SURROGATE_OF_BYTE_0: Final = 0xDC00
UNDECODED_BYTES: Final = range(0xDC80, 0xDD00)
"""What stands for bytes 0x80 to 0xFF that are no UTF-8: the error handler `surrogateescape`."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log."""

    at_s: float | None
    """Seconds since the Unix epoch; None when the line does not say."""
    level: str
    actor: str
    event: str
    fields: Mapping[str, object] = field(default_factory=dict)
    raw: str | None = None
    """The line itself, when it is no JSON line."""

    @property
    def rank(self) -> int:
        """Its place in LEVELS; an unknown level counts as an error, so that it is never hidden."""
        return LEVELS.index(self.level) if self.level in LEVELS else len(LEVELS)

    def to_text(self, is_coloured: bool) -> str:
        """`12:00:00.000 dreamer          | event key=value`, UTC; colours only when `is_coloured`."""
        time = f"{datetime.fromtimestamp(self.at_s, UTC):%H:%M:%S.%f}"[:-3] if self.at_s is not None else " " * 12
        level = "" if self.level == "info" else f"{self.level.upper()} "
        said = printable(level + self._said())
        if not is_coloured:
            return f"{time} {self.actor:<{NAME_WIDTH}} | {said}"
        tone = LEVEL_COLOURS.get(self.level, "")
        return f"{DIM}{time}{RESET} {colour_of(self.actor)}{self.actor:<{NAME_WIDTH}} |{RESET} {tone}{said}{RESET}"

    def _said(self) -> str:
        if self.raw is not None:
            return self.raw
        phrase = phrase_of(self.event, self.fields) if self.actor == "supervisor" else None
        return phrase or " ".join((self.event, *_pairs(self.fields)))

    def to_json(self) -> str:
        """The line as one JSON object; a raw line is an event of its own."""
        stamp = utc_text(self.at_s) if self.at_s is not None else None
        head = {"ts": stamp, "level": self.level, "actor": self.actor, "event": self.event}
        return json.dumps(head | dict(self.fields) | ({"raw": self.raw} if self.raw is not None else {}), default=str)


def parse_line(text: str, actor: str) -> LogLine:
    """The line that `text` holds; `actor` owns the file, and is believed over the line only when that names none.

    A record begins at the beginning of a line: what is indented belongs to the record before it, whatever it holds.
    """
    try:
        found = json.loads(text) if text.startswith("{") else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return LogLine(None, "info", actor, "", raw=text)
    rest = {name: value for name, value in found.items() if name not in {"ts", "level", "actor", "event"}}
    level = str(found.get("level", "info")).lower()
    return LogLine(_seconds(found.get("ts")), level, str(found.get("actor", actor)), found["event"], rest)


def format_line(at_s: float, level: str, actor: str, event: str, fields: Mapping[str, Scalar]) -> str:
    """The JSON line that is written to a log, without its newline."""
    return json.dumps({"ts": utc_text(at_s), "level": level, "actor": actor, "event": event, **fields})


def utc_text(at_s: float) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def colour_of(actor: str) -> str:
    """The colour of `actor`: the same in every run, also for instances that nobody has heard of."""
    return ACTOR_COLOURS.get(actor) or OTHER_COLOURS[zlib.crc32(actor.encode()) % len(OTHER_COLOURS)]


def _seconds(stamp: object) -> float | None:
    if isinstance(stamp, int | float) and not isinstance(stamp, bool):
        return float(stamp)
    if not isinstance(stamp, str):
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _pairs(fields: Mapping[str, object]) -> list[str]:
    return [
        f"{name}={value if isinstance(value, str) else json.dumps(value, default=str)}"
        for name, value in fields.items()
    ]


def printable(text: str) -> str:
    """`text` with its control characters escaped, so that nothing that is shown can steer the terminal.

    A byte that is no UTF-8, which a name holds as a lone surrogate, is shown as the byte that it is.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\t" else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    code = ord(sign)
    if code in UNDECODED_BYTES:
        code -= SURROGATE_OF_BYTE_0
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
