"""The real actors as the company of a simulation: the same cores, the same pool file, in virtual time.

In: the resolved configuration. Out: a `Cast`: for each seed a fresh scratch home and one actor of each role. The pool
is a real file, so a power cut cannot take a part of it: such runs have none. Everything is gone when the run is over.
"""

import importlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from actors.pool_keeper.store import PoolStore
from bus.core import Actor, Cursor, MessageRef
from bus.errors import BusError
from bus.launch import ActorStart
from bus.simulation.company import Company, Part, Surroundings, Taken
from bus.simulation.light_actors import name_of
from bus.simulation.light_keeper import REQUESTS
from schemas.manifest import Seat
from schemas.roles import Role, module_of
from schemas.settings import RunSettings
from supervisor.configuration import Configuration
from supervisor.inputs import PreparedInputs, prepare_inputs, store_inputs
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import LOOP, seats_of

DREAMER: Final[Role] = "dreamer"
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
UNPROTECTED: Final = Protection("none", "none")
"""Nothing of a simulation is a process."""


class PoolOnDisk:
    """What the pool of a run holds (`bus.simulation.company.Archive`)."""

    def __init__(self, seats: tuple[Seat, ...]) -> None:
        self._dreamers = {seat.instance for seat in seats if seat.role == DREAMER}
        self.store: PoolStore | None = None

    def count(self) -> int:
        """How many dreams ever came into the pool; asked after a commit alone."""
        return 0 if self.store is None else self.store.columns.last_sequence

    def taken(self, index: int) -> Taken:
        """The message that brought dream `index`, counted from 0."""
        if self.store is None:
            raise IndexError(index)
        sequence = index + 1
        columns = "SELECT origin_sender, origin_epoch, origin_seq, id FROM"
        sql = f"{columns} dreams WHERE sequence = ?1 UNION ALL {columns} tombstones WHERE sequence = ?1"
        sender, epoch, seq, dream_id = self.store.row(sql, sequence) or ("", 0, 0, "")
        return Taken(MessageRef(str(sender), int(str(epoch)), int(str(seq))), str(dream_id))

    def cursors(self) -> Mapping[str, Cursor]:
        """The committed cursors."""
        return {} if self.store is None else self.store.cursors()

    def covers(self, sender: str) -> bool:
        """Whether every message of `sender` is a dream."""
        return sender in self._dreamers

    def cut_power(self, now_ns: int, draws: Random) -> None:  # noqa: ARG002 - the signature of the port
        """Files cannot be cut: a run of real actors has no power cut."""
        raise BusError(f"a run of real actors was cut from its power at {now_ns} ns; its faults may hold no power cut")


@dataclass(frozen=True)
class RealCast:
    """Makes the company of a seed (`bus.simulation.company.Cast`)."""

    configuration: Configuration

    def __call__(self, seed: int) -> Company:
        """The real actors, in a scratch home of their own."""
        scratch = tempfile.TemporaryDirectory(prefix="oneiros-simulation-")
        home, inputs = Path(scratch.name), _inputs(self.configuration.settings.run)
        store_inputs(inputs, home / "inputs")
        seats = seats_of(LOOP)
        manifest = make_manifest(self.configuration, inputs.sha256, seats, 1, BEGINNING, UNPROTECTED)
        manifest = manifest.model_copy(update={"seed": seed})
        archive = PoolOnDisk(seats)

        def part(seat: Seat) -> Part:
            start, build = ActorStart(home, manifest, seat), _builder_of(seat.role)

            def built(_: Surroundings) -> Actor:
                actor = build(start)
                if isinstance(actor.store, PoolStore):
                    archive.store = actor.store
                return actor

            return Part(seat, built)

        parts = tuple(part(seat) for seat in seats)
        return Company(parts, archive, REQUESTS, name_of, can_lose_power=False, close=scratch.cleanup)


@cache
def _inputs(run: RunSettings) -> PreparedInputs:
    return prepare_inputs(run)


def _builder_of(role: Role) -> Callable[[ActorStart], Actor]:
    build: Callable[[ActorStart], Actor] = importlib.import_module(f"{module_of(role)}.__main__").build
    return build
