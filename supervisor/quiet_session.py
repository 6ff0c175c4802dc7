"""A session that says nothing on the terminal, for commands that bring up processes of their own.

In: a home that is held, its runtime folder. Out: a session, as a context; its processes are gone when it ends.
"""

from pathlib import Path

from supervisor.home import Home
from supervisor.nursery import Nursery
from supervisor.session import Session


class QuietSession:
    """A session without a console. Used as a context."""

    def __init__(self, home: Home, runtime: Path) -> None:
        self._nursery = Nursery()
        self._session = Session(home, runtime, self._nursery, is_detached=False, is_quiet=True)

    def __enter__(self) -> Session:
        return self._session

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._nursery.close()
