"""What `supervisor train CONFIG` does: one run, or with dreams both arms of each seed.

In: a file, a home, what the flags say, whom to tell. Out: `Started`: the runs, and the comparison of the arms where
dreams were wanted. Old runs are removed first, as their configurations say. Refused: a flag without the other that it
needs, dreams without a seat, nothing to resume.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.loading import LoadedConfig, open_config
from actors.learner.trainer.configuration.plugins import blaming
from actors.learner.trainer.dreaming.pins import Pins
from actors.learner.trainer.reports.documents import TrainSummary
from supervisor.advice import advise
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.training.conducting import Company, Conducted, begin, go_on
from supervisor.training.guest import Guest, check_seat
from supervisor.training.listing import resumable
from supervisor.training.pairing import DreamComparison, train_both, with_config, write_comparison
from supervisor.training.preparing import before_the_first_step, prepare
from supervisor.training.retention import Removed, prune
from supervisor.training.run_folder import splits_cache

FIGURES: Final = ("train_loss", "val_loss", "val_accuracy", "test_accuracy")
BESIDE: Final = 8
"""Dreams beside each batch where the flag asks for some and the configuration for none."""


@dataclass(frozen=True)
class Wanted:
    """What the flags say."""

    config: Path
    is_resumed: bool = False
    has_dreams: bool = False
    seeds: int = 1


@dataclass
class Started:
    """What came of it."""

    home: Home
    runs: list[Conducted] = field(default_factory=list)
    comparison: DreamComparison | None = None
    removed: Removed | None = None
    feedback_stored: int | None = None
    """Records that the pool-keeper took; None without dreams."""

    @property
    def exit_code(self) -> int:
        """That of the last run."""
        return self.runs[-1].exit_code

    def tree(self) -> dict[str, Any]:
        """As one JSON object; the run that was asked for on top, the others below."""
        return {
            **_run_tree(self.runs[0]),
            "runs": [_run_tree(conducted) for conducted in self.runs],
            "comparison": None if self.comparison is None else self.comparison.tree(),
            "feedback_stored": self.feedback_stored,
            "removed": [] if self.removed is None else self.removed.runs,
        }

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        for name in self.removed.runs if self.removed is not None else ():
            yield f"{name} was old and is removed; its manifest is left"
        for conducted in self.runs:
            result = conducted.manifest.result
            steps = f"{conducted.outcome.step} of {conducted.outcome.steps_total} steps"
            yield f"{conducted.folder.run_id}: {conducted.outcome.reason}, {steps}"
            if conducted.outcome.detail:
                yield f"  {conducted.outcome.detail}"
            for name, value in figures_of(conducted).items():
                yield f"  {name.replace('_', ' ')} {'-' if value is None else value}"
            yield f"  weights {conducted.outcome.weights_sha256}"
            yield from (f"  note: {note}" for note in conducted.manifest.envelope.notes)
            if result is not None and conducted.exit_code:
                yield f"  partial reports in {conducted.folder.reports}"
        if self.comparison is not None:
            yield from ("", *self.comparison.text(), f"feedback stored by the pool: {self.feedback_stored}")
        yield f"reports: {advise(f'train report {self.runs[0].folder.run_id}', self.home.root)}"


def start(wanted: Wanted, home: Home, company: Company) -> Started:
    """Do what is wanted; raises OneirosError and OSError."""
    loaded = open_config(wanted.config)
    with blaming(loaded.plugin_digests):
        return _start(_with_dreams(loaded) if wanted.has_dreams else loaded, wanted, home, company)


def _start(loaded: LoadedConfig, wanted: Wanted, home: Home, company: Company) -> Started:
    is_dreaming = loaded.config.dreams.count > 0
    if wanted.seeds > 1 and not is_dreaming:
        raise UsageError("--seeds pairs runs with dreams and without; give --with-dreams too")
    if wanted.seeds > 1 and wanted.is_resumed:
        raise UsageError("--resume goes on with one run; leave --seeds out")
    started = Started(home)
    if wanted.is_resumed:
        started.runs.append(_resume(loaded, home, company))
        return started
    if is_dreaming:
        check_seat()
    started.removed = prune(home, datetime.now(UTC).date())
    if is_dreaming:
        _train_pairs(loaded, wanted.seeds, company, started)
    else:
        started.runs.append(begin(loaded, home, company))
    return started


def _with_dreams(loaded: LoadedConfig) -> LoadedConfig:
    config = loaded.config
    if config.dreams.count:
        return loaded
    dreams = config.dreams.model_copy(update={"count": BESIDE})
    return with_config(loaded, config.model_copy(update={"dreams": dreams}))


def _resume(loaded: LoadedConfig, home: Home, company: Company) -> Conducted:
    with before_the_first_step(loaded):
        prepared = prepare(loaded, splits_cache(home))
    return go_on(loaded, home, resumable(home, config_hash(loaded.config, prepared.splits.digest)), company)


def _train_pairs(loaded: LoadedConfig, seeds: int, company: Company, started: Started) -> None:
    """Both arms of every seed, as a guest of the loop."""
    from bus.client import attach

    home, first = started.home, loaded.config.meta.seed
    with closing(attach()) as learner:
        guest = Guest(learner)
        with before_the_first_step(loaded):
            prepared = prepare(loaded, splits_cache(home))
        pins = guest.pin(loaded.config.dreams, prepared.dataset, prepared.splits, prepared.kinship)
        listening = Company(company.tell, company.should_stop, guest.hear, company.now)

        def train(one: LoadedConfig, given: Pins | None) -> Conducted:
            return begin(one, home, listening, given)

        found, started.runs = train_both(loaded, pins, range(first, first + seeds), train)
        started.feedback_stored = guest.stored
        started.comparison = found
        for pair in zip(found.with_dreams, found.without, strict=True):
            guest.report(*pair)
        write_comparison(found, started.runs)


def figures_of(conducted: Conducted) -> dict[str, float | None]:
    """What the run reached, from its summary."""
    summary = TrainSummary.model_validate_json((conducted.folder.reports / "train_summary.json").read_bytes())
    return {name: getattr(summary, name) for name in FIGURES}


def _run_tree(conducted: Conducted) -> dict[str, Any]:
    outcome, result = conducted.outcome, conducted.manifest.result
    return {
        "run_id": conducted.folder.run_id,
        "status": "partial" if result is None else result.status,
        "reason": str(outcome.reason),
        "detail": outcome.detail,
        "steps": outcome.step,
        "steps_total": outcome.steps_total,
        **figures_of(conducted),
        "config_hash": conducted.manifest.run.config_hash,
        "splits_digest": conducted.manifest.run.splits_digest,
        "log_digest": outcome.log_digest,
        "weights_sha256": outcome.weights_sha256,
        "manifest_sha256": conducted.manifest.sha256,
        "folder": str(conducted.folder.path),
        "notes": list(conducted.manifest.envelope.notes),
    }
