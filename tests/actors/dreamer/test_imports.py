"""In its box a dreamer can read no library: all that it needs is imported before it is built."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIFE = """
import sys, tomllib
from pathlib import Path
import actors.dreamer.__main__
from actors.dreamer.core import DreamerCore
from actors.dreamer.finalize import RunFacts
from bus.codec import encode_body
from bus.core import Fired, MessageRef, Received, Started
from bus.randomness import RandomSource
from schemas.bias import BiasProfile, SeedWeights
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.settings import EngineSettings

raw = tomllib.loads((Path(sys.argv[1]) / "config" / "engine.toml").read_text())
raw["pool"]["coherence_threshold"] = 0.0
settings = EngineSettings.model_validate({**raw, "pool": {**raw["pool"]}})
picture = Picture(image_id=derived_id("p"), name="p", height=96, width=96, rgb=bytes(range(256)) * 108)
fact = Factoid(factoid_id=derived_id("f"), text="Ice floats on water.")
facts = RunFacts(settings, InputSet(pictures=(picture,), factoids=(fact,)), 1, 1)
core = DreamerCore(facts, RandomSource(1, 1, "dreamer"), RandomSource(1, 1, "dreamer"))
weights = SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25)
profile = BiasProfile(
    profile_id=derived_id("b"), updated_at_ns=1, chroma_prior=(0.3, 0.5, 0.6), hue_concentration=0.8,
    entropy_window=(0.45, 0.55), seed_weights=weights, bins=(), chroma_bins=24, exemplars=(), feedback_total=200,
)
before = set(sys.modules)
core.handle(Started(1), 1)
for number in range(60):
    outcome = core.handle(Fired("episode"), 2)
    for send in outcome.sends:
        encode_body(send.message)
    if number == 30:
        core.handle(Received(MessageRef("bias-synthesizer", 1, 1), profile), 3)
core.restore(core.snapshot())
core.figures()
print(sorted(set(sys.modules) - before))
"""


def test_a_dreamer_imports_nothing_once_it_is_built() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(ROOT)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
