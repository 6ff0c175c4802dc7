"""The company of one arm of an experiment: the real cores on the bus in memory, in a scratch home of their own.

In: the resolved configuration, a seed, and what is different in this arm: cores that stand in the place of others.
Out: a `Stage`, whose virtual time goes on when it is told to, and what was said meanwhile. Everything is a function of
configuration and seed. Nothing is started as a process and nothing is left on disk.
"""

import importlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from bus.core import Actor
from bus.launch import ActorStart
from bus.memory import MemoryBus, Said
from schemas.manifest import RunManifest
from schemas.roles import Role, module_of
from schemas.settings import RunSettings
from supervisor.configuration import Configuration
from supervisor.inputs import PreparedInputs, prepare_inputs, store_inputs
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import LOOP, seats_of

RAN_IN: Final = "the bus in memory: real cores in one process, encoded messages, virtual time; no sockets"
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
UNPROTECTED: Final = Protection("none", "none")
"""Nothing on the bus in memory is a process."""

Change = Callable[[ActorStart, Actor], Actor]
"""Gives the actor that takes the place of the usual one."""


@dataclass
class Stage:
    """The actors of one arm, in virtual time."""

    bus: MemoryBus
    actors: Mapping[Role, Actor]

    def run(self, seconds: float) -> list[Said]:
        """Let `seconds` of virtual time pass; what was said meanwhile, in order."""
        self.bus.run(seconds)
        said = list(self.bus.said)
        self.bus.said.clear()
        return said


@contextmanager
def staged(configuration: Configuration, seed: int, changes: Mapping[Role, Change]) -> Iterator[Stage]:
    """The company of one arm; its scratch home goes when the body ends."""
    with tempfile.TemporaryDirectory(prefix="oneiros-experiment-") as scratch:
        home, inputs = Path(scratch), _inputs(configuration.settings.run)
        store_inputs(inputs, home / "inputs")
        manifest = make_manifest(configuration, inputs.sha256, seats_of(LOOP), 1, BEGINNING, UNPROTECTED)
        manifest = manifest.model_copy(update={"seed": seed})
        actors = _actors(home, manifest, changes)
        try:
            yield Stage(MemoryBus({seat: actors[seat.role] for seat in manifest.seats}), actors)
        finally:
            for actor in actors.values():
                if actor.store is not None:
                    actor.store.close()


def _actors(home: Path, manifest: RunManifest, changes: Mapping[Role, Change]) -> dict[Role, Actor]:
    actors = {}
    for seat in manifest.seats:
        start = ActorStart(home, manifest, seat)
        actor = _builder_of(seat.role)(start)
        actors[seat.role] = changes[seat.role](start, actor) if seat.role in changes else actor
    return actors


@cache
def _inputs(run: RunSettings) -> PreparedInputs:
    return prepare_inputs(run)


def _builder_of(role: Role) -> Callable[[ActorStart], Actor]:
    build: Callable[[ActorStart], Actor] = importlib.import_module(f"{module_of(role)}.__main__").build
    return build
