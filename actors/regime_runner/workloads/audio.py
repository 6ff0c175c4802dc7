"""A sound server without a sound card: one period after another, each with an absolute deadline at 48 kHz.

In: a graph, channels, taps, a period and how many of them the buffer holds. Out: seconds of audio that were ready in
time, for each second; how long after its last frame arrived each period was done; xruns (done after the next period
had arrived) and underruns (done after the whole buffer had been played). A filter is compared with a plain sum of
products before it begins; a difference is an error.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from actors.regime_runner.workloads.command_line import Options, read
from actors.regime_runner.workloads.resampling import Resampler
from actors.regime_runner.workloads.sampling import Tally, tell

RATE: Final = 48_000
"""Frames a second."""
TOLERANCE: Final = 1e-9
"""Largest difference of a filter from the sum of products, in units of full scale."""

Block = NDArray[np.float64]
"""Frames of all channels: [channels, frames]."""


class Filter:
    """A finite impulse response on every channel, over blocks that follow each other."""

    def __init__(self, taps: int, channels: int, period: int, method: str) -> None:
        window = np.hanning(taps + 2)[1:-1]
        self.response: Block = window * np.sinc(0.2 * (np.arange(taps) - (taps - 1) / 2))
        self._past = np.zeros((channels, taps - 1))
        self._size = 1 << (taps + period - 2).bit_length()
        self._spectrum = np.fft.rfft(self.response, self._size)
        self._apply: Callable[[Block], Block] = self._direct if method == "direct" else self._fft

    def process(self, block: Block) -> Block:
        """The filtered block, of the same size."""
        joined = np.concatenate((self._past, block), axis=1)
        self._past = joined[:, -self._past.shape[1] :]
        return self._apply(joined)

    def _direct(self, joined: Block) -> Block:
        return np.stack([np.convolve(channel, self.response, mode="valid") for channel in joined])

    def _fft(self, joined: Block) -> Block:
        spectrum = np.fft.rfft(joined, self._size, axis=1) * self._spectrum
        taps = len(self.response)
        return np.fft.irfft(spectrum, self._size, axis=1)[:, taps - 1 : joined.shape[1]]


def graph_of(options: Options, figures: dict[str, float]) -> tuple[Callable[[Block], object], int]:
    """What is done with each block, and the errors of its check."""
    kind, period, channels = options.text("graph"), options.whole("period"), options.whole("channels")
    if kind == "null":
        return (lambda _block: None), 0
    chain = Filter(options.whole("taps"), channels, period, options.text("method"))
    errors = int(not _is_right(options))
    if kind == "filter":
        return chain.process, errors
    resampler = Resampler(options.text("resampler"), channels)
    figures["resampler_snr_db"] = resampler.snr_db()
    return (lambda block: resampler.process(chain.process(block))), errors


def _is_right(options: Options) -> bool:
    """Whether two blocks of noise come out as the sum of products says."""
    taps, period = options.whole("taps"), options.whole("period")
    draws = np.random.Generator(np.random.Philox(1))
    noise = draws.uniform(-1, 1, size=2 * period)
    chain = Filter(taps, 1, period, options.text("method"))
    made = np.concatenate([chain.process(noise[None, at : at + period])[0] for at in (0, period)])
    padded = np.concatenate((np.zeros(taps - 1), noise))
    places = range(0, 2 * period, max(1, period // 16))
    return all(abs(made[at] - padded[at : at + taps] @ chain.response[::-1]) < TOLERANCE for at in places)


def serve(graph: Callable[[Block], object], options: Options, tally: Tally) -> float:
    """Run the graph period by period; returns the seconds that passed."""
    period, periods = options.whole("period"), options.whole("periods")
    length = period / RATE
    tone = np.sin(2 * np.pi * 997 / RATE * np.arange(period)) * np.ones((options.whole("channels"), 1))
    for _ in range(3):
        graph(tone)
    late, empty, worked = 0, 0, 0.0
    origin = time.monotonic()
    count = max(1, round(options.number("seconds") / length))
    for index in range(count):
        arrived = origin + (index + 1) * length
        wait = arrived - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        begun = time.thread_time()
        graph(tone)
        worked += time.thread_time() - begun
        delay = time.monotonic() - arrived
        tally.samples.add(delay * 1000)
        late += delay > length
        empty += delay > (periods - 1) * length
        tally.units += 0.0 if delay > (periods - 1) * length else length
    elapsed = time.monotonic() - origin
    figures = {"xruns": late, "buffer_underruns": empty, "buffer_ms": periods * length * 1000}
    tally.figures |= figures | {"load_share": worked / (count * length)}
    return elapsed


def main() -> None:
    """Measure once and tell."""
    options, tally = read("audio"), Tally()
    graph, tally.errors = graph_of(options, tally.figures)
    elapsed = serve(graph, options, tally)
    tell(tally, "on-time audio s/s", elapsed)


if __name__ == "__main__":
    main()
