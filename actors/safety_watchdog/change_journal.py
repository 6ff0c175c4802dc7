"""What was changed on the machine and not yet put back, on disk before it is done.

In: changes, before each is made; marks, after each is undone. Out: the changes that are open, also after SIGKILL and
after a restart. Every line is synced before the caller goes on. A line that is cut off in the middle was never acted
on. After a reboot the machine has forgotten the changes, so the journal is dropped, which the caller is told.
"""

import json
import os
from pathlib import Path
from typing import Final, NamedTuple

from bus.files import sync_folder, write_atomically
from schemas.errors import OneirosError

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class OpenChange(NamedTuple):
    """A file that may say something else than before."""

    name: str
    path: str
    old: str
    """All that the file said before."""
    new: str
    trial_id: str


class JournalDamagedError(OneirosError):
    """The journal says something that nothing of ours has written."""

    is_permanent = True


class ChangeJournal:
    """One file, one line for each event."""

    def __init__(self, path: Path, boot_id: Path = BOOT_ID) -> None:
        self._path = path
        self._boot_id = boot_id.read_text().strip()
        self.dropped: tuple[OpenChange, ...] = ()
        """Changes of an earlier boot, which the machine has forgotten."""
        self._is_torn = False
        """The last line was cut off; the next one must not go on in it."""
        self._open = self._read()

    @property
    def open_changes(self) -> tuple[OpenChange, ...]:
        """Changes that were not undone, latest first."""
        return tuple(reversed(self._open))

    def begin(self, change: OpenChange) -> None:
        """The change is about to be made. Raises OSError, and then it must not be made."""
        if not self._open:
            self._start_over()
        self._append({"change": change._asdict()})
        self._open.append(change)

    def end(self, change: OpenChange) -> None:
        """The change was undone."""
        self._append({"restored": change._asdict()})
        self._open.remove(change)

    def _read(self) -> list[OpenChange]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        self._is_torn = not content.endswith(b"\n")
        found: list[OpenChange] = []
        boot: object = None
        for line in content.splitlines():
            event = _event(line)
            boot = event.get("boot_id", boot)
            if "change" in event:
                found.append(self._change(event["change"]))
            elif "restored" in event and (undone := self._change(event["restored"])) in found:
                found.remove(undone)
        if boot != self._boot_id:
            self.dropped = tuple(found)
            return []
        return found

    def _change(self, facts: dict[str, str]) -> OpenChange:
        try:
            return OpenChange(**facts)
        except TypeError as error:
            raise JournalDamagedError(
                f"{self._path} is no journal of changes ({error}); what it tells to put back has to be done by hand, "
                "then remove it"
            ) from error

    def _start_over(self) -> None:
        """A fresh journal of this boot: nothing is open, so nothing of the old one is needed."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._path, json.dumps({"boot_id": self._boot_id}).encode() + b"\n")
        self._is_torn = False

    def _append(self, event: dict[str, object]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            line = b"\n" * self._is_torn + json.dumps(event).encode() + b"\n"
            self._is_torn = True
            if os.write(descriptor, line) != len(line):
                raise OSError("the journal of changes took only part of a line; free some space on its disk")
            os.fsync(descriptor)
            self._is_torn = False
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)


def _event(line: bytes) -> dict[str, dict[str, str]]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
