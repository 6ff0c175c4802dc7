"""Worlds for the dreamer's tests: pictures with the spectrum of natural ones, facts, settings, profiles, cores."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from actors.dreamer.core import DreamerCore
from actors.dreamer.finalize import RunFacts
from bus.core import Fired, MessageRef, Outcome, Received, Started
from bus.randomness import RandomSource
from schemas.bias import BiasProfile, Exemplar, SeedWeights
from schemas.colour import to_rgb
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.settings import EngineSettings

ROOT = Path(__file__).parents[3]
FACTS = (
    "Light from the Sun takes about eight minutes to reach the Earth.",
    "Sharks are older than trees.",
    "Water expands when it freezes, which is why ice floats.",
)


def picture(name: str, pixels: npt.NDArray[np.uint8]) -> Picture:
    height, width, _ = pixels.shape
    return Picture(image_id=derived_id(name), name=name, height=height, width=width, rgb=pixels.tobytes())


def natural(seed: int, tint: tuple[float, float, float]) -> npt.NDArray[np.uint8]:
    """A picture u8 [96, 128, 3] whose amplitude falls with frequency, around the colour `tint`."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(128)[None])
    spectrum = np.fft.rfft2(rng.random((3, 96, 128)) - 0.5) / np.maximum(radius, 1 / 128)
    field = np.fft.irfft2(spectrum, s=(96, 128))
    field = np.clip(np.array(tint)[:, None, None] + 0.12 * field / field.std(), 0, 1)
    pixels: npt.NDArray[np.uint8] = (255 * field).astype(np.uint8).transpose(1, 2, 0).copy()
    return pixels


@pytest.fixture(scope="session")
def world() -> InputSet:
    tints = ((0.7, 0.3, 0.2), (0.2, 0.6, 0.3), (0.2, 0.3, 0.7), (0.6, 0.6, 0.6))
    pictures = tuple(picture(f"picture-{n}", natural(n, tint)) for n, tint in enumerate(tints))
    return InputSet(pictures=pictures, factoids=tuple(Factoid(factoid_id=derived_id(t), text=t) for t in FACTS))


@pytest.fixture(scope="session")
def sample_pictures() -> InputSet:
    """The sample set as it is shipped, scaled as by default."""
    loaded = []
    for path in sorted((ROOT / "supervisor" / "sample" / "pictures").glob("*.png")):
        with Image.open(path) as image:
            factor = 192 / min(image.size)
            size = (round(image.width * factor), round(image.height * factor))
            pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        loaded.append(picture(path.name, pixels))
    assert loaded
    return InputSet(pictures=tuple(loaded), factoids=())


class Stage:
    """A core with the calls that the tests repeat."""

    def __init__(self, inputs: InputSet, seed: int, changes: dict[str, dict[str, Any]]) -> None:
        raw = tomllib.loads((ROOT / "config" / "engine.toml").read_text())
        raw["tensor"] = {"rows": 16, "cols": 16, "layers": 2}
        for section, values in changes.items():
            raw[section].update(values)
        self.settings = EngineSettings.model_validate(raw)
        self.randomness = RandomSource(seed, 1, "dreamer")
        run = RunFacts(self.settings, inputs, seed, 1)
        self.core = DreamerCore(run, self.randomness, RandomSource(seed, 1, "dreamer"))

    def start(self, epoch: int = 1) -> Outcome:
        return self.core.handle(Started(epoch), 1)

    def hear(self, profile: BiasProfile) -> Outcome:
        return self.core.handle(Received(MessageRef("bias-synthesizer", 1, 1), profile), 2)

    def dream(self, count: int, now_ns: int = 1000) -> list[DreamEntry]:
        outcomes = [self.core.handle(Fired("episode"), now_ns) for _ in range(count)]
        messages = [send.message for outcome in outcomes for send in outcome.sends]
        entries = [message for message in messages if isinstance(message, DreamEntry)]
        assert len(entries) == len(messages)
        return entries


StageOf = Callable[..., Stage]
ProfileOf = Callable[..., BiasProfile]


@pytest.fixture
def stage(world: InputSet) -> StageOf:
    def make(inputs: InputSet = world, seed: int = 7, **changes: dict[str, Any]) -> Stage:
        return Stage(inputs, seed, changes)

    return make


@pytest.fixture
def profile_of() -> ProfileOf:
    def make(
        number: int = 1,
        hue: float = 120.0,
        weights: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25),
        exemplars: tuple[str, ...] = (),
        **changes: Any,
    ) -> BiasProfile:
        """`weights` are those of factoid, image, pool, random."""
        factoid, image, pool, noise = weights
        values: dict[str, Any] = {
            "profile_id": derived_id("profile", number),
            "updated_at_ns": number,
            "chroma_prior": to_rgb((hue, 0.4, 0.6)),
            "hue_concentration": 0.8,
            "entropy_window": (0.0, 1.0),
            "seed_weights": SeedWeights(
                factoid_weight=factoid, image_weight=image, pool_seed_weight=pool, random_weight=noise
            ),
            "bins": (),
            "chroma_bins": 24,
            "exemplars": tuple(Exemplar(dream_id=dream_id, weight=1.0) for dream_id in exemplars),
            "feedback_total": 200,
        }
        return BiasProfile(**(values | changes))

    return make
