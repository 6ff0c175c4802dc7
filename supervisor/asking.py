"""Finding the supervisor of a home, and asking it.

In: a home and a request. Out: its answer. Refused: a home without a supervisor.
"""

import os
import sys
from pathlib import Path

from supervisor.control import Answer, Request, ask
from supervisor.errors import ControlError, NotRunningError
from supervisor.home import Home
from supervisor.lock import find_holder


def ask_home(home: Home, request: Request) -> Answer:
    """The answer of the supervisor of `home`; raises NotRunningError, or ControlError when it does not answer."""
    holder = find_holder(home)
    if holder is None:
        raise NotRunningError(str(home.root))
    try:
        return ask(Path(holder.runtime), request)
    except ControlError:
        if find_holder(home) is None:
            raise NotRunningError(str(home.root)) from None
        raise


def is_coloured() -> bool:
    """Whether standard output is a terminal whose user did not refuse colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
