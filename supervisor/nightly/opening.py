"""Identities for dreams: made, and used to open one; what is opened is printed and never written.

In: a path, a reference, an identity file. Out: an identity file that nobody else may read and its recipient; the text
of one dream. Refused by name: to replace a file, a place inside the home or one in which others may write, a reference
that is none, a dream that is gone or altered, an identity that others may read or that does not fit.
"""

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from actors.nightly_observer.keeping import Nights, Ref
from actors.nightly_observer.sealing import SECRET, SealError, new_identity, opened
from schemas.base import Record
from schemas.dream_artifact import DreamArtifact
from schemas.night_places import NIGHTS
from supervisor.errors import UsageError
from supervisor.home import Home

MAX_IDENTITY_BYTES: Final = 64 * 1024
AGE_BEGINS: Final = b"age-encryption.org/"


class KeyMade(Record):
    """A fresh identity."""

    path: str
    recipient: str
    """Its public half, for `dream.storage.recipients`."""


def nights_of(home: Home) -> Nights:
    """The nights of a home."""
    return Nights(home.root / NIGHTS)


def make_key(home: Home, out: Path) -> KeyMade:
    """Write a fresh identity to `out`. Raises UsageError, SealError, OSError."""
    path = out.absolute()
    if _resolved(home.root) in (_resolved(path), *_resolved(path).parents):
        raise UsageError(f"{out} is inside the home, where what it opens lies; choose a place outside of {home.root}")
    folder = path.parent.stat() if path.parent.is_dir() else None
    if folder is None:
        raise UsageError(f"{path.parent} is no folder; make it, for yourself alone")
    if stat.S_IMODE(folder.st_mode) & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise UsageError(f"others may write in {path.parent}; choose a folder of your own, or chmod go-w it")
    secret, recipient = new_identity()
    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"# created: {made_at}\n# public key: {recipient}\n{secret}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(f"{out} is there already; an identity is never replaced") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return KeyMade(path=str(path), recipient=recipient)


def read_identity(path: Path) -> str:
    """The text of an identity file. Raises UsageError, OSError."""
    found = path.stat()
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(f"others may read {path}; chmod 600 it")
    text = path.read_bytes()[:MAX_IDENTITY_BYTES].decode("utf-8", "replace")
    if SECRET not in text:
        raise UsageError(f"{path} holds no age identity; `supervisor nightly keygen` makes one")
    return text


def open_dream(home: Home, text: str, identity: str | None) -> DreamArtifact:
    """The dream that a reference names. Raises UsageError, SealError, OSError."""
    ref = Ref.parse(text)
    if ref is None:
        raise UsageError(f"{text!r} is no reference; it looks like dream://2026-01-31/0001#sha256:.., see nightly.json")
    nights = nights_of(home)
    stored = nights.read(ref)
    if stored is None:
        why = "its time was over, it was removed" if nights.is_expired(ref) else "it is not there"
        raise SealError(f"{text}: {why}")
    if hashlib.sha256(stored).hexdigest() != ref.sha256:
        raise SealError(f"{text}: it was altered, and is not opened")
    plain = plaintext(stored, identity)
    try:
        return DreamArtifact.model_validate_json(plain)
    except ValueError:
        raise SealError(f"{text}: what is in it is no dream") from None


def plaintext(stored: bytes, identity: str | None) -> bytes:
    """What is in a stored dream. Raises UsageError, SealError."""
    if not stored.startswith(AGE_BEGINS):
        return stored
    if identity is None:
        raise UsageError("it is sealed; --identity FILE names who may open it")
    return opened(stored, identity)


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))
