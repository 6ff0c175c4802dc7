"""Hand-made feedback for the bias-synthesizer."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from actors.bias_synthesizer.core import BiasSynthesizerCore
from bus.core import MessageRef, Outcome, Received
from bus.randomness import RandomSource
from schemas.bias import BiasProfile
from schemas.colour import to_rgb
from schemas.dreams import Source
from schemas.feedback import FeedbackStored, StoredFeedback
from schemas.ids import derived_id
from schemas.settings import BiasSettings, EngineSettings

ENGINE = Path(__file__).parents[3] / "config" / "engine.toml"
START_NS = 1_767_225_600 * 1_000_000_000


def record(
    dream: int | str,
    utility: float,
    hue: float = 0.0,
    saturation: float = 0.8,
    entropy: float = 0.5,
    source: Source = "image",
    query: int = 0,
) -> StoredFeedback:
    return StoredFeedback(
        entry_id=derived_id("dream", dream),
        query_id=derived_id("query", query),
        utility=utility,
        contribution=0.5,
        chroma_signature=to_rgb((hue, saturation, 0.75)),
        spectral_entropy=entropy,
        source=source,
    )


@pytest.fixture(scope="session")
def make_record() -> Callable[..., StoredFeedback]:
    return record


@pytest.fixture(scope="session")
def settings() -> EngineSettings:
    return EngineSettings.model_validate(tomllib.loads(ENGINE.read_text()))


@pytest.fixture(scope="session")
def bias(settings: EngineSettings) -> Callable[..., BiasSettings]:
    """[bias] with changes; plain formulas without floor or cap unless asked for."""

    def change(**update: object) -> BiasSettings:
        plain = {"exploration_floor": 0.0, "max_step": 0.0}
        return settings.bias.model_copy(update=plain | update)

    return change


class Listener:
    """A core, fed with batches; keeps what it said and wrote."""

    def __init__(self, settings: EngineSettings) -> None:
        self.core = BiasSynthesizerCore(settings, RandomSource(1, 1, "bias-synthesizer"), ("learner",))
        self.now_ns = START_NS
        self.seq = 0
        self.profiles: list[BiasProfile] = []
        self.files: dict[str, bytes] = {}

    def feed(self, records: Sequence[StoredFeedback], learner: str = "learner") -> Outcome:
        self.seq += 1
        stored = FeedbackStored(
            batch_id=derived_id("batch", self.seq), learner=learner, stored_at_ns=self.now_ns, records=tuple(records)
        )
        return self.hand(Received(MessageRef("pool-keeper", 1, self.seq), stored))

    def hand(self, event: object) -> Outcome:
        self.now_ns += 1_000_000
        outcome = self.core.handle(event, self.now_ns)  # type: ignore[arg-type]
        self.profiles.extend(send.message for send in outcome.sends if isinstance(send.message, BiasProfile))
        self.files.update({effect.path: effect.content for effect in outcome.effects})
        return outcome


@pytest.fixture
def listener(settings: EngineSettings, bias: Callable[..., BiasSettings]) -> Callable[..., Listener]:
    """A fresh core: `listener(max_step=0.1)`; plain formulas unless asked for."""

    def begin(**update: object) -> Listener:
        return Listener(settings.model_copy(update={"bias": bias(**update)}))

    return begin
