"""The ends of journals that are missing, entered into the accounts of a run.

In: a run and the ledger of what its journals hold. Out: a gap in the account of each actor whose journal lacks its end,
or is not there; an account that is nothing but a gap for the latter. What another actor has taken of a message beyond a
journal that ends in order shows that its last segments are gone. Guests come and go as they like: their journals need
not have an end.
"""

from collections.abc import Iterable

from bus.segment import list_segments
from schemas.manifest import Seat
from supervisor.guest_roles import read_roles
from supervisor.recorded.accounts import Account, Names, Place, name_of
from supervisor.recorded.endings import Lack, find_lack
from supervisor.recorded.ledger import Ledger
from supervisor.runs import RunFolder


def note_lacks(run: RunFolder, ledger: Ledger, seats: Iterable[Seat]) -> None:
    """Enter what the journals of `seats` lack at their end."""
    guests = read_roles(run)
    for seat in seats:
        lack = find_lack(run, seat) if seat.instance not in guests else None
        if lack is None:
            continue
        account = ledger.accounts.setdefault(seat.instance, Account(Names()))
        if not any((gap.place.segment, gap.place.offset) == (lack.segment, lack.offset) for gap in account.gaps):
            account.lose(Place(lack.segment, lack.offset, epoch=lack.epoch), lack.reason)


def find_unheld(run: RunFolder, ledger: Ledger, name: str) -> Lack | None:
    """The end of the journal of `name` in a closed run, when somebody took what it said after that."""
    account, segments = ledger.accounts[name], list_segments(run.journal / name)
    if account.gaps or not segments or not run.closed_file.exists():
        return None
    last = account.said_keys[-1] if account.said_keys else 0
    for receiver, other in ledger.accounts.items():
        key = other.taken_up_to.get(name, 0)
        if key > last:
            segment, path = segments[-1]
            reason = f"its end is missing, or was never there: {receiver} has taken {name_of(name, key)}"
            return Lack(path.name, path.stat().st_size, segment.epoch, reason)
    return None
