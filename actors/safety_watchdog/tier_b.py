"""Changes the machine for one trial, and puts it back: by opt-in, by name, whatever happens in between.

In: names and values of `schemas.tiers.TIER_B`, and the names that the operator opted in to. Out: for each name
`applied`, `clamped: ...`, `refused: WHY` or `unsupported: WHY`; later, what could not be put back. Every old value is
on disk before its file is written; what was written is read back. The next start of the watchdog undoes what a killed
one has left. One machine has one such watchdog at a time, of whatever home: two would take each other's changes for
what the machine said before. Refused: names of the third tier, names without opt-in, values that the setting does not
take, everything while another watchdog holds the machine.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from actors.safety_watchdog.change_journal import BOOT_ID, ChangeJournal, OpenChange
from actors.safety_watchdog.holding import Hold
from actors.safety_watchdog.layout import SensorTree
from actors.safety_watchdog.machine_settings import (
    Change,
    UnfitError,
    UnsupportedError,
    every_file,
    held,
    plan,
    value_of,
)
from schemas.tiers import TIER_B, why_never

JOURNAL_PATH: Final = "regimes/changes.jsonl"
"""Relative to home."""
APPLIED: Final = "applied"
HELD_ELSEWHERE: Final = "refused: another watchdog has changed settings of this machine and not yet put them back"
Snapshot = Mapping[Path, str | None]


class TierB:
    """The one place that writes settings of the machine."""

    def __init__(self, tree: SensorTree, journal: Path, opted_in: Collection[str], boot_id: Path = BOOT_ID) -> None:
        self._tree = tree
        self._opted_in = frozenset(opted_in)
        self._journal = ChangeJournal(journal, boot_id)
        self._before: Snapshot = {}
        self._hold = Hold(tree.root or Path("/sys"))

    def recover(self) -> tuple[str, ...]:
        """Undo what an earlier process has left; a line for each thing that was found."""
        lines = [
            f"{change.name}: the change of {change.path} by trial {change.trial_id} was forgotten with the last boot"
            for change in self._journal.dropped
        ]
        count = len(self._journal.open_changes)
        if count:
            lines.append(f"{count} settings of the machine were left changed by a watchdog that was killed")
            lines += self.restore().values()
            lines.append(f"{count - len(self._journal.open_changes)} of them are put back")
        return tuple(lines)

    def apply(self, settings: Mapping[str, object], trial_id: str) -> dict[str, str]:
        """Make `settings` for `trial_id`; name -> what became of it."""
        if settings and not self._hold.take():
            return dict.fromkeys(settings, HELD_ELSEWHERE)
        self._before = self._snapshot() if settings else {}
        return {name: self._make(name, value, trial_id) for name, value in settings.items()}

    def restore(self) -> dict[str, str]:
        """Put everything back, latest first; name -> why not, for what could not be."""
        failed: dict[str, str] = {}
        for change in self._journal.open_changes:
            why = self._put_back(change)
            if why is not None:
                failed[change.name] = f"not restored: {change.path} should say {change.old.strip()!r}; {why}"
        differences = self._differences(failed)
        if not self._journal.open_changes:
            self._hold.drop()
        return failed | differences

    def _make(self, name: str, value: object, trial_id: str) -> str:
        if (why := self._why_not(name)) is not None:
            return f"refused: {why}"
        try:
            planned = plan(name, value, self._tree)
            why = self._write_all(name, planned.changes, trial_id)
        except UnsupportedError as error:
            return f"unsupported: {error}"
        except UnfitError as error:
            return f"refused: {error}"
        except OSError as error:
            why = f"the journal of changes cannot be written: {error}"
        if why is not None:
            self._undo(name)
            return f"refused: {why}"
        return f"clamped: {planned.changes[0].value}" if planned.is_clamped else APPLIED

    def _why_not(self, name: str) -> str | None:
        """Why a setting of this name may not be made, None when it may."""
        if (why := why_never(name)) is not None:
            return why
        if name not in TIER_B:
            return "no such setting of the machine"
        if name not in self._opted_in:
            return f"the operator has not opted in to it: [regimes] tier_b does not name {name}"
        return None

    def _write_all(self, name: str, changes: Iterable[Change], trial_id: str) -> str | None:
        """Write every file of a setting; why one does not hold its value, None when all do."""
        for path, new in changes:
            old = said_by(path)
            if old is None:
                return f"{path} cannot be read"
            if not os.access(path, os.W_OK):
                return f"{path}: this user may not write it"
            self._journal.begin(OpenChange(name, str(path), old, new, trial_id))
            why = _write(path, new)
            if why is not None:
                return why
        return None

    def _undo(self, name: str) -> None:
        """Put back what was written of a setting that does not hold as a whole."""
        for change in self._journal.open_changes:
            if change.name == name:
                self._put_back(change)

    def _put_back(self, change: OpenChange) -> str | None:
        """Let a file say what it said before; why it does not, None when it does and is marked as put back.

        The kernel takes a value and lists the others itself; a file of an injected tree takes all of its old text.
        """
        path = Path(change.path)
        if said_by(path) != change.old:
            why = _write(path, change.old if self._tree.is_injected else value_of(change.old))
            if why is not None:
                return why
        try:
            self._journal.end(change)
        except OSError as error:
            return f"it does, but the journal of changes cannot be written: {error}"
        return None

    def _snapshot(self) -> Snapshot:
        return {path: said_by(path) for path in every_file(self._tree)}

    def _differences(self, known: Mapping[str, str]) -> dict[str, str]:
        """What says something else than before the trial, though nothing here is open on it."""
        before, self._before = self._before, {}
        if known:
            return {}
        return {
            str(path): f"{path} said {old!r} before the trial and says {now!r} after it"
            for path, old in before.items()
            if (now := said_by(path)) != old
        }


def said_by(path: Path) -> str | None:
    """All that a file says; None when it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, said: str) -> str | None:
    """Write and read back; why the file does not hold that value, None when it does."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, said.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"{path}: {error.strerror}"
    now = held(path)
    return None if now == value_of(said) else f"{path} holds {now!r} after {value_of(said)!r} was written"
