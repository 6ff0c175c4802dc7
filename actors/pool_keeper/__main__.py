"""The pool-keeper as a process, and as an actor of a replay."""

from pathlib import Path

from actors.pool_keeper.core import PoolKeeper
from actors.pool_keeper.store import PoolStore, StoreSettings, content_digest, furnish
from bus.core import Actor
from bus.host import run
from bus.launch import ActorStart

MIB = 1024 * 1024


def build(start: ActorStart) -> Actor:
    """The pool-keeper of `start`, its pool open under `start.home`. Raises PoolError."""
    store = PoolStore(start.home, _settings(start))
    threshold = start.settings.pool.coherence_threshold
    gate = None if isinstance(threshold, str) else threshold
    return Actor(core=PoolKeeper(store, gate), randomness=start.randomness(), store=store)


def furnish_replay(start: ActorStart, home: Path) -> None:
    """Put what the pool of `home` held before the run into the pool under `start.home`."""
    furnish(home, start.home, _settings(start))


def replayed_content(start: ActorStart, home: Path) -> str:
    """A digest of what the run put into the pool under `home`."""
    return content_digest(home, start.manifest.run_id)


def _settings(start: ActorStart) -> StoreSettings:
    pool, is_power_safe = start.settings.pool, start.settings.journal.fsync == "power"
    return StoreSettings(start.manifest.run_id, pool.page_size_bytes, pool.checkpoint_mib * MIB, is_power_safe)


if __name__ == "__main__":
    raise SystemExit(run("pool-keeper", build))
