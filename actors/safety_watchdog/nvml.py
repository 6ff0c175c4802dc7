"""GPUs of NVIDIA, by the library that comes with their driver.

In: nothing. Out: temperature, power, energy, slowdowns and memory errors of every GPU, each None where a GPU does not
tell. The library is loaded when it is first asked for; where there is none, there are no GPUs. It sets nothing.
"""

import ctypes
from collections.abc import Iterable
from typing import Final

LIBRARY: Final = "libnvidia-ml.so.1"
SUCCESS: Final = 0
TEMPERATURE_GPU: Final = 0
MEMORY_ERROR_UNCORRECTED: Final = 1
VOLATILE_ECC: Final = 0
THERMAL_SLOWDOWN: Final = 0x20 | 0x40
"""Bits of nvmlClocksEventReasons: slowed down by software or hardware for its temperature."""
HARDWARE_SLOWDOWN: Final = 0x8
MILLIS: Final = 1e3


class Nvml:
    """The GPUs of this machine."""

    def __init__(self) -> None:
        """Raises OSError where there is no such library, or its driver does not answer."""
        self._library = ctypes.CDLL(LIBRARY)
        status = self._library.nvmlInit_v2()
        if status != SUCCESS:
            raise OSError(status, f"nvmlInit says {status}")
        self._devices = self._handles()

    @property
    def gpus(self) -> int:
        """How many there are."""
        return len(self._devices)

    def temperature_c(self) -> float | None:
        """Of the hottest."""
        return _largest(
            self._whole("nvmlDeviceGetTemperature", device, ctypes.c_int(TEMPERATURE_GPU)) for device in self._devices
        )

    def power_w(self) -> float | None:
        """Of the one that draws most."""
        return _scaled(_largest(self._whole("nvmlDeviceGetPowerUsage", device) for device in self._devices))

    def energy_j(self) -> float | None:
        """Of all together, since their driver was loaded."""
        return _scaled(_sum(self._long("nvmlDeviceGetTotalEnergyConsumption", device) for device in self._devices))

    def slowdowns(self) -> float | None:
        """How many of them are slowed down for their temperature right now."""
        masks = [self._long("nvmlDeviceGetCurrentClocksThrottleReasons", device) for device in self._devices]
        known = [mask for mask in masks if mask is not None]
        return float(sum(bool(mask & (THERMAL_SLOWDOWN | HARDWARE_SLOWDOWN)) for mask in known)) if known else None

    def memory_errors(self) -> float | None:
        """Uncorrected memory errors of all together since their driver was loaded."""
        kinds = (ctypes.c_int(MEMORY_ERROR_UNCORRECTED), ctypes.c_int(VOLATILE_ECC))
        return _sum(self._long("nvmlDeviceGetTotalEccErrors", device, *kinds) for device in self._devices)

    def close(self) -> None:
        """Let the library go."""
        self._library.nvmlShutdown()

    def _handles(self) -> list[ctypes.c_void_p]:
        count = ctypes.c_uint(0)
        if self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != SUCCESS:
            return []
        handles = [ctypes.c_void_p() for _ in range(count.value)]
        return [
            handle
            for index, handle in enumerate(handles)
            if self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) == SUCCESS
        ]

    def _whole(self, name: str, *arguments: object) -> float | None:
        found = ctypes.c_uint(0)
        return float(found.value) if self._call(name, found, arguments) else None

    def _long(self, name: str, *arguments: object) -> int | None:
        found = ctypes.c_ulonglong(0)
        return int(found.value) if self._call(name, found, arguments) else None

    def _call(self, name: str, found: "ctypes.c_uint | ctypes.c_ulonglong", arguments: tuple[object, ...]) -> bool:
        function = getattr(self._library, name, None)
        return function is not None and function(*arguments, ctypes.byref(found)) == SUCCESS


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(sum(known)) if known else None


def _scaled(value: float | None) -> float | None:
    return None if value is None else value / MILLIS
