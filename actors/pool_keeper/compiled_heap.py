"""A heap of bounds as machine code: the highest comes first.

In: two arrays, of bounds and of what has them, and how many there are. Out: the same arrays in the order of a heap. It
checks no room. Importing this needs numba.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """`function` as machine code that counts no references, so that it makes no arrays."""
    return numba.njit(error_model="numpy", _nrt=False)(function)  # type: ignore[no-any-return]


@compiled
def push(bounds: Any, codes: Any, count: int, bound: float, code: int) -> int:
    """Put something in. Returns how many there are."""
    at = count
    while at > 0 and bounds[(at - 1) >> 1] < bound:
        bounds[at], codes[at] = bounds[(at - 1) >> 1], codes[(at - 1) >> 1]
        at = (at - 1) >> 1
    bounds[at], codes[at] = bound, code
    return count + 1


@compiled
def pop(bounds: Any, codes: Any, count: int) -> int:
    """Take away the first, which is the highest. Returns how many are left."""
    count -= 1
    bound, code = bounds[count], codes[count]
    at, child = 0, 1
    while child < count:
        if child + 1 < count and bounds[child + 1] > bounds[child]:
            child += 1
        if bounds[child] <= bound:
            break
        bounds[at], codes[at] = bounds[child], codes[child]
        at, child = child, 2 * child + 1
    bounds[at], codes[at] = bound, code
    return count
