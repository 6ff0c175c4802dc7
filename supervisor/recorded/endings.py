"""What the journals of a run must hold to their end, and where one of them does not.

In: a run and one of its seats. Out: the place from which the journal is missing and why that is known, or None. A run
that was closed has brought every journal to its closing frame; one that was interrupted only that of the pool-keeper,
which finished it. An actor whose process never reported has no journal, and lacks none. What a run that is still open
has not said yet is not missed.
"""

from pathlib import Path
from typing import Final, NamedTuple

from bus.frame import FRAME_HEADER_BYTES, MARK, Frame, FrameKind, is_intact, parse_header
from bus.recovery import frames_of
from bus.segment import list_segments
from schemas.manifest import Seat
from schemas.roles import Role
from supervisor.recorded.recordings import closed_figures
from supervisor.runs import RunFolder
from supervisor.stats import ALWAYS, SECTION_OF

KEEPER: Final[Role] = "pool-keeper"
UNFINISHED: Final = "nothing was said"
"""Why a run was closed that no process was started for again."""
RECOVERED: Final = "recovered"
"""Why a run was closed that its pool-keeper alone brought to its end."""
MISSING: Final = "its journal is missing, though its process has reported figures"
CUT: Final = "the run was closed and the journal was not: its end is missing, or its process was killed"
TAIL_BYTES: Final = 4096
"""More than a closing frame has."""


class Lack(NamedTuple):
    """What is missing of a journal: all from `offset` of `segment` on; everything when that is empty."""

    segment: str
    offset: int
    epoch: int
    reason: str


def find_lack(run: RunFolder, seat: Seat) -> Lack | None:
    """What is missing at the end of the journal of `seat`; None when nothing is known to be. Raises OSError."""
    segments = list_segments(run.journal / seat.instance)
    if not segments:
        return Lack("", 0, 0, MISSING) if has_begun(run, seat) else None
    name, path = segments[-1]
    if not _is_ended(run, seat.role) or is_closed(path):
        return None
    return Lack(path.name, _whole_bytes(path), name.epoch, CUT)


def has_begun(run: RunFolder, seat: Seat) -> bool:
    """Whether a process of `seat` has reported in `run`, and so has a journal."""
    figures, section = run.last_figures(), SECTION_OF.get(seat.role, "")
    if figures is None:
        return run.closed_file.exists()
    return bool(set(figures.sections.get(section, {})) - set(ALWAYS.get(section, {})))


def is_closed(segment: Path) -> bool:
    """Whether the last bytes of `segment` are its closing frame. Raises OSError."""
    with segment.open("rb") as file:
        file.seek(max(0, segment.stat().st_size - TAIL_BYTES))
        tail = file.read()
    at = tail.rfind(MARK)
    while at != -1:
        if _is_closing(tail[at:]):
            return True
        at = tail.rfind(MARK, 0, at)
    return False


def _is_closing(data: bytes) -> bool:
    """Whether `data` is one closing frame and nothing else."""
    header = parse_header(data) if len(data) >= FRAME_HEADER_BYTES else None
    if header is None or header.kind != FrameKind.CLOSE or header.size != len(data):
        return False
    middle = FRAME_HEADER_BYTES + header.body_bytes
    return is_intact(header, data[FRAME_HEADER_BYTES:middle], memoryview(data)[middle:])


def _is_ended(run: RunFolder, role: Role) -> bool:
    """Whether `run` was closed only after every journal of `role` was."""
    figures = closed_figures(run)
    reason = "" if figures is None else figures.reason
    return run.closed_file.exists() and reason != UNFINISHED and (role == KEEPER or reason != RECOVERED)


def _whole_bytes(segment: Path) -> int:
    """Where the last whole frame of `segment` ends; 0 when there is none."""
    return max((item.end for item in frames_of(segment) if isinstance(item, Frame)), default=0)
