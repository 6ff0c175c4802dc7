"""A small world for the learner: three pictures of different colours, dreams cut from them, and a pool that answers."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from actors.learner.core import LearnerCore
from actors.learner.training import Training, prepare
from bus.core import Fired, Input, MessageRef, Outcome, Received, Started
from bus.randomness import RandomSource
from schemas.base import Message
from schemas.dreams import Ancestor, DreamFacts
from schemas.feedback import FeedbackBatch, FeedbackReceipt
from schemas.ids import content_id, derived_id
from schemas.inputs import InputSet, Picture
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RetrievalQuery,
    RetrievalStats,
    RetrievedEntry,
    RetrievedSet,
)
from schemas.settings import EngineSettings
from schemas.tensor import encode

ENGINE = Path(__file__).parents[3] / "config" / "engine.toml"
START_NS = 1_767_225_600 * 1_000_000_000
COLOURS = ((0.8, 0.3, 0.2), (0.2, 0.7, 0.4), (0.3, 0.3, 0.8))


def picture(name: str, colour: tuple[float, float, float], height: int = 96, width: int = 120) -> Picture:
    """Noise about a colour, so that pictures can be told apart but not by any one pixel."""
    noise = np.random.default_rng(list(name.encode())).uniform(-0.35, 0.35, (height, width, 3))
    pixels = (np.clip(np.asarray(colour) + noise, 0.0, 1.0) * 255).astype(np.uint8)
    rgb = pixels.tobytes()
    return Picture(image_id=content_id("picture", rgb), name=name, height=height, width=width, rgb=rgb)


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., Picture]:
    return picture


@pytest.fixture(scope="session")
def pictures() -> tuple[Picture, ...]:
    return tuple(picture(f"picture-{index}", colour) for index, colour in enumerate(COLOURS))


@pytest.fixture(scope="session")
def inputs(pictures: tuple[Picture, ...]) -> InputSet:
    return InputSet(pictures=pictures, factoids=())


@pytest.fixture(scope="session")
def settings() -> EngineSettings:
    return EngineSettings.model_validate(tomllib.loads(ENGINE.read_text()))


@pytest.fixture(scope="session")
def changed(settings: EngineSettings) -> Callable[..., EngineSettings]:
    """The settings with changes, as `changed(learner={"rounds_hz": 0.0})`."""

    def change(**sections: dict[str, object]) -> EngineSettings:
        parts = {name: getattr(settings, name).model_copy(update=update) for name, update in sections.items()}
        return settings.model_copy(update=parts)

    return change


@pytest.fixture(scope="session")
def training(inputs: InputSet, settings: EngineSettings) -> Training:
    return prepare(inputs, settings, RandomSource(1, 1, "learner"))


@dataclass
class Dream:
    facts: DreamFacts
    blob: bytes


def dream(number: int, source: Picture | None, colour: tuple[float, float, float] | None = None) -> Dream:
    """A crop of the training region of `source`, or flat noise when there is none."""
    generator = np.random.default_rng(number)
    if source is None:
        tensor = generator.random((32, 32, 4, 3)).astype(np.float32)
    else:
        pixels = source.pixels("train")
        left = int(generator.integers(0, pixels.shape[1] - 31))
        crop = pixels[:32, left : left + 32].astype(np.float32) / np.float32(255)
        tensor = np.repeat(crop[:, :, None], 4, axis=2)
    blob, sha256 = encode(np.ascontiguousarray(tensor))
    signature = colour or tuple(float(value) for value in tensor.mean(axis=(0, 1, 2), dtype=np.float64))
    identity = derived_id("dream", number)
    ancestor = (
        Ancestor(source="random", ancestor_id=None, share=1.0, split="none")
        if source is None
        else Ancestor(source="image", ancestor_id=source.image_id, share=1.0, split="train")
    )
    facts = DreamFacts(
        id=identity,
        timestamp_ns=START_NS,
        source="random" if source is None else "image",
        factoid_ids=(),
        image_id=None if source is None else source.image_id,
        parents=(),
        lineage_root=identity,
        generation=0,
        ancestry=(ancestor,),
        coherence=0.5,
        energy=0.1,
        chroma_signature=(signature[0], signature[1], signature[2]),
        spectral_entropy=0.5,
        shape=(32, 32, 4),
        tensor_sha256=sha256,
        metadata_json="{}",
        profile_id=None,
    )
    return Dream(facts, blob)


@pytest.fixture(scope="session")
def make_dream() -> Callable[..., Dream]:
    return dream


@pytest.fixture(scope="session")
def dreams(pictures: tuple[Picture, ...]) -> tuple[Dream, ...]:
    """Four dreams of each picture and four of noise."""
    sources = (*pictures, None)
    return tuple(dream(number, sources[number % 4]) for number in range(16))


@dataclass
class Pool:
    """Answers like a pool-keeper; what `k` asks for is taken round robin."""

    dreams: tuple[Dream, ...]
    said: list[Message] = field(default_factory=list)
    cursor: int = 0

    def answer(self, message: Message) -> Message | None:
        match message:
            case PoolStatsRequest(request=request):
                return PoolStats(
                    request=request,
                    pool_sequence=len(self.dreams),
                    dreams_total=len(self.dreams),
                    coherence_mean=0.5,
                    spectral_entropy_mean=0.5,
                    last_compaction_at_ns=None,
                )
            case RetrievalQuery():
                return self.retrieve(message)
            case BatchRequest():
                return self.batch(message)
            case FeedbackBatch(batch_id=batch_id, records=records):
                return FeedbackReceipt(batch_id=batch_id, stored=len(records), duplicates=0, refused=())
        return None

    def retrieve(self, query: RetrievalQuery) -> RetrievedSet:
        picked = [
            self.dreams[(self.cursor + place) % len(self.dreams)] for place in range(min(query.k, len(self.dreams)))
        ]
        self.cursor += len(picked)
        entries = tuple(RetrievedEntry(facts=d.facts, score=0.5, is_explored=False, propensity=1.0) for d in picked)
        stats = RetrievalStats(mode=query.mode, avg_coherence=0.5, avg_entropy=0.5, diversity=0.0)
        return RetrievedSet(query_id=query.query_id, pool_sequence=16, entries=entries, stats=stats)

    def batch(self, request: BatchRequest) -> LearningBatch:
        by_id = {d.facts.id: d for d in self.dreams}
        picked = [by_id[entry_id] for entry_id in request.entry_ids]
        return LearningBatch(
            query_id=request.query_id,
            entry_ids=request.entry_ids,
            shapes=tuple(d.facts.shape for d in picked),
            tensor_sha256s=tuple(d.facts.tensor_sha256 for d in picked),
            tensors=tuple(d.blob for d in picked),
            labels=None,
            skipped=(),
        )


@dataclass
class Talk:
    """Runs a core against a pool in virtual time, one input after another."""

    core: LearnerCore
    pool: Pool
    now_ns: int = START_NS
    seq: int = 0
    inputs: list[Input] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def hand(self, event: Input | Message) -> Outcome:
        """Hand one input in, without answering what comes out."""
        if isinstance(event, Message):
            self.seq += 1
            event = Received(MessageRef("pool-keeper", 1, self.seq), event)
        outcome = self.core.handle(event, self.now_ns)
        self.inputs.append(event)
        self.outcomes.append(outcome)
        self.pool.said.extend(send.message for send in outcome.sends)
        return outcome

    def run(self, rounds: int) -> None:
        """Go on until so many more rounds are complete."""
        target = int(str(self.core.figures()["rounds"])) + rounds
        waiting: list[Input | Message] = [Fired("round")] if self.inputs else [Started(1)]
        while int(str(self.core.figures()["rounds"])) < target:
            event = waiting.pop(0) if waiting else Fired("round")
            self.now_ns += 10_000_000
            outcome = self.hand(event)
            waiting.extend(answer for send in outcome.sends if (answer := self.pool.answer(send.message)))

    def heard(self, cls: type[Message]) -> list[Message]:
        """All messages of one kind that the core sent."""
        return [message for message in self.pool.said if isinstance(message, cls)]


@pytest.fixture
def talk(inputs: InputSet, settings: EngineSettings, dreams: tuple[Dream, ...]) -> Callable[..., Talk]:
    """A fresh core with a pool; `talk()`, `talk(settings)`, `talk(settings, dreams)`."""

    def begin(chosen: EngineSettings = settings, held: tuple[Dream, ...] = dreams) -> Talk:
        prepared = prepare(inputs, chosen, RandomSource(1, 1, "learner"))
        return Talk(LearnerCore(prepared, RandomSource(1, 1, "learner")), Pool(held))

    return begin
