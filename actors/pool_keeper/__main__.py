"""The pool-keeper as a process, and as an actor of a replay."""

from actors.pool_keeper.core import PoolKeeper
from actors.pool_keeper.store import PoolStore, StoreSettings
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart

MIB = 1024 * 1024


def build(start: ActorStart) -> Actor:
    """The pool-keeper of `start`, its pool open under `start.home`. Raises PoolError."""
    pool = start.settings.pool
    store = PoolStore(
        start.home,
        StoreSettings(
            run_id=start.manifest.run_id,
            page_size_bytes=pool.page_size_bytes,
            checkpoint_bytes=pool.checkpoint_mib * MIB,
            is_power_safe=start.settings.journal.fsync == "power",
        ),
    )
    gate = None if isinstance(pool.coherence_threshold, str) else pool.coherence_threshold
    return Actor(core=PoolKeeper(store, gate), randomness=start.randomness(), store=store)


if __name__ == "__main__":
    raise SystemExit(run("pool-keeper", build))
