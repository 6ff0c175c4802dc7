"""The folders of nights on disk: what is in them, what is put there, and what is taken away (seed 004, 5).

In: the folder `artifacts/nightly` of a home; dreams as they are stored. Out: files that nobody but the user may read,
each written whole or not at all, a dream before the `nightly.json` that names it. A stored dream is named by its number
and the beginning of its digest, so that a dream that is made anew stands beside the former one until it is named.
Nothing outside the folder is touched, no link is followed, and of what is inside only files that have such a name.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from actors.nightly_observer.expiry import is_date
from bus.files import open_to_read, write_atomically
from schemas.dream_artifact import REF_PATTERN
from schemas.night_places import EXPIRED_FILE, NIGHTLY_FILE

PRIVATE: Final = 0o600
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
DIGITS: Final = 12
ARTIFACT_NAME: Final = re.compile(rf"(?P<number>[0-9]{{4}})-(?P<head>[0-9a-f]{{{DIGITS}}})\.(age|json)")
FORMER_NAME: Final = re.compile(rf"nightly\.[0-9a-f]{{{DIGITS}}}\.json")
LEFT_OVER: Final = re.compile(r"\.(.+)\.[0-9]+-[0-9]+\.tmp")
EXPIRED_SCHEMA: Final = "nightly_expired.v1"


class Ref(NamedTuple):
    """`dream://DATE/NNNN#sha256:..`."""

    date: str
    number: int
    sha256: str

    @classmethod
    def parse(cls, text: str) -> "Ref | None":
        """The reference that `text` is; None when it is none."""
        found = re.fullmatch(REF_PATTERN.strip("^$"), text)
        return None if found is None else cls(found["date"], int(found["number"]), found["sha256"])

    def __str__(self) -> str:
        return f"dream://{self.date}/{self.number:04d}#sha256:{self.sha256}"


@dataclass(frozen=True)
class Nights:
    """All nights of a home."""

    root: Path

    def dates(self) -> list[str]:
        """The nights that have a folder, oldest first."""
        try:
            entries = list(os.scandir(self.root))
        except OSError:
            return []
        return sorted(each.name for each in entries if is_date(each.name) and each.is_dir(follow_symlinks=False))

    def nightly(self, date: str) -> bytes | None:
        """The bytes of `nightly.json`, or None when it is not there. Raises OSError."""
        return self._read(date, NIGHTLY_FILE)

    def digests(self, date: str) -> set[str]:
        """SHA-256 of `nightly.json`, and of those that it has replaced."""
        names = [NIGHTLY_FILE, *self._names(date, FORMER_NAME)]
        return {hashlib.sha256(text).hexdigest() for name in names if (text := self._read(date, name)) is not None}

    def previous(self, date: str) -> str | None:
        """SHA-256 of the `nightly.json` of the last night before `date`; None when there is none."""
        for earlier in reversed([each for each in self.dates() if each < date]):
            text = self.nightly(earlier)
            if text is not None:
                return hashlib.sha256(text).hexdigest()
        return None

    def stored(self, date: str) -> list[str]:
        """The names of the dreams that are stored for a night."""
        return self._names(date, ARTIFACT_NAME)

    def find(self, ref: Ref) -> str | None:
        """The name of the file that `ref` is of, whatever is in it."""
        wanted = f"{ref.number:04d}-{ref.sha256[:DIGITS]}."
        return next((name for name in self.stored(ref.date) if name.startswith(wanted)), None)

    def read(self, ref: Ref) -> bytes | None:
        """What is stored under `ref`, whatever its digest is now; None when it is not there. Raises OSError."""
        name = self.find(ref)
        return None if name is None else self._read(ref.date, name)

    def is_whole(self, ref: Ref) -> bool:
        """Whether what is stored under `ref` is what it says. Raises OSError."""
        stored = self.read(ref)
        return stored is not None and hashlib.sha256(stored).hexdigest() == ref.sha256

    def store(self, date: str, number: int, stored: bytes, suffix: str) -> Ref:
        """Keep a dream; its reference. Raises OSError."""
        ref = Ref(date, number, hashlib.sha256(stored).hexdigest())
        name = f"{number:04d}-{ref.sha256[:DIGITS]}{suffix}"
        write_atomically(self.root / date / name, stored, PRIVATE)
        return ref

    def publish(self, date: str, text: bytes) -> str:
        """Put `nightly.json` in place, and what it replaces beside it where later nights may name that; its SHA-256."""
        folder, former = self.root / date, self.nightly(date)
        if former is not None and former != text and any(each > date for each in self.dates()):
            name = f"nightly.{hashlib.sha256(former).hexdigest()[:DIGITS]}.json"
            write_atomically(folder / name, former, PRIVATE)
        write_atomically(folder / NIGHTLY_FILE, text, PRIVATE)
        return hashlib.sha256(text).hexdigest()

    def keep_only(self, date: str, refs: Iterable[Ref]) -> int:
        """Remove the dreams of a night that none of `refs` names, and what interrupted writers left; how many."""
        kept = {self.find(ref) for ref in refs}
        superfluous = [name for name in self.stored(date) if name not in kept]
        for name in (*superfluous, *self.left_over(date)):
            (self.root / date / name).unlink(missing_ok=True)
        return len(superfluous)

    def left_over(self, date: str) -> list[str]:
        """Unfinished files of interrupted writers."""
        return self._names(date, LEFT_OVER)

    def expire(self, date: str, present: str) -> int:
        """Remove the dreams of a night, and note which they were; how many."""
        names = self.stored(date)
        if not names:
            return 0
        known = self.expired(date) | set(names)
        note = {"schema": EXPIRED_SCHEMA, "night": present, "dreams": sorted(known)}
        write_atomically(self.root / date / EXPIRED_FILE, json.dumps(note).encode(), PRIVATE)
        for name in names:
            (self.root / date / name).unlink(missing_ok=True)
        return len(names)

    def expired(self, date: str) -> set[str]:
        """The names of the dreams of a night whose time was over."""
        try:
            note = json.loads(self._read(date, EXPIRED_FILE) or b"{}")
            return {str(name) for name in note["dreams"]} if note.get("schema") == EXPIRED_SCHEMA else set()
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return set()

    def is_expired(self, ref: Ref) -> bool:
        """Whether the dream was removed because its time was over."""
        wanted = f"{ref.number:04d}-{ref.sha256[:DIGITS]}."
        return any(name.startswith(wanted) for name in self.expired(ref.date))

    def _names(self, date: str, pattern: re.Pattern[str]) -> list[str]:
        try:
            entries = list(os.scandir(self.root / date))
        except OSError:
            return []
        return sorted(
            each.name for each in entries if pattern.fullmatch(each.name) and each.is_file(follow_symlinks=False)
        )

    def _read(self, date: str, name: str) -> bytes | None:
        try:
            descriptor = open_to_read(self.root / date / name)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            return file.read(MAX_FILE_BYTES)
