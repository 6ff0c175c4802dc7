"""What is to be seen of a friend: dialogues and why they ran, what it is made of, how it drifts, why it was silent.

In: a reader of the pool, the figures of runs. Out: records, which the commands draw or print as JSON. Nothing here asks
a process; what is read is what the pool-keeper has stored. It changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from actors.pool_keeper.friend_reading import DialogLine, FriendReader
from schemas.base import Record
from schemas.friend_settings import FriendSettings
from schemas.persona import wait_s
from supervisor.runs import RunFigures
from supervisor.stats import Scalar

FALL_DIALOGS: Final = 11
"""Dialogues within which a fall of the origin's share is a cliff."""
CLIFF: Final = 0.5
"""A fall of the origin's share by so much is one."""
SECTION: Final = "friend"
DECLINED: Final = "declined."


class DialogRow(Record):
    """A dialogue in a list."""

    number: int
    id: str
    host: str
    run_id: str
    at: str
    """UTC, ISO 8601, of the host's clock."""
    turns: int
    gates: tuple[str, ...]
    """Those that were open."""
    dice: float
    probability: float
    trauma: float
    """Mean over its lines."""
    arousal: float
    note: str
    why: str
    """The reason that it ran, in words."""


class DialogPage(Record):
    """A page of dialogues, newest first."""

    total: int
    page: int
    pages: int
    dialogs: tuple[DialogRow, ...]


class TurnRow(Record):
    """One line."""

    speaker: str
    text: str
    trauma: float
    novelty: float
    arousal: float
    entropy: float
    adopted_as: int | None
    """The fragment that it became; None where it became none, or that has gone since."""


class DialogDetails(Record):
    """One dialogue, whole."""

    dialog: DialogRow
    finished: str
    turns: tuple[TurnRow, ...]


class FragmentRow(Record):
    """One piece of what a friend is made of."""

    id: int
    text: str
    weight: float
    is_origin: bool
    dialog_id: str | None
    turn: int | None
    age: int
    """Revisions since it came in."""


class Card(Record):
    """A friend as it is now."""

    host: str
    rev: int
    dialogs: int
    """Kept in the pool."""
    paused: str | None
    """Why it is silent; None while it may speak."""
    last_run: str | None
    next_permitted: str | None
    """None when a dialogue may begin now."""
    origin_fragments: int
    adopted_fragments: int
    fragments: tuple[FragmentRow, ...]
    """Heaviest first."""


class DriftPoint(Record):
    """How far a persona had come with one dialogue."""

    number: int
    dialog_id: str
    at: str
    rev: int
    origin_share: float
    lexical_distance: float | None
    turnover: float | None
    effective_fragments: float


class DriftHistory(Record):
    """The instruments over the dialogues that the pool holds, oldest first."""

    host: str
    points: tuple[DriftPoint, ...]
    sharpest_fall: float | None
    """Largest loss of the origin's share within 11 dialogues; None below two."""
    alarm: str | None
    """What is wrong, in words; None when all is well."""


class RunDeclines(Record):
    """What became of the moments of one run."""

    run_id: str
    running: bool
    declined: dict[str, int]
    opened: int
    kept: int
    abandoned: int


class Declines(Record):
    """Why dialogues did not happen, by reason; each moment that was offered has one end."""

    moments: int
    declined: dict[str, int]
    opened: int
    kept: int
    abandoned: int
    meaning: dict[str, str]
    """What each reason says."""
    runs: tuple[RunDeclines, ...]
    """Oldest first."""


def list_dialogs(reader: FriendReader, host: str | None, page: int, size: int) -> DialogPage:
    """Page `page`, counted from 1, of `size` dialogues each."""
    found = reader.dialogs(host)[::-1]
    shown = found[(page - 1) * size : page * size]
    rows = tuple(row_of(line) for line in shown)
    return DialogPage(total=len(found), page=page, pages=max(1, -(-len(found) // size)), dialogs=rows)


def show_dialog(reader: FriendReader, text: str) -> DialogDetails:
    """The dialogue that `text` names. Raises PoolError."""
    line = reader.dialog(text)
    became = {
        each.turn: each.fragment_id
        for each in reader.persona(line.host_id).fragments
        if each.dialog_id == line.dialog_id
    }
    turns = tuple(
        TurnRow(**turn._asdict(), adopted_as=became.get(number))
        for number, turn in enumerate(reader.turns(line.number))
    )
    return DialogDetails(dialog=row_of(line), finished=time_text(line.finished_s), turns=turns)


def row_of(line: DialogLine) -> DialogRow:
    """`line` as a record."""
    return DialogRow(
        number=line.number,
        id=line.dialog_id,
        host=line.host_id,
        run_id=line.run_id,
        at=time_text(line.started_s),
        turns=line.turns,
        gates=line.gates,
        dice=line.dice,
        probability=line.probability,
        trauma=line.avg_trauma,
        arousal=line.avg_arousal,
        note=line.note,
        why=f"{' and '.join(line.gates)} open, dice {line.dice:.3f} below {line.probability:g}, cool-down over",
    )


def draw_card(reader: FriendReader, host: str, settings: FriendSettings, now_s: float) -> Card:
    """The friend of `host` at the moment `now_s`."""
    persona = reader.persona(host)
    fragments = sorted(persona.fragments, key=lambda each: (-each.weight, each.fragment_id))
    left_s = wait_s(persona.last_run_s, now_s, settings.min_interval_s)
    left_s += settings.quiet_left_s(now_s + left_s)
    rows = tuple(
        FragmentRow(
            id=each.fragment_id,
            text=each.text,
            weight=each.weight,
            is_origin=each.is_origin,
            dialog_id=each.dialog_id,
            turn=each.turn,
            age=persona.rev - each.added_rev,
        )
        for each in fragments
    )
    return Card(
        host=host,
        rev=persona.rev,
        dialogs=len(reader.dialogs(host)),
        paused=persona.pause_reason,
        last_run=None if persona.last_run_s is None else time_text(persona.last_run_s),
        next_permitted=time_text(now_s + left_s) if left_s else None,
        origin_fragments=sum(each.is_origin for each in fragments),
        adopted_fragments=sum(not each.is_origin for each in fragments),
        fragments=rows,
    )


def trace_drift(reader: FriendReader, host: str, least_origin_share: float) -> DriftHistory:
    """The instruments of the friend of `host`, dialogue by dialogue."""
    points = tuple(
        DriftPoint(
            number=line.number,
            dialog_id=line.dialog_id,
            at=time_text(line.started_s),
            rev=line.rev,
            origin_share=line.origin_share,
            lexical_distance=line.lexical_distance,
            turnover=line.turnover,
            effective_fragments=line.effective_fragments,
        )
        for line in reader.dialogs(host)
    )
    shares = [point.origin_share for point in points]
    fall = sharpest_fall(shares)
    alarm = None
    if shares and shares[-1] < least_origin_share:
        alarm = f"the origin's share is {shares[-1]:.3f}, below {least_origin_share:g}"
    elif fall is not None and fall >= CLIFF:
        alarm = f"the origin's share fell by {fall:.3f} within {FALL_DIALOGS} dialogues"
    return DriftHistory(host=host, points=points, sharpest_fall=fall, alarm=alarm)


def sharpest_fall(shares: Sequence[float]) -> float | None:
    """Largest loss from one of `shares` to one of the next ten; 0 where none is lost, None below two."""
    falls = [
        before - after for at, before in enumerate(shares) for after in shares[at + 1 : at + FALL_DIALOGS]
    ]  # fmt: skip
    return max(0.0, *falls) if falls else None


def count_declines(runs: Sequence[tuple[RunFigures, bool]], settings: FriendSettings) -> Declines:
    """The ends of all moments; `runs`: figures and whether the run runs, oldest first."""
    rows = tuple(_declines_of(figures, is_running) for figures, is_running in runs if SECTION in figures.sections)
    reasons = sorted({reason for row in rows for reason in row.declined})
    declined = {reason: sum(row.declined.get(reason, 0) for row in rows) for reason in reasons}
    opened = sum(row.opened for row in rows)
    return Declines(
        moments=opened + sum(declined.values()),
        declined=declined,
        opened=opened,
        kept=sum(row.kept for row in rows),
        abandoned=sum(row.abandoned for row in rows),
        meaning={reason: meaning for reason, meaning in meanings(settings).items() if reason in declined},
        runs=rows,
    )


def meanings(settings: FriendSettings) -> Mapping[str, str]:
    """What each reason of a decline says, with the limits as they are set now."""
    return {
        "disabled": "the friend was paused; `supervisor friend card` says why",
        "no_state": "the pool-keeper had not told yet what it keeps",
        "busy": "a dialogue was going on, or was not stored yet",
        "no_origin": "the host had not told its origin yet",
        "quiet_hours": f"it was quiet, {settings.quiet_hours or 'as it was set then'} UTC of the host's clock",
        "cooldown": f"less than {settings.min_interval_s:g} s since the last dialogue began",
        "gate": (
            f"no gate was open: trauma above {settings.trauma_above:g}, novelty above {settings.novelty_above:g}, "
            f"quality {settings.quality_low:g} to {settings.quality_high:g}"
        ),
        "dice": f"a gate was open, and the dice were not below {settings.probability:g}",
    }


def time_text(at_s: float) -> str:
    """UTC, ISO 8601, to the second; the number where it is no time of a calendar."""
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.0f} s"


def _declines_of(figures: RunFigures, is_running: bool) -> RunDeclines:
    section = figures.sections[SECTION]
    declined = {
        name.removeprefix(DECLINED): _count(value) for name, value in section.items() if name.startswith(DECLINED)
    }
    opened, kept, abandoned = (_count(section.get(f"dialogs_{what}")) for what in ("opened", "kept", "abandoned"))
    return RunDeclines(
        run_id=figures.run_id,
        running=is_running,
        declined=dict(sorted(declined.items())),
        opened=opened,
        kept=kept,
        abandoned=abandoned,
    )


def _count(value: Scalar) -> int:
    return int(value) if isinstance(value, int | float) else 0
