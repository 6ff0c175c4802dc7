"""Saying something to the friend of the running loop, and hearing what became of it.

In: messages to the friend. Out: they are in the journal that it reads, and its answers are found in the file that it
writes (`schemas.friend.ANSWERS_PATH`), which nobody but the user may read. Refused, with exit code 3: a home without a
supervisor, a run without a friend, a friend that does not answer in time.
"""

import os
import time
from collections.abc import Callable
from typing import ClassVar, Final

from pydantic import ValidationError

from schemas.base import Message
from schemas.friend import ANSWERS_PATH, Answers
from schemas.ids import RunId, derived_id
from supervisor.advice import advise
from supervisor.asking import ask_home
from supervisor.control import Request
from supervisor.errors import ControlError, NotRunningError, SupervisorError
from supervisor.home import Home
from supervisor.lock import find_holder
from supervisor.pool.orders import stage, writing_orders
from supervisor.runs import RunFolder

FRIEND: Final = "friend"
LOOK_S: Final = 0.01
PATIENCE_S: Final = 15.0
"""How long an answer may take; a friend that is just restarting finds the question in the journal."""


class FriendAwayError(SupervisorError):
    """The command needs a friend that runs and answers."""

    exit_code: ClassVar[int] = 3


class Addressed:
    """The friend of the loop that runs on a home."""

    def __init__(self, home: Home) -> None:
        """Raises NotRunningError, FriendAwayError, or ControlError."""
        status = ask_home(home, Request(verb="status")).status
        if status is None:
            raise ControlError("the supervisor's answer does not say which run it lives")
        found = [actor.name for actor in status.actors if actor.role == FRIEND]
        if not found:
            raise FriendAwayError(f"no friend takes part in run {status.run_id}; {advise('up', home.root)} starts one")
        self.home = home
        self.run = RunFolder(home, RunId(status.run_id))
        self._name = found[0]
        self._manifest = self.run.read_manifest()
        self._asked = 0

    def name_question(self) -> str:
        """An id that no question had before."""
        self._asked += 1
        return derived_id("question", self.run.run_id, os.getpid(), time.time_ns(), self._asked)

    def order(self, message: Message) -> None:
        """Let the friend read `message`. Raises ControlError when the loop is stopping."""
        with writing_orders(self.run):
            staged = stage(self.run, self._manifest, [message], lambda _count: None, self._name)
            ask_home(self.home, Request(verb="publish", segment=staged.segment))

    def answer_to(self, asked: str, patience_s: float = PATIENCE_S) -> str:
        """What the friend answers to a question. Raises FriendAwayError, or NotRunningError."""
        file = self.home.root / ANSWERS_PATH

        def answer() -> str | None:
            try:
                return Answers.model_validate_json(file.read_bytes()).to(asked)
            except (OSError, ValidationError):
                return None

        return self.await_sign(answer, patience_s)

    def await_sign(self, look: Callable[[], str | None], patience_s: float = PATIENCE_S) -> str:
        """What `look` finds, as soon as it finds something. Raises FriendAwayError, or NotRunningError."""
        ends_at = time.monotonic() + patience_s
        while (found := look()) is None:
            if time.monotonic() > ends_at:
                raise FriendAwayError(
                    f"the friend did not answer within {patience_s:g} s; {advise('status', self.home.root)} shows how "
                    f"it is, {advise('logs --actor friend', self.home.root)} what it met"
                )
            if find_holder(self.home) is None:
                raise NotRunningError(str(self.home.root))
            time.sleep(LOOK_S)
        return found
