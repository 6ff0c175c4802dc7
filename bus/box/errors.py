"""What can go wrong when a box is chosen or closed."""

from typing import ClassVar

from bus.errors import BusError


class BoxError(BusError):
    """A box cannot be closed as it was asked for; the process that wanted it must not go on."""

    is_permanent = True


class IsolationRefusedError(BoxError):
    """This machine offers no box, and the settings demand one."""

    exit_code: ClassVar[int] = 2
    """Of the command that asked for it."""
