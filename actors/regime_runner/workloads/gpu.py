"""What a GPU does: NVML queries, requests to a small network, products of matrices, or requests over such products.

In: a mode, batch, number format, streams, graphs, TF32. Out: queries, inputs or TFLOP a second, and the time of each,
waited for on the device. Each result is compared with the same computation in float64; `result_error` says how far it
is off, and a result that is not finite is an error. Without torch or a CUDA device the status is that of something
unavailable.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any, Final

from actors.regime_runner.workloads.command_line import Options, read
from actors.regime_runner.workloads.nvml import Nvml
from actors.regime_runner.workloads.sampling import Tally, leave_unavailable, tell

CHAIN: Final = 8
"""Products of one step."""
LAYERS: Final = 4
UNITS: Final = {"poll": "queries/s", "serve": "inputs/s", "matmul": "TFLOP/s", "mixed": "inputs/s"}


class Device:
    """torch on a CUDA device, with streams taken in turn."""

    def __init__(self, torch: Any, options: Options) -> None:
        self.torch = torch
        self.type = getattr(torch, options.text("dtype"))
        torch.backends.cuda.matmul.allow_tf32 = options.is_on("tf32")
        torch.manual_seed(1)
        self.streams = [torch.cuda.Stream() for _ in range(options.whole("streams"))]
        self.has_graphs = options.is_on("graphs")
        self._turn = 0

    def noise(self, rows: int, columns: int) -> Any:
        """A matrix of normal numbers whose products keep their size."""
        return (self.torch.randn(rows, columns, device="cuda") / columns**0.5).to(self.type)

    def captured(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """`work`, or the replay of a graph of it."""
        work()
        self.torch.cuda.synchronize()
        if not self.has_graphs:
            return work
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            result = work()

        def replay() -> Any:
            graph.replay()
            return result

        return replay

    def finished(self, work: Callable[[], Any]) -> Any:
        """The result of `work` on the next stream, waited for."""
        stream = self.streams[self._turn % len(self.streams)]
        self._turn += 1
        with self.torch.cuda.stream(stream):
            result = work()
        stream.synchronize()
        return result


def network(device: Device, options: Options) -> tuple[Callable[[], Any], float]:
    """One request to a network of square layers, and how far its result is from that in float64."""
    side = options.whole("side")
    layers = [device.noise(side, side) for _ in range(LAYERS)]
    inputs = device.noise(options.whole("batch"), side)

    def answer(layers: list[Any], inputs: Any) -> Any:
        for layer in layers:
            inputs = device.torch.relu(inputs @ layer)
        return inputs

    exact = answer([layer.double() for layer in layers], inputs.double())
    return device.captured(lambda: answer(layers, inputs)), _difference(answer(layers, inputs), exact)


def products(device: Device, options: Options) -> tuple[Callable[[], Any], float]:
    """A chain of products, and how far its result is from that in float64."""
    side = options.whole("side")
    first, second = device.noise(side, side), device.noise(side, side)

    def chain(first: Any, second: Any) -> Any:
        for _ in range(CHAIN):
            first = first @ second
        return first

    exact = chain(first.double(), second.double())
    return device.captured(lambda: chain(first, second)), _difference(chain(first, second), exact)


def _difference(result: Any, exact: Any) -> float:
    """Norm of the difference as a share of the norm of the exact result."""
    return float((result.double() - exact).norm() / exact.norm())


def poll(options: Options, tally: Tally) -> float:
    """Ask NVML again and again; returns the seconds that passed."""
    with Nvml() as nvml:
        begun = time.monotonic()
        now, end = begun, begun + options.number("seconds")
        while now < end:
            tally.errors += not nvml.query()
            done = time.monotonic()
            tally.samples.add((done - now) * 1000)
            tally.units += 1
            now = done
        return now - begun


def serve(torch: Any, options: Options, tally: Tally) -> float:
    """Requests or products, one after another; returns the seconds that passed."""
    device, mode = Device(torch, options), options.text("mode")
    work, difference = products(device, options) if mode == "matmul" else network(device, options)
    beside = products(device, options)[0] if mode == "mixed" else None
    stream = torch.cuda.Stream()
    done_in_one = 2.0 * options.whole("side") ** 3 * CHAIN / 1e12 if mode == "matmul" else float(options.whole("batch"))
    waiting = torch.cuda.Event()
    begun = time.monotonic()
    now, end = begun, begun + options.number("seconds")
    while now < end:
        if beside is not None and waiting.query():
            with torch.cuda.stream(stream):
                beside()
                waiting.record()
        result = device.finished(work)
        done = time.monotonic()
        tally.samples.add((done - now) * 1000)
        tally.units += done_in_one
        now = done
    tally.errors += not bool(torch.isfinite(result).all())
    tally.figures["result_error"] = difference
    return now - begun


def main() -> None:
    """Measure once and tell."""
    options, tally = read("gpu"), Tally()
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        leave_unavailable(f"torch cannot be imported: {error}")
    if not torch.cuda.is_available():
        leave_unavailable("torch sees no CUDA device")
    torch.zeros(1, device="cuda")
    mode = options.text("mode")
    elapsed = poll(options, tally) if mode == "poll" else serve(torch, options, tally)
    tell(tally, UNITS[mode], elapsed)


if __name__ == "__main__":
    main()
