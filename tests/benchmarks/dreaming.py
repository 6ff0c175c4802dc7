"""Dreams a second of one core, against the bare numpy, FFT, zstd and SHA-256 kernels of the same episodes.

In: nothing. Out: one JSON object: for each shape, with and without a profile, dreams a second, the times of an
episode and of its kernels, and their ratio, all medians. Run: `make bench BENCH=dreaming`. Exit code 1 when a ratio is
under its target. An episode is the whole core: plan, seed, evolve, measure, finalize, encode, message. After each one
its kernels run alone, in its order, on buffers made beforehand, so that both see the same machine. All times are
processor time of the one thread. `--kernels` adds the time of each kernel, hot.
"""

import argparse
import functools
import hashlib
import json
import statistics
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import zstandard

from actors.dreamer.core import DreamerCore
from actors.dreamer.finalize import RunFacts
from actors.dreamer.generation import LOOK_EVERY
from bus.core import Fired, MessageRef, Received, Started
from bus.randomness import RandomSource
from schemas.bias import BiasProfile, SeedWeights
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.settings import EngineSettings

ROOT = Path(__file__).parents[2]
TARGET_RATIO = 0.6
WARMING, EPISODES = 50, 300
REPEATS = 41
SHAPES = ((32, 32, 4), (64, 64, 8))


def inputs() -> InputSet:
    """Four pictures with the spectrum of natural ones, and three facts."""
    pictures = []
    for index in range(4):
        rng = np.random.default_rng(index)
        radius = np.hypot(np.fft.fftfreq(192)[:, None], np.fft.rfftfreq(256)[None])
        spectrum = np.fft.rfft2(rng.random((3, 192, 256)) - 0.5) / np.maximum(radius, 1 / 256)
        field = np.fft.irfft2(spectrum, s=(192, 256))
        field = np.clip(0.5 + 0.2 * field / field.std(), 0, 1).transpose(1, 2, 0)
        rgb = (255 * field).astype(np.uint8).tobytes()
        pictures.append(Picture(image_id=derived_id("picture", index), name=str(index), height=192, width=256, rgb=rgb))
    texts = ("Light from the Sun reaches the Earth in eight minutes.", "Ice floats on water.", "Sharks are old.")
    facts = tuple(Factoid(factoid_id=derived_id("fact", text), text=text) for text in texts)
    return InputSet(pictures=tuple(pictures), factoids=facts)


def settings(shape: tuple[int, int, int]) -> EngineSettings:
    """The shipped settings at `shape`, with a gate that lets everything through, so that each episode is told."""
    raw = tomllib.loads((ROOT / "config" / "engine.toml").read_text())
    raw["tensor"] = dict(zip(("rows", "cols", "layers"), shape, strict=True))
    raw["pool"]["coherence_threshold"] = 0.0
    return EngineSettings.model_validate(raw)


def profile() -> BiasProfile:
    """A profile that pulls and steers every way there is."""
    weights = SeedWeights(factoid_weight=0.3, image_weight=0.4, pool_seed_weight=0.0, random_weight=0.3)
    return BiasProfile(
        profile_id=derived_id("profile", 1),
        updated_at_ns=1,
        chroma_prior=(0.3, 0.5, 0.6),
        hue_concentration=0.8,
        entropy_window=(0.45, 0.55),
        seed_weights=weights,
        bins=(),
        chroma_bins=24,
        exemplars=(),
        feedback_total=200,
    )


class Bare:
    """The bare kernels at one shape, on buffers made beforehand that hold a dream."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        rows, cols, layers = shape
        self.shape = shape
        self.x = np.zeros((3, layers, rows, cols), np.float32)
        self.y, self.z = np.empty_like(self.x), np.empty_like(self.x)
        self.plain = np.empty((3, 1, rows, cols), np.float32)
        self.plane = np.empty((3 * layers, rows * cols), np.float64)
        self.transform = np.empty((3 * layers, rows, cols // 2 + 1), np.complex128)
        self.terms = np.empty((2, 3 * layers, rows, cols // 2 + 1), np.float64)
        self.window = (np.hanning(rows)[:, None] * np.hanning(cols)).reshape(-1)
        self.picture = np.full((3, 3 * rows, 3 * cols), 128, np.uint8)
        self.rng = np.random.Generator(np.random.Philox(key=1))
        self.packed, self.raw = np.empty((*shape, 3), np.float32), b""
        self.compressor = zstandard.ZstdCompressor(level=1)

    def hold(self, raw: bytes) -> None:
        """Work on this dream from now on."""
        self.raw = raw
        np.copyto(self.packed, np.frombuffer(raw, np.float32).reshape(self.packed.shape))
        np.copyto(self.x, self.packed.transpose(3, 2, 0, 1))

    def spectrum(self, layers: int) -> None:
        rows, cols, _ = self.shape
        plane, transform = self.plane[: 3 * layers], self.transform[: 3 * layers]
        power, logarithm = terms = self.terms[:, : 3 * layers]
        np.copyto(plane.reshape(3, layers, rows, cols), self.x[:, :layers])
        np.subtract(plane, (np.add.reduce(plane, axis=1) / (rows * cols))[:, None], out=plane)
        np.multiply(plane, self.window, out=plane)
        np.fft.rfft(plane.reshape(-1, rows, cols), axis=2, out=transform)
        np.fft.fft(transform, axis=1, out=transform)
        parts = transform.view(np.float64)
        np.multiply(parts, parts, out=parts)
        np.add(parts[..., 0::2], parts[..., 1::2], out=power)
        np.log(np.add(power, 1e-300, out=logarithm), out=logarithm)
        np.multiply(logarithm, power, out=logarithm)
        np.add.reduce(terms, axis=(2, 3))
        np.add.reduce(terms[..., 0], axis=2), np.add.reduce(terms[..., -1], axis=2)

    def smooth(self) -> None:
        np.multiply(self.x, 0.1, out=self.y)
        np.multiply(self.x, 0.6, out=self.z)
        to, source = self.z.reshape(-1), self.y.reshape(-1)
        for step, border in ((self.shape[1], np.s_[..., 0, :]), (1, np.s_[..., 0])):
            for after, before in ((slice(step, None), slice(-step)), (slice(-step), slice(step, None))):
                bordering = self.x[border] + self.y[border]
                np.add(to[after], source[before], out=to[after])
                self.z[border] = bordering

    def shift(self) -> None:
        _, cols, layers = self.shape
        x, y = (field.reshape(3 * layers, -1) for field in (self.x, self.y))
        move = x.shape[1] // 2 + cols // 3
        np.multiply(x[:, :-move], 0.2, out=y[:, move:])
        np.multiply(x[:, -move:], 0.2, out=y[:, :move])
        np.multiply(self.x[..., -(cols // 4) :], 0.2, out=self.y[..., : cols // 4])
        np.multiply(self.x, 0.8, out=self.z)
        np.add(self.z, self.y, out=self.z)

    def saturate(self) -> None:
        np.multiply(self.x[0] + self.x[1] + self.x[2], -0.1, out=self.y[0])
        np.multiply(self.x, 1.3, out=self.z)
        np.add(self.z, self.y[0], out=self.z)

    def complement(self) -> None:
        np.multiply(self.x[1:], 0.8, out=self.y[1:])
        np.add(self.y[1:], 0.1, out=self.y[1:])

    def crop(self) -> None:
        rows, cols, layers = self.shape
        for layer in range(layers):
            np.copyto(self.y[:, layer], self.picture[:, layer : layer + rows, layer : layer + cols])
        np.divide(self.y, 255.0, out=self.y)

    def tint(self) -> None:
        np.multiply(self.x, 0.5, out=self.y)
        np.add(self.y, 0.2, out=self.y)
        np.clip(self.y, 0.0, 1.0, out=self.y)

    def interpolate(self) -> None:
        rows, cols, _ = self.shape
        coarse = self.x[:, :, : rows // 2 + 1, : cols // 2 + 1]
        upper, left, weight = np.arange(rows) // 2, np.arange(cols) // 2, np.float32(0.5)
        tall = coarse.take(upper, axis=2) * weight + coarse.take(upper + 1, axis=2) * weight
        np.take(tall, left, axis=3, out=self.y, mode="clip")
        np.take(tall, left + 1, axis=3, out=self.z, mode="clip")
        np.subtract(self.z, self.y, out=self.z)
        np.multiply(self.z, weight, out=self.z)
        np.add(self.y, self.z, out=self.y)

    def roughen(self) -> None:
        self.rng.random(out=self.plain, dtype=np.float32)
        np.subtract(self.plain, 0.5, out=self.plain)
        np.multiply(self.plain, 0.1, out=self.plain)
        np.add(self.x, self.plain, out=self.y)

    def energy(self) -> None:
        x, high, low = self.x, self.z[0], self.z[1]
        flat, step = x.reshape(-1), self.y.reshape(-1)
        for apart in (1, self.shape[1]):
            np.subtract(flat[apart:], flat[:-apart], out=step[apart:])
            np.add.reduce(np.abs(step, out=step), dtype=np.float64)
        np.maximum(np.maximum(x[0], x[1], out=high), x[2], out=high)
        np.minimum(np.minimum(x[0], x[1], out=low), x[2], out=low)
        np.divide(np.subtract(high, low, out=low), high + 1e-9, out=low)
        np.multiply(low, low, out=low).sum(dtype=np.float64)

    def pull(self) -> None:
        channels = self.x.reshape(3, -1)
        np.add(channels, np.add.reduce(channels, axis=1)[:, None], out=self.y.reshape(3, -1))

    def pack(self) -> None:
        for channel in range(3):
            np.copyto(self.packed[..., channel], self.x[channel].transpose(1, 2, 0))

    def kernels(self) -> dict[str, Callable[[], object]]:
        """Each kernel by its name."""
        return {
            "seed image": self.crop,
            "seed factoid": lambda: np.copyto(self.y, self.x[:, :1, :1]),
            "seed noise": lambda: self.rng.random(out=self.y, dtype=np.float32),
            "interpolate": self.interpolate,
            "tint": self.tint,
            "grain": self.roughen,
            "mix": self.shift,
            "filter": self.shift,
            "complement": self.complement,
            "saturate": self.saturate,
            "smooth": self.smooth,
            "clip": lambda: self.x.clip(0.0, 1.0, out=self.y),
            "pull": self.pull,
            "look": lambda: self.spectrum(1),
            "spectrum": lambda: self.spectrum(self.shape[2]),
            "energy": self.energy,
            "pack": self.pack,
            "check": lambda: (self.packed.min(), self.packed.max()),
            "bytes": self.packed.tobytes,
            "sha256": lambda: hashlib.sha256(self.raw).digest(),
            "compress": lambda: self.compressor.compress(self.raw),
        }


def used_by(entry: DreamEntry) -> Iterator[str]:
    """Names of the kernels of the episode that made `entry`, in order."""
    metadata = json.loads(entry.metadata_json)
    match entry.source:
        case "random":
            yield from ("seed noise" if metadata["seeded"]["scale"] == 1 else "interpolate", "tint")
        case source:
            yield f"seed {source}"
    operators = metadata["operators"]
    steps: int = metadata["config"]["dreamer"]["steps"]
    for step in range(steps):
        if metadata["entropy_window"] is not None and step % LOOK_EVERY == 0:
            yield "look"
        yield from operators[step * len(operators) // steps : (step + 1) * len(operators) // steps]
        yield from ("clip",) if metadata["target"] is None else ("pull", "clip")
    yield from ("spectrum", "energy", "pack", "check", "bytes", "compress", "sha256")


def dreamer(shape: tuple[int, int, int], is_guided: bool) -> DreamerCore:
    """A dreamer that has started, and heard a profile when it `is_guided`."""
    run = RunFacts(settings(shape), inputs(), seed=42, ordinal=1)
    core = DreamerCore(run, RandomSource(42, 1, "dreamer"), RandomSource(42, 1, "dreamer"))
    core.handle(Started(1), 0)
    if is_guided:
        core.handle(Received(MessageRef("bias-synthesizer", 1, 1), profile()), 0)
    return core


def time_us(work: Callable[[], object]) -> float:
    """Processor time of `work`, microseconds."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1000.0


def run_all(works: list[Callable[[], object]]) -> None:
    """Do one after the other."""
    for work in works:
        work()


def dream(core: DreamerCore, episode: int) -> tuple[DreamEntry, float]:
    """The dream of the next episode, and the time that it took, microseconds."""
    start = time.thread_time_ns()
    outcome = core.handle(Fired("episode"), episode)
    taken = (time.thread_time_ns() - start) / 1000.0
    (entry,) = (send.message for send in outcome.sends if isinstance(send.message, DreamEntry))
    return entry, taken


def measure(shape: tuple[int, int, int], is_guided: bool, with_kernels: bool) -> dict[str, float]:
    """Medians over the episodes at one shape."""
    core, bare = dreamer(shape, is_guided), Bare(shape)
    kernels = bare.kernels()
    episode_us: list[float] = []
    bare_us: list[float] = []
    for episode in range(WARMING + EPISODES):
        entry, taken = dream(core, episode)
        bare.hold(zstandard.ZstdDecompressor().decompress(entry.tensor_blob))
        spent = time_us(functools.partial(run_all, [kernels[name] for name in used_by(entry)]))
        if episode >= WARMING:
            episode_us.append(taken)
            bare_us.append(spent)
    figures = {
        "dreams_per_s": round(1e6 / statistics.median(episode_us)),
        "episode_us": round(statistics.median(episode_us), 1),
        "kernels_us": round(statistics.median(bare_us), 1),
        "ratio": round(statistics.median(ours / whole for ours, whole in zip(bare_us, episode_us, strict=True)), 3),
    }
    hot = {
        f"{name.replace(' ', '_')}_us": round(statistics.median(time_us(work) for _ in range(REPEATS)), 1)
        for name, work in kernels.items()
    }
    return figures | hot if with_kernels else figures


def main() -> int:
    """Print one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kernels", action="store_true", help="add the time of each kernel")
    with_kernels = parser.parse_args().kernels
    figures = {
        f"{'x'.join(map(str, shape))}_{'guided' if is_guided else 'unguided'}": measure(shape, is_guided, with_kernels)
        for shape in SHAPES
        for is_guided in (False, True)
    }
    targets = {
        f"{name}_ratio": {
            "figure": figure["ratio"],
            "at_least": TARGET_RATIO,
            "ok": figure["ratio"] >= TARGET_RATIO,
        }
        for name, figure in figures.items()
    }
    print(json.dumps({**figures, "targets": targets}, indent=1))
    return int(not all(target["ok"] for target in targets.values()))


if __name__ == "__main__":
    raise SystemExit(main())
