"""Sealing dreams for whoever holds an identity, and opening them again (age, by pyrage; the extra `vault`).

In: plaintext and recipients; or what is stored and an identity. Out: an age file; or the plaintext. Whoever seals
cannot open: only recipients are known here. The library is imported when it is first needed, which for a night is
before its box closes. Refused, each by name: no recipient, a recipient that is none, an absent library, an identity
that does not fit, a file in which a bit was changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from schemas.dream_artifact import Content, SkipReason
from schemas.errors import OneirosError
from schemas.night_settings import StorageSettings

AGE_HEADER: Final = b"age-encryption.org/"
SECRET: Final = "AGE-SECRET-KEY-1"  # noqa: S105 - how one begins
INSTALL: Final = "pip install 'oneiros[vault]'"


class SealError(OneirosError):
    """Something cannot be sealed or opened."""


@dataclass(frozen=True)
class Seal:
    """How the dreams of a night are stored."""

    content: Content
    close: Callable[[bytes], bytes]
    fault: SkipReason | None = None
    """Why there is none."""

    @property
    def suffix(self) -> str:
        """Of a stored dream's file."""
        return ".age" if self.content == "encrypted" else ".json"


def seal_of(storage: StorageSettings) -> Seal:
    """The seal that `storage` asks for; where there can be none, why."""
    if not storage.encrypt:
        return Seal("plain", lambda plain: plain)
    if not storage.recipients:
        return Seal("encrypted", _never, "no_recipient")
    try:
        import pyrage  # noqa: PLC0415 - an extra, and only for those who seal
    except ImportError:
        return Seal("encrypted", _never, "no_vault")
    try:
        recipients = [pyrage.x25519.Recipient.from_str(each) for each in storage.recipients]
    except pyrage.RecipientError:
        return Seal("encrypted", _never, "no_recipient")
    return Seal("encrypted", lambda plain: bytes(pyrage.encrypt(plain, recipients)))


def opened(stored: bytes, identity_text: str) -> bytes:
    """The plaintext of `stored`, by the identities in the text of an identity file. Raises SealError."""
    pyrage = _library()
    lines = [line.strip() for line in identity_text.splitlines() if line.strip().startswith(SECRET)]
    if not lines:
        raise SealError(f"no age identity is in the file; a line of it begins with {SECRET}")
    try:
        identities = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise SealError("the identity is damaged: a character of it was changed") from None
    try:
        return bytes(pyrage.decrypt(stored, identities))
    except pyrage.DecryptError as error:
        raise SealError(f"it cannot be opened: {error}; it is altered, or sealed for another identity") from None


def new_identity() -> tuple[str, str]:
    """A fresh identity and its recipient. Raises SealError without the library."""
    identity = _library().x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def _library() -> ModuleType:
    try:
        import pyrage  # noqa: PLC0415 - an extra
    except ImportError:
        raise SealError(f"dreams are sealed and opened by pyrage; {INSTALL}") from None
    library: ModuleType = pyrage
    return library


def _never(_plain: bytes) -> bytes:
    raise SealError("there is no recipient to seal for")
