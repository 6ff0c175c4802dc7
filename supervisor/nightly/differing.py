"""What changed from one night to another.

In: two nights. Out: seeds that are new, gone or still there, by anchor where the anchors of both are stable and by type
where they are of one night alone; numbers that moved by more than a tenth; whether the method is another, in which case
numbers are not held against each other. A quiet difference is one line.
"""

from collections import Counter
from typing import Final, Literal

from schemas.base import Record
from supervisor.nightly.reading import NightView

MOVED: Final = 0.1
"""Share of the former value."""
SHOWN_DIGITS: Final = 6
By = Literal["anchor", "type"]


class SeedChange(Record):
    """A seed that is new, gone or persisting."""

    seed_type: str
    anchor: str | None
    """Its first one; None where types are counted."""
    seeds: int
    before: float | None
    """Its value in the former night; None when it was not there, and where types are counted."""
    after: float | None


class Move(Record):
    """A number that moved."""

    name: str
    before: float
    after: float
    share: float | None
    """Of the former value; None when that was 0."""


class NightDiff(Record):
    """The difference of two nights."""

    first: str
    second: str
    by: By
    new: tuple[SeedChange, ...]
    gone: tuple[SeedChange, ...]
    persisting: tuple[SeedChange, ...]
    unlisted: int
    """Seeds that are only counted: a block lists as many as it has room for."""
    moves: tuple[Move, ...]
    method_changed: bool
    """Formulas or thresholds are other ones: numbers are not compared."""
    wording_changed: bool
    """The renderer is another: dreams are told in other words."""
    config_changed: bool
    is_partial: bool
    """One of the days was not over when it was looked at."""
    status_changed: bool

    @property
    def is_quiet(self) -> bool:
        """Whether nothing changed that is looked at."""
        return not (self.new or self.gone or self.moves or self.method_changed or self.status_changed)


def diff(first: NightView, second: NightView) -> NightDiff:
    """What changed from `first` to `second`."""
    by: By = "anchor" if first.is_hashed and second.is_hashed else "type"
    changes = _by_anchor(first, second) if by == "anchor" else _by_type(first, second)
    a, b = first.block, second.block
    method_changed = (a.kernel_version, a.method_sha256) != (b.kernel_version, b.method_sha256)
    unlisted = sum(block.seeds_summary.total - len(block.seeds) for block in (a, b))
    return NightDiff(
        first=first.date,
        second=second.date,
        by=by,
        new=changes[0],
        gone=changes[1],
        persisting=changes[2],
        unlisted=max(0, unlisted) if by == "anchor" else 0,
        moves=() if method_changed else _moves(first, second),
        method_changed=method_changed,
        wording_changed=a.renderer_version != b.renderer_version,
        is_partial=a.is_partial or b.is_partial,
        config_changed=a.config_sha256 != b.config_sha256,
        status_changed=(a.status, a.skip_reason) != (b.status, b.skip_reason),
    )


Changes = tuple[tuple[SeedChange, ...], tuple[SeedChange, ...], tuple[SeedChange, ...]]


def _by_anchor(first: NightView, second: NightView) -> Changes:
    before, after = _values(first), _values(second)
    rows: dict[str, list[SeedChange]] = {"new": [], "gone": [], "persisting": []}
    for key in sorted(before.keys() | after.keys()):
        standing = "new" if key not in before else "gone" if key not in after else "persisting"
        change = SeedChange(seed_type=key[0], anchor=key[2], seeds=1, before=before.get(key), after=after.get(key))
        rows[standing].append(change)
    return tuple(rows["new"]), tuple(rows["gone"]), tuple(rows["persisting"])


def _values(night: NightView) -> dict[tuple[str, str, str], float]:
    """The value of each listed seed, by type, formula and first anchor."""
    return {
        (seed.type, seed.formula, seed.anchors[0] if seed.anchors else ""): seed.value for seed in night.block.seeds
    }


def _by_type(first: NightView, second: NightView) -> Changes:
    before = Counter({name: int(count) for name, count in first.block.seeds_summary.model_dump().items()})
    after = Counter({name: int(count) for name, count in second.block.seeds_summary.model_dump().items()})
    parts = (after - before, before - after, after & before)
    new, gone, persisting = (tuple(_counted(name, part[name]) for name in sorted(part) if part[name]) for part in parts)
    return new, gone, persisting


def _counted(seed_type: str, seeds: int) -> SeedChange:
    return SeedChange(seed_type=seed_type, anchor=None, seeds=seeds, before=None, after=None)


def _moves(first: NightView, second: NightView) -> tuple[Move, ...]:
    """Numbers of both nights that moved, the furthest first; seeds are told apart."""
    found = []
    for name in sorted(first.numbers.keys() & second.numbers.keys()):
        before, after = first.numbers[name], second.numbers[name]
        if name.startswith("seeds.") or abs(after - before) <= MOVED * abs(before) + 10.0**-SHOWN_DIGITS:
            continue
        share = None if before == 0.0 else round((after - before) / abs(before), SHOWN_DIGITS)
        found.append(Move(name=name, before=before, after=after, share=share))
    return tuple(sorted(found, key=lambda move: (move.share is not None, -abs(move.share or 0.0), move.name)))


def draw_diff(found: NightDiff) -> list[str]:
    """The difference as text."""
    if found.is_quiet:
        kept = sum(change.seeds for change in found.persisting)
        told = "".join(f"; {remark}" for remark in _remarks(found))
        other = "; settings that decide no seed differ" if found.config_changed else ""
        return [f"{found.first} to {found.second}: quiet; {kept} seeds persist, compared by {found.by}{other}{told}"]
    lines = [f"{found.first} to {found.second}, compared by {found.by}"]
    lines += [f"  {remark}" for remark in _remarks(found)]
    if found.by == "type":
        lines.append("  anchors of masked nights cannot be linked: types are counted")
    if found.method_changed:
        lines.append("  method_changed: formulas or thresholds are other ones; numbers are not compared")
    if found.status_changed:
        lines.append("  one of the nights was skipped, or for another reason")
    for standing, changes in (("new", found.new), ("gone", found.gone), ("persisting", found.persisting)):
        lines += [f"  {standing:<11}{_seed_text(change)}" for change in changes]
    if found.unlisted:
        lines.append(f"  {found.unlisted} more seeds are only counted")
    lines += [f"  moved      {_move_text(move)}" for move in found.moves]
    return lines


def _remarks(found: NightDiff) -> list[str]:
    remarks = ["wording_changed: the renderer is another"] if found.wording_changed else []
    return [*remarks, "one of the days was not over when it was looked at"] if found.is_partial else remarks


def _seed_text(change: SeedChange) -> str:
    if change.anchor is None:
        return f"{change.seed_type} x {change.seeds}"
    values = [f"{value:g}" for value in (change.before, change.after) if value is not None]
    return f"{change.seed_type} {change.anchor} {' -> '.join(values)}"


def _move_text(move: Move) -> str:
    share = "from 0" if move.share is None else f"{move.share:+.0%}"
    return f"{move.name} {move.before:g} -> {move.after:g} ({share})"
