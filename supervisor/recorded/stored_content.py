"""Whether a replayed store holds what the recorded one does.

In: the start of an actor in a scratch home, the run that is replayed. Out: the actor, over a store that holds what the
pool held before the run; then digests of what the run put into either store, or why they are not compared. They say
something only when both hold the same steps: while a run goes on, or when it was left open, its store has other ones.
A store that cannot be read leaves the steps to be judged alone; where they could depend on it, they cannot be judged.
"""

import importlib
from pathlib import Path
from typing import Any

from bus.core import Actor, StepPosition
from bus.launch import ActorStart
from bus.replay import Verdict
from schemas.errors import OneirosError
from schemas.roles import module_of
from supervisor.recorded.recordings import is_live
from supervisor.runs import RunFolder, list_runs


class ReplayedStore:
    """The store of one replayed actor, if it has one."""

    def __init__(self, start: ActorStart, run: RunFolder) -> None:
        """Put into the home of `start` what the home of `run` held before it."""
        self._module: Any = importlib.import_module(f"{module_of(start.seat.role)}.__main__")
        self._start = start
        self._run = run
        self._problem: str | None = None
        """Why nothing could be taken from the home's own store."""
        if self._has_store:
            try:
                self._module.furnish_replay(start, run.home.root)
            except OneirosError as error:
                self._problem = str(error)

    @property
    def _has_store(self) -> bool:
        return hasattr(self._module, "replayed_content")

    def build(self, start: ActorStart) -> Actor:
        """The actor."""
        actor: Actor = self._module.build(start)
        return actor

    def compare(self, verdict: Verdict, *, is_bounded: bool) -> dict[str, Any]:
        """What is to be added to the verdict tree: both digests, or why there are none."""
        if not self._has_store or verdict.damage is not None:
            return _uncompared(None)
        if verdict.divergence is not None:
            return self._excuse(verdict.divergence.step)
        why = self._why_not(is_bounded=is_bounded)
        if why is not None:
            return _uncompared(why)
        try:
            recorded = self._content_under(self._run.home.root)
        except OneirosError as error:
            return _uncompared(str(error))
        replayed = self._content_under(self._start.home)
        if recorded.until != replayed.until:
            return _uncompared(f"the pool holds {_extent(recorded.until)}, the journal {_extent(replayed.until)}")
        digests = {"recorded": recorded.sha256, "replayed": replayed.sha256}
        is_identical = recorded.sha256 == replayed.sha256
        return {**_uncompared(None), "content": digests, "is_identical": is_identical}

    def _content_under(self, home: Path) -> Any:
        return self._module.replayed_content(self._start, home)

    def _why_not(self, *, is_bounded: bool) -> str | None:
        """Why the home's store need not be asked."""
        if self._problem is not None:
            return self._problem
        if self._run.is_open:
            return "the run still goes on" if is_live(self._run) else "the run was not closed"
        return "only a part of the run was replayed" if is_bounded else None

    def _excuse(self, step: int) -> dict[str, Any]:
        """That it cannot be replayed, when it differs for want of what earlier runs stored."""
        problem = self._problem
        try:
            if problem is None:
                self._content_under(self._run.home.root)
        except OneirosError as error:
            problem = str(error)
        if problem is None or list_runs(self._run.home)[0].run_id == self._run.run_id:
            return _uncompared(problem)
        return {"unreplayable": f"step {step} differs without the dreams of earlier runs: {problem}"}


def _uncompared(why: str | None) -> dict[str, Any]:
    return {"content": None, "content_not_compared": why}


def _extent(until: StepPosition | None) -> str:
    return "nothing of the run" if until is None else f"it up to step {until.step} of process start {until.epoch}"
