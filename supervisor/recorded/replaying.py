"""Replaying recorded runs: one child process an actor, in the environment that the run was pinned to.

In: a run of a home. Out: a `ReplayReport` with the verdict on each actor. The child (`python -m
supervisor.recorded.replaying`) builds the actor in a scratch home that holds the run's inputs and, for the pool-keeper,
what the pool held before the run; it prints its verdict as one JSON line and its progress as numbers. Nothing of
the home is changed. Ctrl-C reaches the children through whoever waits for them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bus.errors import StartError
from bus.launch import ActorStart, load_manifest
from bus.recording import Recording
from bus.replay import Bounds, JournalDamage, Replay, Verdict
from schemas.errors import OneirosError
from schemas.ids import RunId
from schemas.manifest import Seat
from supervisor.home import Home
from supervisor.kernel import bind_to_parent
from supervisor.nursery import replaying_environment
from supervisor.recorded.endings import find_lack
from supervisor.recorded.locating import Damaged, locate
from supervisor.recorded.stored_content import ReplayedStore
from supervisor.runs import RunFolder

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

    @property
    def run(self) -> RunFolder:
        """The folder of the run."""
        return RunFolder(Home(self.home), RunId(self.run_id))


def start_replay(request: ReplayRequest) -> subprocess.Popen[str]:
    """A child process that replays one actor; its last line on standard output is the verdict.

    It is the first of a group of its own: a terminal's Ctrl-C does not reach it.
    """
    asked = json.dumps(asdict(request), default=str)
    command = [sys.executable, "-P", "-m", "supervisor.recorded.replaying", asked, str(os.getpid())]
    environment = replaying_environment(os.environ, request.run.read_manifest().pinned_environment)
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, process_group=0)


def replay_here(request: ReplayRequest, progress: Callable[[int], None]) -> dict[str, Any]:
    """Replay one actor in this process: its verdict, or the reason why it cannot be replayed, as a JSON object."""
    manifest = load_manifest(request.home, request.run_id)
    seat = next(seat for seat in manifest.seats if seat.instance == request.actor)
    recording = Recording(request.run.journal)
    with tempfile.TemporaryDirectory(prefix="oneiros-replay-") as scratch:
        start = ActorStart(Path(scratch), manifest, seat)
        start.home.joinpath("inputs").symlink_to(request.home / "inputs")
        store = ReplayedStore(start, request.run)
        replay = Replay(recording, seat, manifest.seats, lambda: store.build(start), request.ulp_tolerance)
        began = time.perf_counter()
        try:
            verdict = replay.run(Bounds(request.until, request.from_snapshot), progress)
        except StartError as error:
            raise StartError(str(error).replace(scratch, str(request.home))) from error
        took = {"took_s": round(time.perf_counter() - began, 3)}
        _note_lack(verdict, request, seat)
        tree = {**_verdict_tree(verdict, recording), **took}
        return {**tree, **store.compare(verdict, is_bounded=request.until is not None)}


def _note_lack(verdict: Verdict, request: ReplayRequest, seat: Seat) -> None:
    """Whatever came out the same, the end of the journal may be missing, or all of it."""
    lack = find_lack(request.run, seat) if request.until is None else None
    if lack is not None and verdict.is_identical:
        verdict.damage = JournalDamage(lack.segment, lack.offset, lack.reason)
    elif not verdict.epochs and verdict.is_identical:
        verdict.notes.append("it has no journal: no process of it has begun in this run")


def _verdict_tree(verdict: Verdict, recording: Recording) -> dict[str, Any]:
    """`verdict` as a JSON object, with the place of the damage wherever it is."""
    tree = {**asdict(replace(verdict, damage=None)), "is_identical": verdict.is_identical}
    damage = verdict.damage
    if damage is None:
        return tree
    found = Damaged(verdict.actor, damage.segment, damage.offset, damage.reason)
    if damage.missing is not None:
        found = locate(recording, damage.missing) or found
        found = found._replace(reason=f"{found.reason}; {damage.reason}" if found.reason else damage.reason)
    return {**tree, "damage": found._asdict()}


def main() -> int:
    """The child: replay what the first argument says, report progress and the verdict on standard output.

    The second argument is the process that waits for it, which it does not outlive.
    """
    bind_to_parent(int(sys.argv[2]))
    asked = json.loads(sys.argv[1])
    request = ReplayRequest(**{**asked, "home": Path(asked["home"])})

    def progress(step: int) -> None:
        if step % PROGRESS_STEPS == 0:
            print(json.dumps({"step": step}), flush=True)  # noqa: T201 - the parent reads it

    try:
        answer = replay_here(request, progress)
    except OneirosError as error:
        answer = {"actor": request.actor, "unreplayable": str(error)}
    except OSError as error:
        answer = {"actor": request.actor, "unreplayable": f"{error.filename or 'system'}: {error.strerror or error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the parent reads it
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
