"""What has to work inside a box, and between it and the rest of a run.

In: how a prisoner was kept. Out: the names of what it, and those around it, must have done, with what each means.
"""

from collections.abc import Mapping
from typing import Final

from schemas.isolation import Rung

ALONE: Final = {
    "need-append": "append to its journal, and sync it",
    "need-matrices": "multiply and transform arrays",
    "need-thread": "start a thread",
    "need-random": "read random bytes",
    "need-rotation": "make, rename, list and remove files in its folder",
}
"""What any prisoner must be able to do."""
AMONG_OTHERS: Final = {
    "need-ready": "come to its loop",
    "need-hear": "receive a BiasProfile on the socket that it was handed",
    "need-be-heard": "say a dream of 393216 bytes on the socket that it was handed",
    "need-sealed": "be under a filter, as the kernel shows it",
    "need-nothing-else": "hold no file of others open, and no socket of a network",
    "need-stop": "stop in order when told to",
}
"""What one in the place of the dreamer must be able to do beside."""


def needs_of(rung: Rung) -> Mapping[str, str]:
    """Name -> meaning of what has to work under `rung`; without a box a prisoner stands alone."""
    needs = ALONE | (AMONG_OTHERS if rung != "none" else {})
    without = {"seccomp-no-open": ("need-rotation",), "bwrap": ("need-sealed", "need-nothing-else")}.get(rung, ())
    return {name: meaning for name, meaning in needs.items() if name not in without}
