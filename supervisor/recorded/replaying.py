"""Replaying recorded runs: one child process an actor, in the environment that the run was pinned to.

In: a run of a home. Out: a `ReplayReport` with the verdict on each actor. The child (`python -m
supervisor.recorded.replaying`) builds the actor in a scratch home that holds the run's inputs and, for the pool-keeper,
what the pool held before the run; it prints its verdict as one JSON line and its progress as numbers. Nothing of
the home is changed.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bus.core import Actor
from bus.launch import ActorStart, load_manifest
from bus.recording import Recording
from bus.replay import Bounds, Replay, Verdict
from schemas.errors import OneirosError
from schemas.manifest import Seat
from schemas.roles import module_of
from supervisor.nursery import PINNED

PROGRESS_STEPS = 200


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be replayed, and how."""

    home: Path
    run_id: str
    actor: str
    until: int | None = None
    from_snapshot: bool = False
    ulp_tolerance: int = 0


def start_replay(request: ReplayRequest) -> subprocess.Popen[str]:
    """A child process that replays one actor; its last line on standard output is the verdict."""
    command = [sys.executable, "-P", "-m", "supervisor.recorded.replaying", json.dumps(asdict(request), default=str)]
    environment = {**os.environ, **dict(PINNED)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def replay_here(request: ReplayRequest, progress: Callable[[int], None]) -> dict[str, Any]:
    """Replay one actor in this process: its verdict, or the reason why it cannot be replayed, as a JSON object."""
    manifest = load_manifest(request.home, request.run_id)
    seat = next(seat for seat in manifest.seats if seat.instance == request.actor)
    recording = Recording(request.home / "journal" / request.run_id)
    with tempfile.TemporaryDirectory(prefix="oneiros-replay-") as scratch:
        start = ActorStart(Path(scratch), manifest, seat)
        _furnish(start, request)
        replay = Replay(recording, seat, manifest.seats, lambda: _build(seat)(start), request.ulp_tolerance)
        began = time.perf_counter()
        verdict = replay.run(Bounds(request.until, request.from_snapshot), progress)
        took = {"took_s": round(time.perf_counter() - began, 3)}
        return {**verdict_tree(verdict), **took, **_pool_content(seat, start, request, verdict)}


def verdict_tree(verdict: Verdict) -> dict[str, Any]:
    """`verdict` as a JSON object."""
    return {**asdict(verdict), "is_identical": verdict.is_identical}


def _furnish(start: ActorStart, request: ReplayRequest) -> None:
    """Give the scratch home what the actor finds at its start: the inputs, and its store as it was before the run."""
    start.home.joinpath("inputs").symlink_to(request.home / "inputs")
    prepare = getattr(_module(start.seat), "furnish_replay", None)
    if prepare is not None:
        prepare(start, request.home)


def _build(seat: Seat) -> Callable[[ActorStart], Actor]:
    build: Callable[[ActorStart], Actor] = _module(seat).build
    return build


def _module(seat: Seat) -> Any:
    return importlib.import_module(f"{module_of(seat.role)}.__main__")


def _pool_content(seat: Seat, start: ActorStart, request: ReplayRequest, verdict: Verdict) -> dict[str, Any]:
    """For an actor with a store: digests of what the run put into it, recorded and replayed."""
    digest_of = getattr(_module(seat), "replayed_content", None)
    if digest_of is None or request.until is not None or not verdict.is_identical:
        return {"content": None}
    recorded, replayed = digest_of(start, request.home), digest_of(start, start.home)
    is_identical = recorded == replayed
    return {"content": {"recorded": recorded, "replayed": replayed}, "is_identical": is_identical}


def main() -> int:
    """The child: replay what the argument says, report progress and the verdict on standard output."""
    asked = json.loads(sys.argv[1])
    request = ReplayRequest(**{**asked, "home": Path(asked["home"])})

    def progress(step: int) -> None:
        if step % PROGRESS_STEPS == 0:
            print(json.dumps({"step": step}), flush=True)  # noqa: T201 - the parent reads it

    try:
        answer = replay_here(request, progress)
    except (OneirosError, OSError) as error:
        answer = {"actor": request.actor, "unreplayable": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the parent reads it
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
