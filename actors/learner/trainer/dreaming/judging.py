"""The worth of pinned dreams while a run learns: paired, on held-out examples, never the training loss (design, 5.9).

In: a trainer between two steps, its dreams. Out: `Judgement` rows. At the start of an epoch the next dreams in turn are
judged from the weights w of that moment, each beside the first batch of the epoch:

    utility_i      = probe_loss(step(w, batch)) - probe_loss(step(w, batch and dream i))
    contribution_i = (1 + cos(gradient of dream i, gradient of the probe at w)) / 2, and 1/2 where a gradient is zero

The step is that of the run's own optimizer, on copies: weights, optimizer and streams of the run stay as they are, so
judging changes no bit of it. Utilities are clipped to the 5th and 95th percentile of the epoch. The probe is the
validation part, its first examples. Without one nothing is judged.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from actors.learner.credit import clip_to_percentiles
from actors.learner.trainer.configuration.settings import TrainConfig
from actors.learner.trainer.dreaming.examples import DreamExamples
from actors.learner.trainer.model.parameters import F32
from actors.learner.trainer.registry import OPTIMIZERS
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.accumulating import Accumulator
from actors.learner.trainer.training.optimizers import Optimizer
from actors.learner.trainer.training.trainer import Trainer

PROBE: Final = 512
"""Most examples of the probe."""
JUDGED: Final = 32
"""Dreams of an epoch that are judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One dream in one epoch."""

    epoch: int
    dream_id: str
    query_id: str
    raw_utility: float
    """nats, not clipped"""
    utility: float
    contribution: float

    def line(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(judgements: Iterable[Judgement]) -> str:
    """SHA-256 over all judgements, in hex."""
    return hashlib.sha256("".join(f"{row.line()}\n" for row in judgements).encode("ascii")).hexdigest()


class Judge:
    """Judges the dreams of one run."""

    def __init__(self, trainer: Trainer, config: TrainConfig, dreams: DreamExamples) -> None:
        self._trainer = trainer
        self._config = config
        self._dreams = dreams
        self._probe = trainer.feed.examples(trainer.feed.splits.val[:PROBE])

    def judge(self, epoch: int) -> tuple[Judgement, ...]:
        """The dreams whose turn it is; the trainer stands before the first step of `epoch`."""
        if not len(self._probe[0]):
            return ()
        count = min(JUDGED, len(self._dreams))
        turn = [(epoch * count + number) % len(self._dreams) for number in range(count)]
        start = self._trainer.model.weights.copy()
        try:
            with np.errstate(all="ignore"):
                rows = self._worth(epoch, turn, start)
        finally:
            self._trainer.model.weights[:] = start
        sound = [row for row in rows if math.isfinite(row[1]) and math.isfinite(row[2])]
        if not sound:
            return ()
        raw = np.array([row[1] for row in sound])
        clipped = clip_to_percentiles(raw, raw.tolist()).tolist()
        return tuple(
            self._judgement(epoch, index, utility, worth, share)
            for (index, utility, share), worth in zip(sound, clipped, strict=True)
        )

    def _worth(self, epoch: int, turn: list[int], start: F32) -> list[tuple[int, float, float]]:
        """Index, raw utility and contribution of each dream."""
        model, probe = self._trainer.model, self._probe
        probe_gradient = self._gradient(probe, len(probe[0]))
        without = self._loss_after(epoch, None, start)
        rows = []
        for index in turn:
            example = self._dreams.one(index)
            model.weights[:] = start
            share = _alignment(self._gradient(example, 1), probe_gradient)
            rows.append((index, without - self._loss_after(epoch, example, start), share))
        return rows

    def _loss_after(self, epoch: int, extra: tuple[F32, F32] | None, start: F32) -> float:
        """Mean loss of the probe after one step from `start`."""
        trainer = self._trainer
        model = trainer.model
        model.weights[:] = start
        batch = trainer.feed.batch(epoch, 0)
        step = Accumulator(model, trainer.loss, self._config.training.accumulate).step(batch[:2], extra, self._stream())
        gradient = _clipped(step.gradient, self._config.training.clip_norm)
        optimizer: Optimizer = OPTIMIZERS.build(self._config.optimizer, len(start))
        optimizer.load(trainer.optimizer.state(), trainer.optimizer.steps)
        optimizer.step(model.weights, gradient, trainer.schedule(trainer.progress.step))
        total, _ = trainer.loss(model.predict(self._probe[0]), self._probe[1])
        return total / len(self._probe[0])

    def _gradient(self, examples: tuple[F32, F32], count: int) -> F32:
        model = self._trainer.model
        return model.step_gradients(*examples, self._trainer.loss, self._stream(), 1.0 / count)[1].copy()

    def _stream(self) -> np.random.Generator | None:
        """What the next step of the run would drop; from a source of its own."""
        trainer = self._trainer
        return Streams(trainer.streams.seed).at("dropout", trainer.progress.step) if trainer.model.draws else None

    def _judgement(self, epoch: int, index: int, raw: float, utility: float, share: float) -> Judgement:
        dream = self._dreams.pins.head.dreams[index]
        return Judgement(epoch, dream.dream_id, dream.query_id, raw, utility, share)


def _clipped(gradient: F32, longest: float) -> F32:
    """A copy of the gradient, no longer than `training.clip_norm`, as the run itself clips it."""
    norm = float(np.sqrt(gradient.dot(gradient)))
    return gradient * np.float32(longest / norm) if 0.0 < longest < norm else gradient.copy()


def _alignment(gradient: F32, probe: F32) -> float:
    """(1 + cosine) / 2 of two gradients, in float64."""
    mine, theirs = gradient.astype(np.float64), probe.astype(np.float64)
    length = math.sqrt(float(mine @ mine) * float(theirs @ theirs))
    cosine = float(mine @ theirs) / length if length > 0.0 else 0.0
    return min(1.0, max(0.0, (1.0 + cosine) / 2.0))
