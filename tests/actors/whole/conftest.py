"""The four real actors on the bus in memory, small and fast, on pictures that are drawn here."""

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bus.core import Actor
from bus.launch import ActorStart
from bus.memory import MemoryBus
from schemas.ids import content_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.manifest import Fingerprint, RunManifest, Seat
from schemas.roles import module_of
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home

SEATS = tuple(Seat(instance=role, role=role) for role in ("pool-keeper", "bias-synthesizer", "learner", "dreamer"))
SIDE = 64


def a_picture(number: int) -> Picture:
    rows, cols = np.mgrid[0:SIDE, 0 : 2 * SIDE]
    wave = np.sin(rows * (number + 1) / 9.0) + np.cos(cols * (number + 2) / 13.0)
    channels = [np.clip(128 + 50 * wave * (channel + number) % 3 + 20 * number, 0, 255) for channel in range(3)]
    rgb = np.stack(channels, axis=-1).astype(np.uint8).tobytes()
    return Picture(image_id=content_id("picture", rgb), name=f"{number}.png", height=SIDE, width=2 * SIDE, rgb=rgb)


def inputs() -> InputSet:
    facts = tuple(f"fact number {number} speaks of the sea and the sky" for number in range(5))
    return InputSet(
        pictures=tuple(a_picture(number) for number in range(4)),
        factoids=tuple(Factoid(factoid_id=content_id("factoid", text.encode()), text=text) for text in facts),
    )


def the_loop(home: Path, wrap: Callable[[Actor], Actor] = lambda actor: actor) -> MemoryBus:
    """A bus with all four actors of a run whose home is `home`."""
    settings = ("tensor.rows=16", "tensor.cols=16", "tensor.layers=2", "bias.update_interval_steps=40")
    learner = ("learner.probe_per_class=6", "learner.test_per_class=6", "learner.rounds_hz=5", "dreamer.rate_hz=10")
    configuration = load_configuration(Sources(Home(home), None, (*settings, *learner), ()))
    manifest = RunManifest(
        run_id="20260101T000000Z-0001",
        ordinal=1,
        seed=7,
        seats=SEATS,
        settings=configuration.settings,
        config_sha256=configuration.sha256,
        inputs_sha256=hashlib.sha256(inputs().to_bytes()).hexdigest(),
        started_at_ns=0,
        fingerprint=Fingerprint(cpu="", machine="", python="", numpy="", simd=(), blas="", oneiros=""),
        pinned_environment=(),
        isolation="none",
        keys="none",
    )
    (home / "inputs").mkdir(parents=True, exist_ok=True)
    (home / "inputs" / f"{manifest.inputs_sha256}.msgpack").write_bytes(inputs().to_bytes())
    actors = {}
    for seat in SEATS:
        build = importlib.import_module(f"{module_of(seat.role)}.__main__").build
        actors[seat] = wrap(build(ActorStart(home, manifest, seat)))
    return MemoryBus(actors)


@pytest.fixture
def loop_in_memory() -> Callable[..., MemoryBus]:
    return the_loop
