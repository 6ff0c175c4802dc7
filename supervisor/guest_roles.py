"""Who had which role among the guests of a recorded run.

In: the folder of a run. Out: instance to role, as its guest book tells; empty when it had no guest, or the book cannot
be read.
"""

import json

from bus.seating import FILE_NAME
from supervisor.runs import RunFolder


def read_roles(run: RunFolder) -> dict[str, str]:
    """Instance to role of the guests of a recorded run; empty when it had none, or they cannot be read."""
    try:
        found = json.loads((run.path / FILE_NAME).read_bytes())
        return {str(guest["instance"]): str(guest["role"]) for guest in found["guests"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
