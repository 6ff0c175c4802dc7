"""The window of one process on the world: what a core asks goes out, what comes back waits for the loop.

In: the opener of a world, if the actor has one, and the asks of journalled steps. Out: observations. Refused, as a
programming error: an ask of an actor without a world.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from bus.core import Ask, Observed, World
from bus.errors import BusError


class NoWorldError(BusError):
    """A core asked something of the world, and its shell has given it none."""


class Window:
    """Holds the world of one process; closed until `open`."""

    def __init__(self) -> None:
        self._world: World | None = None

    def open(self, opener: Callable[[], World] | None) -> int | None:
        """Open the world; the descriptor that is readable while answers wait, None for an actor without a world."""
        if opener is None:
            return None
        self._world = opener()
        return self._world.fileno()

    def ask(self, asks: Iterable[Ask]) -> None:
        """Begin `asks`. Raises NoWorldError."""
        for ask in asks:
            if self._world is None:
                raise NoWorldError(f"the core asked for {ask.name!r}, and its actor has no world to ask")
            self._world.ask(ask)

    def answers(self) -> list[Observed]:
        """What has come since the last call."""
        return [] if self._world is None else self._world.answers()

    def close(self) -> None:
        """End what the world has begun; a second call does nothing."""
        world, self._world = self._world, None
        if world is not None:
            with suppress(OSError):
                world.close()
