"""The pool-keeper as a process, and as an actor of a replay."""

from functools import partial
from pathlib import Path

from actors.pool_keeper.connection import MIB, StoreSettings
from actors.pool_keeper.copying import Stored, describe_stored, furnish
from actors.pool_keeper.core import PoolKeeper
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.snapshotting import SnapshotWorld
from actors.pool_keeper.store import PoolStore
from bus.actor_log import ActorLog
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The pool-keeper of `start`, its pool open under `start.home`. Raises PoolError."""
    store = PoolStore(start.home, StoreSettings.of(start.manifest), tell=ActorLog(start.seat.instance).info)
    threshold = start.settings.pool.coherence_threshold
    gate = None if isinstance(threshold, str) else threshold
    core = PoolKeeper(store, gate, Budget.of(start.settings))
    open_world = partial(SnapshotWorld, start.home, start.settings.nightly.snapshot_tensor_mib * MIB)
    return Actor(core=core, randomness=start.randomness(), store=store, open_world=open_world)


def furnish_replay(start: ActorStart, home: Path) -> None:
    """Put what the pool of `home` held before the run into the pool under `start.home`. Raises PoolError."""
    PoolStore(start.home, StoreSettings.of(start.manifest)).close()
    furnish(home, start.home, start.manifest.run_id)


def replayed_content(start: ActorStart, home: Path) -> Stored:
    """What the pool under `home` holds of the run. Raises PoolError."""
    return describe_stored(home, start.manifest.run_id)


if __name__ == "__main__":
    raise SystemExit(run("pool-keeper", build))
