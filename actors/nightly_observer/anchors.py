"""Anchors: what stands for a raw id wherever a night is written down (seed 004, 4.1).

In: the key of the home, the date of the night, a domain and a raw id. Out: `h:` or `m:` and 24 hexadecimal digits of a
keyed hash. Under `hash` the same thing has the same anchor every night; under `mask` the key is derived for the date
(HKDF-SHA256, RFC 5869), so that the anchors of two nights cannot be linked. Refused: a key that is not 32 bytes.
Without the key nobody can tell an anchor from a random number, nor try ids until one fits.
"""

import hashlib
import hmac
from typing import Final

from schemas.errors import OneirosError
from schemas.night_settings import IdPrivacy

KEY_BYTES: Final = 32
ANCHOR_DIGITS: Final = 24


class AnchorKeyError(OneirosError):
    """The key of the anchors is none."""

    is_permanent = True

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(
            f"the key of the anchors has {size} bytes, {KEY_BYTES} are required; remove the file and retry"
        )


class Anchors:
    """Makes the anchors of one night."""

    def __init__(self, key: bytes, date: str, id_privacy: IdPrivacy) -> None:
        """`date`: of the night, YYYY-MM-DD. Raises AnchorKeyError."""
        if len(key) != KEY_BYTES:
            raise AnchorKeyError(len(key))
        self._prefix = "h:" if id_privacy == "hash" else "m:"
        self._key = key if id_privacy == "hash" else derived_key(key, f"anchors of {date}")

    def of(self, domain: str, raw_id: str) -> str:
        """The anchor of `raw_id`, which is a `domain`: a dream, a bin, a guard."""
        digest = hmac.new(self._key, f"{domain}|{raw_id}".encode(), hashlib.sha256).hexdigest()
        return self._prefix + digest[:ANCHOR_DIGITS]


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key for `purpose` alone: one block of HKDF-SHA256 without salt."""
    extracted = hmac.new(bytes(hashlib.sha256().digest_size), key, hashlib.sha256).digest()
    return hmac.new(extracted, purpose.encode() + b"\x01", hashlib.sha256).digest()


def commit(key: bytes, content: bytes) -> str:
    """A commitment to `content`, hexadecimal: equal for equal content, and nothing to be guessed without the key."""
    return hmac.new(derived_key(key, "commitments"), content, hashlib.sha256).hexdigest()
