"""One thread for every product of matrices: another number would change the order of its sums.

In: nothing but this process. Out: the libraries that multiply for numpy, each set to one thread and asked whether it
is; which of its kernels a library chose for this processor or was told to choose, as another kernel has other last
bits. Refused: a library that answers with another number of threads; and where no library can be asked, an environment
that does not pin them. Kernels are chosen when a library is loaded, so a process that is to repeat another one is
started with `environment_of` what the other one told.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from schemas.errors import OneirosError

PINS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that pin a library when they are there before it is loaded."""

CORE: Final = "OPENBLAS_CORETYPE"
SETTINGS: Final = "OPENBLAS_"
DECIDED: Final = (CORE, *PINS, "OPENBLAS_VERBOSE", "MKL_VERBOSE", "ONEDNN_VERBOSE", "DNNL_VERBOSE")
"""Settings whose effect is told in another way, or that have none."""
TORCH_SETTINGS: Final = ("ATEN_", "DNNL_", "MKL_", "ONEDNN_")
"""What the libraries that multiply for torch read when they are loaded."""

ENDINGS: Final = ("64_", "_64", "")
PREFIXES: Final = ("scipy_", "")
MAPS: Final = Path("/proc/self/maps")


class ThreadsError(OneirosError):
    """The libraries of this process cannot be held to one thread."""

    is_permanent = True


def pin_threads() -> Mapping[str, int]:
    """Hold numpy to one thread; name of each library to its threads. Raises ThreadsError."""
    pinned = {}
    for path in loaded_libraries():
        ask, put = _doors(ctypes.CDLL(str(path)))
        if ask is None or put is None:
            continue
        put(1)
        pinned[path.name] = int(ask())
    wrong = {name: threads for name, threads in pinned.items() if threads != 1}
    if wrong:
        told = ", ".join(f"{name} has {threads}" for name, threads in sorted(wrong.items()))
        raise ThreadsError(f"threads: {told} after being set to 1; start with {PINS[0]}=1 {PINS[1]}=1")
    if not pinned and not any(os.environ.get(name) == "1" for name in PINS):
        raise ThreadsError(f"threads: no library to ask; start with {' '.join(f'{name}=1' for name in PINS)}")
    return pinned


def kernels_of_blas() -> dict[str, str]:
    """What decides the order of a product's sums, for a fingerprint: the kernels in use, and settings beside them."""
    cores = [ask() for path in loaded_libraries() if (ask := _core_of(ctypes.CDLL(str(path)))) is not None]
    return {
        "blas_core": " ".join(sorted({core.decode("ascii", "replace") for core in cores})) or "unknown",
        "blas_settings": _told((SETTINGS,)),
    }


def settings_of_torch() -> dict[str, str]:
    """The same of torch, whose kernels follow from the processor and from settings in the environment."""
    return {"torch_settings": _told(TORCH_SETTINGS)}


def arithmetic_like(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """What `kernels_of_blas` says here, and `settings_of_torch` where `fingerprint` is of torch."""
    return kernels_of_blas() | (settings_of_torch() if "torch_settings" in fingerprint else {})


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without any variable that chooses kernels."""
    return {name: value for name, value in environment.items() if not name.startswith((SETTINGS, *TORCH_SETTINGS))}


def environment_of(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for a process whose products are to have the bits of one with `fingerprint`."""
    found = dict.fromkeys(PINS, "1")
    core = fingerprint.get("blas_core", "unknown")
    if core != "unknown" and " " not in core:
        found[CORE] = core
    for key, known in (("blas_settings", (SETTINGS,)), ("torch_settings", TORCH_SETTINGS)):
        for setting in fingerprint.get(key, "").split():
            name, _, value = setting.partition("=")
            if name.startswith(known):
                found[name] = value
    return found


def loaded_libraries() -> tuple[Path, ...]:
    """The OpenBLAS libraries in this process, by name; none where the system does not list them."""
    try:
        lines = MAPS.read_text().splitlines()
    except OSError:
        return ()
    paths = {line.split(maxsplit=5)[5] for line in lines if "openblas" in line.lower() and line.count("/")}
    return tuple(sorted(Path(path) for path in paths if "openblas" in Path(path).name.lower()))


def _told(prefixes: tuple[str, ...]) -> str:
    """The settings of the environment that begin so, by name."""
    told = {name: value for name, value in os.environ.items() if name.startswith(prefixes) and name not in DECIDED}
    return " ".join(f"{name}={value}" for name, value in sorted(told.items()))


def _doors(library: ctypes.CDLL) -> tuple[Callable[[], int] | None, Callable[[int], None] | None]:
    for prefix in PREFIXES:
        for ending in ENDINGS:
            ask = getattr(library, f"{prefix}openblas_get_num_threads{ending}", None)
            put = getattr(library, f"{prefix}openblas_set_num_threads{ending}", None)
            if ask is not None and put is not None:
                return ask, put
    return None, None


def _core_of(library: ctypes.CDLL) -> Callable[[], bytes] | None:
    for prefix in PREFIXES:
        for ending in ENDINGS:
            ask = getattr(library, f"{prefix}openblas_get_corename{ending}", None)
            if ask is not None:
                ask.restype = ctypes.c_char_p
                return ask  # type: ignore[no-any-return]
    return None
