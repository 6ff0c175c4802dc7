"""Machine code is used where it is there and gives the bits of numpy, and nobody waits for it."""

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from actors.pool_keeper.atlas import Atlas
from actors.pool_keeper.compiling import KERNEL, LEAST_DREAMS, Compiling
from actors.pool_keeper.probing import difference
from actors.pool_keeper.ranking import rank
from actors.pool_keeper.scoring import exponential

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed: pip install 'oneiros[fast]'"
)


@pytest.fixture(scope="module")
def compiled() -> Any:
    return importlib.import_module(KERNEL)


def test_without_numba_it_says_so_and_numpy_answers(query: Any, columns: Any) -> None:
    compiling = Compiling(least_dreams=1, needs="no_numba_here")
    atlas = Atlas(columns([{"colour": (0.5, 0.4, 0.3)}]), compiling=compiling)

    is_there = compiling.wait()

    assert (is_there, compiling.state) == (False, "numpy: no_numba_here is not installed")
    assert rank(atlas, query()).rows == (0,)


def test_a_small_pool_loads_nothing() -> None:
    compiling = Compiling()

    assert compiling.kernel(LEAST_DREAMS - 1) is None
    assert compiling.state == "numpy"


@needs_numba
def test_a_large_pool_loads_it_beside_the_queries() -> None:
    compiling = Compiling()

    first = compiling.kernel(LEAST_DREAMS)
    is_there = compiling.wait()

    assert first is None or compiling.state.startswith("numba ")
    assert is_there and compiling.kernel(LEAST_DREAMS) is not None


@needs_numba
def test_code_that_differs_in_one_bit_is_found_out(compiled: Any) -> None:
    def nearly(*arguments: Any) -> Any:
        found = compiled.search(*arguments)
        arguments[-1][0] = np.nextafter(arguments[-1][0], 2.0)
        return found

    assert difference(compiled.search) is None
    assert difference(nearly) is not None


@needs_numba
def test_code_that_orders_equals_otherwise_is_found_out(compiled: Any) -> None:
    def swapped(*arguments: Any) -> Any:
        found = compiled.search(*arguments)
        arguments[-2][[0, 1]] = arguments[-2][[1, 0]]
        return found

    assert difference(swapped) is not None


@needs_numba
def test_the_exponential_has_the_same_bits(compiled: Any) -> None:
    generator = np.random.Generator(np.random.Philox(key=1))
    exponents = -np.concatenate(
        [
            generator.random(2000),
            760 * generator.random(2000),
            [0.0, 707.9, 708.4, 745.1, 745.2, 746.0, 1e300, math.inf],
        ]
    )

    found = np.array([compiled.exponential(exponent) for exponent in exponents.tolist()])

    assert found.tobytes() == exponential(exponents).tobytes()


@needs_numba
def test_no_multiplication_is_fused_with_an_addition(compiled: Any) -> None:
    # a fused operation rounds once instead of twice, and gives other bits
    compiled.exponential(-1.0)

    code = "".join(compiled.exponential.inspect_asm().values())

    assert "mulsd" in code or "mulpd" in code or "fmul" in code
    assert not [word for word in ("vfmadd", "vfmsub", "vfnmadd", "fmadd", "fmla") if word in code]
