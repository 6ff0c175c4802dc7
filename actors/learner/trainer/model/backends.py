"""The back ends: numpy, which is always there, and torch, an extra, with every choice of its made fixed.

In: the name in `training.backend`. Out: a back end held to one thread, and a fingerprint of what decides its bits.
Refused: an unknown name, a torch that is not installed, a torch that was already given other threads.
"""

import hashlib
import importlib
import platform
from typing import Final

import numpy as np

from actors.learner.trainer.model import kinds as _shipped  # noqa: F401 - registers what is shipped
from actors.learner.trainer.model.port import Backend, ImageShape, Model, ModelPlan
from actors.learner.trainer.model.threads import kernels_of_blas, pin_threads, settings_of_torch
from actors.learner.trainer.registry import MODELS
from actors.learner.trainer.streams import Streams
from schemas.base import Record
from schemas.errors import OneirosError

INSTALL_TORCH: Final = "pip install 'oneiros[torch]'"


class BackendError(OneirosError):
    """A back end is not known, not installed, or cannot be made to repeat itself."""

    is_permanent = True


class NumpyBackend:
    """numpy and the OpenBLAS that it brings, on one thread."""

    name = "numpy"

    def __init__(self) -> None:
        pin_threads()

    def build(self, settings: Record, images: ImageShape, classes: int, streams: Streams) -> Model:
        """See `Backend`."""
        return _build(self.name, settings, images, classes, streams)

    def fingerprint(self) -> dict[str, str]:
        """See `Backend`."""
        found = np.show_config(mode="dicts")
        blas, simd = found["Build Dependencies"]["blas"], found["SIMD Extensions"]
        return {
            "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
            **kernels_of_blas(),
            "cpu": platform.machine(),
            "numpy": np.__version__,
            "simd": " ".join((*simd.get("baseline", ()), *simd.get("found", ()))),
            "threads": "1",
        }


class TorchBackend:
    """torch on one thread of the processor, deterministic algorithms alone."""

    name = "torch"

    def __init__(self) -> None:
        try:
            torch = importlib.import_module("torch")
        except ImportError as error:
            raise BackendError(f"training.backend: torch cannot be imported ({error}); {INSTALL_TORCH}") from error
        self._numpy = NumpyBackend()
        self._torch = torch
        torch.set_num_threads(1)
        if torch.get_num_interop_threads() != 1:
            try:
                torch.set_num_interop_threads(1)
            except RuntimeError as error:
                raise BackendError("torch has begun with several threads; start with OMP_NUM_THREADS=1") from error
        torch.use_deterministic_algorithms(True)
        torch.set_flush_denormal(False)

    def build(self, settings: Record, images: ImageShape, classes: int, streams: Streams) -> Model:
        """See `Backend`."""
        return _build(self.name, settings, images, classes, streams)

    def fingerprint(self) -> dict[str, str]:
        """See `Backend`."""
        torch = self._torch
        told = {
            "torch": torch.__version__,
            "torch_build": hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16],
            "torch_cpu": torch.backends.cpu.get_cpu_capability(),
            "torch_deterministic": str(torch.are_deterministic_algorithms_enabled()).lower(),
            **settings_of_torch(),
            "torch_threads": f"{torch.get_num_threads()} {torch.get_num_interop_threads()}",
        }
        return dict(sorted({**self._numpy.fingerprint(), **told}.items()))


def backend_of(name: str) -> Backend:
    """The back end that `training.backend` names, held to one thread. Raises BackendError, ThreadsError."""
    match name:
        case "numpy":
            return NumpyBackend()
        case "torch":
            return TorchBackend()
        case _:
            raise BackendError(f"training.backend: {name!r} is no back end; numpy and torch are")


def _build(name: str, settings: Record, images: ImageShape, classes: int, streams: Streams) -> Model:
    model = MODELS.build(settings, ModelPlan(name, images, classes, streams))
    if not isinstance(model, Model):
        raise BackendError(f"model.kind: {MODELS.kind_of(settings)} builds a {type(model).__name__}, which is no Model")
    return model
