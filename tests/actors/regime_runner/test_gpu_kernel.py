"""The GPU kernel asks for what its genes say; here on a make-believe device, since few machines have one."""

import json
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from actors.regime_runner.workloads import gpu
from actors.regime_runner.workloads.sampling import UNAVAILABLE


class Matrix(np.ndarray):
    """A matrix with the few methods of a tensor that the kernel uses."""

    def to(self, dtype):
        return self.astype(dtype)

    def double(self):
        return self.astype(np.float64)

    def norm(self):
        return np.sqrt((np.asarray(self, dtype=np.float64) ** 2).sum())


class MakeBelieve:
    """As much of torch as the kernel uses, on the processor; it counts what it is asked for."""

    float32, float16, bfloat16 = np.float32, np.float16, np.float32

    def __init__(self, *, has_device=True, is_broken=False):
        self.asked = {"streams": 0, "replays": 0, "waits": 0}
        self.is_broken = is_broken
        asked = self.asked

        class Stream:
            def __init__(self):
                asked["streams"] += 1

            def synchronize(self):
                asked["waits"] += 1

        class Graph:
            def replay(self):
                asked["replays"] += 1

        @contextmanager
        def within(_thing):
            yield

        self.backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=None)))
        self.cuda = SimpleNamespace(
            is_available=lambda: has_device,
            Stream=Stream,
            CUDAGraph=Graph,
            graph=within,
            stream=within,
            synchronize=lambda: None,
            Event=lambda: SimpleNamespace(query=lambda: True, record=lambda: None),
        )

    def manual_seed(self, seed):
        self.draws = np.random.Generator(np.random.Philox(seed))

    def zeros(self, _count, device):
        assert device == "cuda"

    def randn(self, rows, columns, device):
        assert device == "cuda"
        return self.draws.standard_normal((rows, columns)).view(Matrix)

    def relu(self, matrix):
        return np.maximum(matrix, 0)

    def isfinite(self, matrix):
        return np.isfinite(matrix * (np.nan if self.is_broken else 1.0))


def told(monkeypatch, capsys, torch, *arguments):
    """What the kernel prints on this device."""
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(sys, "argv", ["gpu", "--seconds=0.02", "--side=32", *arguments])
    gpu.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("mode", "unit"), [("serve", "inputs/s"), ("matmul", "TFLOP/s"), ("mixed", "inputs/s")])
def test_every_request_is_waited_for_and_timed(mode, unit, monkeypatch, capsys):
    torch = MakeBelieve()

    line = told(monkeypatch, capsys, torch, f"--mode={mode}")

    assert line["unit"] == unit
    assert line["perf"] > 0
    assert line["errors"] == 0
    assert torch.asked["waits"] == line["count"] == len(line["samples_ms"])


def test_a_batch_counts_as_so_many_inputs(monkeypatch, capsys):
    line = told(monkeypatch, capsys, MakeBelieve(), "--mode=serve", "--batch=8")

    assert line["perf"] * line["elapsed_s"] == pytest.approx(8 * line["count"])


def test_streams_graphs_and_tf32_are_asked_for(monkeypatch, capsys):
    torch = MakeBelieve()

    line = told(monkeypatch, capsys, torch, "--mode=serve", "--streams=3", "--graphs=on", "--tf32=on")

    assert torch.asked["streams"] == 3 + 1
    assert torch.asked["replays"] == line["count"]
    assert torch.backends.cuda.matmul.allow_tf32 is True


def test_a_shorter_format_is_further_off(monkeypatch, capsys):
    errors = {
        dtype: told(monkeypatch, capsys, MakeBelieve(), "--mode=matmul", f"--dtype={dtype}")["figures"]["result_error"]
        for dtype in ("float32", "float16")
    }

    assert 0 < errors["float32"] < 1e-4 < errors["float16"] < 0.1


def test_a_result_that_is_not_finite_is_an_error(monkeypatch, capsys):
    assert told(monkeypatch, capsys, MakeBelieve(is_broken=True), "--mode=serve")["errors"] == 1


def test_without_a_device_the_kernel_is_unavailable(monkeypatch, capsys):
    with pytest.raises(SystemExit) as left:
        told(monkeypatch, capsys, MakeBelieve(has_device=False), "--mode=serve")

    assert left.value.code == UNAVAILABLE
    assert "unavailable: torch sees no CUDA device" in capsys.readouterr().err


def test_without_the_library_of_nvml_polling_is_unavailable(monkeypatch, capsys):
    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", absent)

    with pytest.raises(SystemExit) as left:
        told(monkeypatch, capsys, MakeBelieve(), "--mode=poll")

    assert left.value.code == UNAVAILABLE
