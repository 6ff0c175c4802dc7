"""Taking a seat that was offered: the file that `supervisor attach` wrote, and the sole right to sit there.

In: the path of the offer, or `ONEIROS_SEAT`. Out: the offer, the keys in it, and a lock on it as long as the process
lives. Refused: no offer, one of a run that is over, one of another version of the messages, a seat in which another
process sits. An offer that was replaced is noticed at the next request.
"""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError

from bus.errors import SeatError
from bus.keys import KeyRing
from schemas.catalogue import schema_digest
from schemas.guests import SEAT_VARIABLE, SeatOffer

VARIABLE: Final = SEAT_VARIABLE


class TakenSeat:
    """An offer that this process holds."""

    def __init__(self, path: Path) -> None:
        """Take the seat that the file at `path` offers; raises SeatError."""
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            reason = f"the seat {path} cannot be read: {error.strerror}"
            raise SeatError(f"{reason}; the run may be over, `supervisor attach NAME` gives a new one") from error
        try:
            self.offer = self._read()
        except SeatError:
            os.close(self._fd)
            raise

    @classmethod
    def from_environment(cls, path: str | Path | None = None) -> Self:
        """The seat at `path`, or the one that ONEIROS_SEAT names; raises SeatError."""
        told = path or os.environ.get(SEAT_VARIABLE)
        if not told:
            raise SeatError(f"{SEAT_VARIABLE} is not set: `supervisor attach NAME` prints what to export")
        return cls(Path(told))

    @property
    def ring(self) -> KeyRing | None:
        """The keys of the guest; None on a bus without locks."""
        offer = self.offer
        if offer.public_key is None or offer.secret_key is None:
            return None
        return KeyRing(
            instance=offer.instance,
            public=offer.public_key.encode(),
            secret=offer.secret_key.encode(),
            peers={name: key.encode() for name, key in offer.peers.items() if key is not None},
            admitted={key.encode(): name for name, key in offer.admitted.items() if key is not None},
            others={},
        )

    def check(self) -> None:
        """Raise SeatError when the offer was replaced or the run is over."""
        try:
            is_ours = os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            raise SeatError(
                f"run {self.offer.run_id} is over: its seats are gone; `supervisor attach {self.offer.instance}` "
                "gives one in the next run"
            ) from None
        if not is_ours:
            raise SeatError(f"the seat {self.offer.instance} was given to another (--replace); this process may go")

    def close(self) -> None:
        """Leave the seat."""
        os.close(self._fd)

    def _read(self) -> SeatOffer:
        try:
            offer = SeatOffer.model_validate_json(os.read(self._fd, os.fstat(self._fd).st_size))
        except ValidationError as error:
            raise SeatError(f"{self._path} is no seat: {error.errors()[0]['msg']}") from error
        if offer.schema_sha256 != schema_digest():
            raise SeatError(
                f"the run speaks messages {offer.schema_sha256[:12]}, this client {schema_digest()[:12]}; "
                "install the version of oneiros that runs there"
            )
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SeatError(
                f"another process sits in the seat {offer.instance}; end it, or `supervisor attach {offer.instance} "
                "--replace`"
            ) from None
        return offer
