"""Names of actors that a user types.

In: a name and those that there are. Out: what to say of a name that is none of them.
"""

import difflib
from collections.abc import Iterable


def unknown_actor(name: str, known: Iterable[str]) -> str:
    """That no actor is called `name`, which one may have been meant, and which there are."""
    names = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    meant = f"; did you mean {names[near[0]]}?" if near else ";"
    return f"no actor is called {name!r}{meant} there are {', '.join(names.values()) or 'none'}"
