"""Finding the supervisor of a home, and asking it.

In: a home and a request. Out: its answer. Refused: a home without a supervisor, and one that this user may not see; a
supervisor that cannot be reached or does not answer is named by its pid, with what to do.
"""

import os
import sys
from pathlib import Path

from supervisor.control import Answer, Request, ask
from supervisor.errors import ControlError, NotRunningError, SilentError, UnreachableError
from supervisor.home import Home
from supervisor.lock import Holder, find_holder


def ask_home(home: Home, request: Request) -> Answer:
    """The answer of the supervisor of `home`; raises NotRunningError, HomeHiddenError, or ControlError without one."""
    holder = find_holder(home)
    if holder is None:
        raise NotRunningError(str(home.root))
    try:
        return ask(Path(holder.runtime), request)
    except SilentError as error:
        raise SilentError(f"{error}: {describe_silence(holder)}") from None
    except ControlError:
        if find_holder(home) is None:
            raise NotRunningError(str(home.root)) from None
        if not Path(holder.runtime).is_dir():
            raise UnreachableError(str(home.root), holder.pid, holder.runtime) from None
        raise


def describe_silence(holder: Holder) -> str:
    """Who does not answer, and what wakes it when it is suspended."""
    from supervisor.kernel import is_suspended

    if is_suspended(holder.pid):
        return f"pid {holder.pid} is suspended; `fg` in its terminal or `kill -CONT {holder.pid}` wakes it"
    return f"pid {holder.pid} is busy or hangs"


def is_coloured() -> bool:
    """Whether standard output is a terminal whose user did not refuse colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
