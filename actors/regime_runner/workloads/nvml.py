"""The first GPU as NVML tells of it: load, power and clock in one query.

In: the library of the driver, called directly, so that no package is needed. Out: whether a query was answered.
Refused: nothing is ever set.
"""

import ctypes
from types import TracebackType
from typing import Final, Self

from actors.regime_runner.workloads.sampling import leave_unavailable

_SUCCESS: Final = 0
_GRAPHICS: Final = 0


class _Utilisation(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Nvml:
    """A session with the library."""

    def __enter__(self) -> Self:
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as error:
            leave_unavailable(f"the library of NVML cannot be loaded: {error}")
        self._device = ctypes.c_void_p()
        if self._library.nvmlInit_v2() != _SUCCESS:
            leave_unavailable("NVML finds no driver")
        if self._library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self._device)) != _SUCCESS:
            leave_unavailable("NVML finds no GPU")
        return self

    def query(self) -> bool:
        """Ask once for all three; whether all were answered."""
        load, power, clock = _Utilisation(), ctypes.c_uint(), ctypes.c_uint()
        answers = (
            self._library.nvmlDeviceGetUtilizationRates(self._device, ctypes.byref(load)),
            self._library.nvmlDeviceGetPowerUsage(self._device, ctypes.byref(power)),
            self._library.nvmlDeviceGetClockInfo(self._device, _GRAPHICS, ctypes.byref(clock)),
        )
        return all(answer == _SUCCESS for answer in answers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.nvmlShutdown()
