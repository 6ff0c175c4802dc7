"""Orders to the pool-keeper brought to their end: by the running loop, or by a pool-keeper started for them alone.

In: a home, and what makes the orders once nothing changes the pool behind them. Out: the run in which they were said
and stored. While a loop runs its supervisor publishes them, so that none is published to a loop that is stopping.
Where none runs, interrupted runs are brought to their end first; then a run of the pool-keeper alone takes the orders
in. Such a run is recorded, replayed and audited like any other.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from actors.pool_keeper.reading import PoolReader
from bus.core import Cursor
from schemas.base import Message
from schemas.ids import RunId
from schemas.inputs import InputSet
from schemas.manifest import RunManifest
from supervisor.advice import advise
from supervisor.asking import ask_home
from supervisor.bring_up import KEEPER, clear_runtime, finish_interrupted, was_stored
from supervisor.configuration import Sources, load_configuration
from supervisor.control import Request
from supervisor.errors import ControlError, RecoveryError
from supervisor.home import Home, runtime_folder
from supervisor.inputs import PreparedInputs, store_inputs
from supervisor.left_out import LeftOut
from supervisor.lock import Holder, find_holder, hold_home
from supervisor.log_lines import utc_text
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import seats_of
from supervisor.pool.orders import Staged, publish, stage, writing_orders
from supervisor.quiet_session import QuietSession
from supervisor.run_life import Limits, RunLife
from supervisor.runs import RunFolder, next_ordinal

LOOK_S: Final = 0.05
UNPROTECTED: Final = Protection("none", "curve")
"""A run of the pool-keeper alone has nobody to box."""

MakeOrders = Callable[[], Iterable[Message]]
Told = Callable[[int], None]


class Delivered(NamedTuple):
    """Orders that were carried out."""

    run_id: str
    messages: int


def deliver(home: Home, make: MakeOrders, reason: str, told: Told = lambda _count: None) -> Delivered | None:
    """Have the orders of `make` carried out; None where it makes none. `reason` names the run that is made for them.

    `told` hears of each order that is written. Raises ControlError, and what `make` raises, with nothing changed.
    """
    home.create()
    if find_holder(home) is not None:
        return _by_the_running(home, make, told)
    runtime = runtime_folder(home.root)
    holder = Holder(pid=os.getpid(), started_at=utc_text(time.time()), runtime=str(runtime))
    with hold_home(home, holder):
        try:
            finish_interrupted(home, runtime)
            orders = _peeked(make())
            return None if orders is None else _by_one_started(home, runtime, orders, (reason, told))
        finally:
            clear_runtime(runtime)


def _by_the_running(home: Home, make: MakeOrders, told: Told) -> Delivered | None:
    status = ask_home(home, Request(verb="status")).status
    if status is None:
        raise ControlError("the supervisor's answer does not say which run it lives")
    run = RunFolder(home, RunId(status.run_id))
    with writing_orders(run):
        orders = _peeked(make())
        if orders is None:
            return None
        staged = stage(run, run.read_manifest(), orders, told)
        ask_home(home, Request(verb="publish", segment=staged.segment))
        _await(home, run, staged)
    return Delivered(run.run_id, staged.messages)


def _await(home: Home, run: RunFolder, staged: Staged) -> None:
    """Wait until the pool holds what was published."""
    while _taken(home, run) < staged.last:
        if find_holder(home) is None:
            if _taken(home, run) >= staged.last:
                return
            raise ControlError(
                f"the loop was killed before the pool-keeper took the orders in; the next "
                f"{advise('up', home.root)} brings run {run.run_id} to its end, and them with it"
            )
        time.sleep(LOOK_S)


def _taken(home: Home, run: RunFolder) -> Cursor:
    with PoolReader(home.root) as reader:
        return reader.cursor(run.run_id)


def _by_one_started(home: Home, runtime: Path, orders: Iterable[Message], how: tuple[str, Told]) -> Delivered:
    reason, told = how
    manifest = _manifest(home)
    run = RunFolder(home, RunId(manifest.run_id))
    try:
        with writing_orders(run):
            staged = stage(run, manifest, orders, told)
            run.write_manifest(manifest)
            publish(run, staged.segment)
    except BaseException:
        if not run.manifest_file.exists():
            shutil.rmtree(run.journal, ignore_errors=True)
        raise
    with QuietSession(home, runtime) as session:
        life = RunLife(session, run, manifest, manifest.seats, Limits(caught_up=True))
        session.conduct(life)
    if not was_stored(life) or _taken(home, run) < staged.last:
        reasons = ", ".join(actor.reason or actor.state for actor in life.supervision.actors.values())
        raise RecoveryError(run.run_id, reasons, str(run.path), str(home.root))
    run.close(life.figures(reason))
    return Delivered(run.run_id, staged.messages)


def _manifest(home: Home) -> RunManifest:
    """The manifest of a run that has neither pictures nor facts, and a pool-keeper alone."""
    inputs = InputSet(pictures=(), factoids=())
    content = inputs.to_bytes()
    prepared = PreparedInputs(inputs, content, hashlib.sha256(content).hexdigest(), LeftOut(), ())
    store_inputs(prepared, home.inputs)
    seats = seats_of((KEEPER,))
    configuration = load_configuration(Sources(home))
    return make_manifest(configuration, prepared.sha256, seats, next_ordinal(home), datetime.now(UTC), UNPROTECTED)


def _peeked(orders: Iterable[Message]) -> Iterable[Message] | None:
    """`orders`, or None when there are none."""
    iterator = iter(orders)
    first = next(iterator, None)
    return None if first is None else chain((first,), iterator)
