"""Signatures of report manifests: Ed25519 (RFC 8032), by the extra `sign`; without a key nothing is called signed.

In: a private key file (PEM, PKCS #8, no password), bytes. Out: `ReportSignature`, which anybody checks with the public
key in it; whose key that is they have to know. A hash alone is no signature: who alters a file alters its hash.
Refused: a key that others may read, another kind of key, a machine without the library when a key is configured.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.learner.trainer.reading import FileRefusedError, read_file
from actors.learner.trainer.reports.documents import ReportSignature
from schemas.errors import OneirosError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MOST_KEY_BYTES: Final = 16 * 1024
INSTALL: Final = "pip install 'oneiros[sign]'"
NO_KEY: Final = "no key is configured (reports.sign_key); hashes show accidents, not forgery"


class SigningError(OneirosError):
    """A report cannot be signed or a key cannot be made."""

    is_permanent = True


class Signer:
    """Holds one private key."""

    def __init__(self, path: Path) -> None:
        """Read the key at `path`; raises SigningError."""
        self._key = _read_key(path)

    def sign(self, content: bytes) -> ReportSignature:
        """The signature of `content`; the same key and content give the same bytes."""
        public = self._key.public_key().public_bytes_raw()
        return ReportSignature(
            sha256=hashlib.sha256(content).hexdigest(),
            public_key=public.hex(),
            signature=self._key.sign(content).hex(),
        )


def is_valid(signature: ReportSignature, content: bytes) -> bool:
    """Whether `signature` is of `content` and by the key that it names; raises SigningError without the library."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SigningError(f"a signature cannot be checked: {INSTALL}") from error
    if hashlib.sha256(content).hexdigest() != signature.sha256:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_key(path: Path) -> str:
    """Write a new private key to `path`, for its owner alone; its public key in hex. Raises SigningError."""
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SigningError(f"a key cannot be made: {INSTALL}") from error
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError:
        raise SigningError(f"{path} is there already; a key is never replaced, name another file") from None
    except OSError as error:
        raise SigningError(f"{path} cannot be written ({error.strerror})") from error
    return str(key.public_key().public_bytes_raw().hex())


def _read_key(path: Path) -> "Ed25519PrivateKey":
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SigningError(f"reports.sign_key is set and nothing can sign: {INSTALL}, or empty it") from error
    try:
        content = read_file(path, MOST_KEY_BYTES)
        mode = stat.S_IMODE(path.stat().st_mode)
    except (FileRefusedError, OSError) as error:
        raise SigningError(f"reports.sign_key: {error}; `supervisor train keygen {path}` makes one") from error
    if mode & 0o077:
        raise SigningError(f"reports.sign_key: others may read {path} (mode {mode:o}); chmod 600 it")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise SigningError(f"reports.sign_key: {path} is no private key ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"reports.sign_key: {path} is another kind of key; an Ed25519 key signs")
    return key
