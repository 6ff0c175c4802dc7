"""Carries out a training run, new or interrupted, from its folder to its manifest.

In: a configuration that was read, a home, pinned dreams or none, the time, whom to tell. Out: `Conducted`, and a folder
in which everything is whole at any moment: reports are there from the beginning, marked partial, so that a run that is
killed leaves them too. The file of the configuration may change meanwhile; that is noted, and changes nothing. Refused
before the first step: what the layers refuse; to go on from a run whose manifest, log or checkpoint was altered.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.loading import LoadedConfig
from actors.learner.trainer.dreaming.examples import allowed
from actors.learner.trainer.dreaming.judging import Judgement
from actors.learner.trainer.dreaming.pins import Pins, PinsRefusedError, pins_from
from actors.learner.trainer.reports.signing import Signer
from actors.learner.trainer.reports.writing import NOT_WANTED, NOT_YET, write_reports
from actors.learner.trainer.training.keeping import Keeping
from actors.learner.trainer.training.log_file import StepLogFile, read_log
from actors.learner.trainer.training.step_log import Link, Sink, StepLogError, StepRow
from actors.learner.trainer.training.stopping import StopReason
from actors.learner.trainer.training.trainer import Outcome
from bus.files import write_atomically
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.training.beginning import another_session, facts_of, new_envelope, utc
from supervisor.training.execution import RUNNING, Execution, ended
from supervisor.training.feedback_file import FeedbackFile, read_feedback
from supervisor.training.preparing import Prepared, before_the_first_step, code_sha256, prepare
from supervisor.training.run_folder import TrainingFolder, claim, splits_cache
from supervisor.training.run_manifest import (
    DamagedError,
    Envelope,
    TrainingManifest,
    read_manifest,
    sealed,
    write_manifest,
)
from supervisor.training.sealing import result_of

REPORT_PERIOD_S: Final = 0.5
"""Least time between two writings of partial reports."""
REPORT_SHARE: Final = 0.02
"""Most of a run's time that partial reports take."""
CHANGED: Final = "the file of the configuration changed or is gone; the run keeps what it read"
OTHER_PROGRAM: Final = "the program has changed since the run began; what follows may differ from a run without a stop"

Heard = Callable[[Sequence[Judgement]], str]
"""Takes judgements to whoever wants them; says what went wrong, or nothing."""


@dataclass(frozen=True)
class Told:
    """How far a run is, for whoever looks on."""

    step: int
    steps_total: int
    epoch: int
    epochs: int
    loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True)
class Company:
    """Who watches a run and who may stop it."""

    tell: Callable[[Told], None] = lambda _told: None
    should_stop: Callable[[], bool] = lambda: False
    heard: Heard | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Conducted:
    """A run after a session."""

    folder: TrainingFolder
    manifest: TrainingManifest
    outcome: Outcome

    @property
    def exit_code(self) -> int:
        """0 complete, 130 stopped by the user, 1 stopped by its numbers."""
        match self.outcome.reason:
            case StopReason.COMPLETED:
                return 0
            case StopReason.INTERRUPTED | StopReason.PAUSED:
                return 130
            case _:
                return 1


@dataclass
class _Watch:
    """A sink between the log and its file: keeps the last loss, tells."""

    onward: Sink | None = None
    """None until the run has a folder."""
    loss: float | None = None
    val_accuracy: float | None = None

    def take(self, links: Sequence[Link]) -> None:
        """See `Sink`."""
        if self.onward is not None:
            self.onward.take(links)
        for link in links:
            if isinstance(link.row, StepRow):
                self.loss = link.row.loss
            else:
                self.val_accuracy = link.row.val_accuracy

    def settle(self) -> None:
        """See `Sink`."""
        if self.onward is not None:
            self.onward.settle()


@dataclass
class _Session:
    """One process at work on one run."""

    folder: TrainingFolder
    execution: Execution
    manifest: TrainingManifest
    company: Company
    signer: Signer | None
    watch: _Watch
    feedback: FeedbackFile | None
    loaded: LoadedConfig
    report_at_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    def work(self) -> Outcome:
        """Train to the end, or to a stop."""
        self._report_partial()
        trainer = self.execution.trainer
        outcome = None
        while outcome is None or outcome.reason == StopReason.PAUSED:
            self._look_at_file()
            if self.execution.is_at_epoch_start:
                self._judge()
            outcome = self.execution.run_epoch(trainer.steps_total, self._should_stop)
            if outcome.reason == StopReason.PAUSED and self.company.should_stop():
                outcome = replace(outcome, reason=StopReason.INTERRUPTED)
            self._tell()
            if time.monotonic() > self.report_at_s:
                self._report_partial()
        return outcome

    def close(self, outcome: Outcome) -> TrainingManifest:
        """Reports and manifest of the end."""
        config = self.execution.prepared.config
        told = self.execution.told(ended(outcome))
        no_plots = "" if config.reports.plots else NOT_WANTED
        reports = write_reports(self.folder.reports, told, self.signer, no_plots)
        result = result_of(self.folder, told.summary, reports, self.execution.feedback_sha256)
        manifest = sealed(self.manifest.run, result, self._envelope(outcome.step, has_ended=True))
        write_manifest(self.folder, manifest)
        return manifest

    def _should_stop(self) -> bool:
        self._tell()
        return self.company.should_stop()

    def _tell(self) -> None:
        trainer, watch = self.execution.trainer, self.watch
        now, epochs = trainer.progress, self.execution.prepared.config.training.epochs
        self.company.tell(Told(now.step, trainer.steps_total, now.epoch, epochs, watch.loss, watch.val_accuracy))

    def _judge(self) -> None:
        found = self.execution.judge()
        if self.feedback is not None and found:
            self.feedback.add(found)
            problem = self.company.heard(found) if self.company.heard is not None else ""
            self._note(problem)

    def _look_at_file(self) -> None:
        if self.loaded.is_changed():
            self._note(CHANGED)

    def _note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)

    def _report_partial(self) -> None:
        began_s = time.monotonic()
        write_reports(self.folder.reports, self.execution.told(RUNNING), self.signer, NOT_YET)
        step = self.execution.trainer.progress.step
        self.manifest = sealed(self.manifest.run, None, self._envelope(step, has_ended=False))
        write_manifest(self.folder, self.manifest)
        now_s = time.monotonic()
        self.report_at_s = now_s + max(REPORT_PERIOD_S, (now_s - began_s) / REPORT_SHARE)

    def _envelope(self, step: int, *, has_ended: bool) -> Envelope:
        envelope = self.manifest.envelope
        last = envelope.sessions[-1]
        now = last.model_copy(update={"to_step": step, "ended_at": utc(self.company.now()) if has_ended else ""})
        known = envelope.notes
        notes = (*known, *(note for note in self.notes if note not in known))
        return envelope.model_copy(update={"sessions": (*envelope.sessions[:-1], now), "notes": notes})


def begin(loaded: LoadedConfig, home: Home, company: Company, pins: Pins | None = None) -> Conducted:
    """A new run of a configuration. Raises OneirosError and OSError; then nothing of it is left."""
    with before_the_first_step(loaded):
        prepared = prepare(loaded, splits_cache(home))
        signer = _signer(loaded)
        whole = config_hash(loaded.config, prepared.splits.digest)
        pins = None if pins is None else allowed(pins, prepared.kinship)  # another seed divides the data otherwise
        watch = _Watch()
        execution = Execution(prepared, watch, pins)  # what is refused is refused before there is a folder
    folder = claim(home, whole)
    with folder.held():
        if pins is not None:
            folder.dreams_file.parent.mkdir()
            write_atomically(folder.dreams_file, pins.to_bytes())
        if prepared.token_log is not None:
            write_atomically(folder.tokens_file, prepared.token_log.content)
        watch.onward = log = StepLogFile(folder.steps_file)
        manifest = sealed(facts_of(execution, pins), None, new_envelope(folder, prepared, whole, company.now()))
        return _conduct(_Session(folder, execution, manifest, company, signer, watch, None, loaded), log, 0)


def go_on(loaded: LoadedConfig, home: Home, folder: TrainingFolder, company: Company) -> Conducted:
    """The run in `folder`, from its newest checkpoint that is whole. Raises OneirosError and OSError."""
    with folder.held():
        stored = read_manifest(folder)
        with before_the_first_step(loaded):
            prepared = prepare(loaded, splits_cache(home))
        _check_same(stored, prepared)
        pins = read_pins(folder, stored)
        found = Keeping(folder.checkpoints, loaded.config.training.keep_checkpoints).newest()
        if found.path is None and found.passed_over:
            raise DamagedError(folder.run_id, f"no checkpoint is whole: {found.passed_over[0]}")
        header = found.checkpoint.header if found.checkpoint is not None else None
        rows, digest = (header.log_rows, header.log_digest) if header is not None else (0, "")
        log = _log_behind(folder, rows, digest)
        watch = _Watch(log)
        with before_the_first_step(loaded):
            execution = Execution(prepared, watch, pins)
            if found.path is not None:
                execution.trainer.resume(found.path)
        if found.path is not None:
            execution.memory.rows.extend(read_log(folder.steps_file)[0][:rows])
            execution.judgements.extend(read_feedback(folder.feedback_file, _judged_before(execution)))
        manifest = another_session(stored, execution.trainer.progress.step, company.now())
        session = _Session(folder, execution, manifest, company, _signer(loaded), watch, None, loaded)
        session.notes.extend(f"passed over: {refused}" for refused in found.passed_over)
        if stored.run.code_sha256 != code_sha256():
            session.notes.append(OTHER_PROGRAM)
        return _conduct(session, log, len(execution.judgements))


def read_pins(folder: TrainingFolder, manifest: TrainingManifest) -> Pins | None:
    """The pinned dreams of a run, checked against its manifest; raises DamagedError."""
    expected = manifest.run.pins_sha256
    if expected is None:
        return None
    name = f"{folder.run_id}/data/{folder.dreams_file.name}"
    try:
        pins = pins_from(folder.dreams_file.read_bytes())
    except OSError as error:
        raise DamagedError(name, f"the pinned dreams cannot be read ({error.strerror})") from error
    except PinsRefusedError as error:
        raise DamagedError(name, str(error)) from error
    if pins.digest != expected:
        raise DamagedError(name, "these are other dreams than those of the manifest")
    return pins


def _conduct(session: _Session, log: StepLogFile, judged: int) -> Conducted:
    with ExitStack() as open_files:
        open_files.callback(log.close)
        if session.execution.dreams is not None:
            session.feedback = FeedbackFile(session.folder.feedback_file, session.execution.judgements[:judged])
            open_files.callback(session.feedback.close)
        session.execution.trainer.keep_in(session.folder.checkpoints)
        outcome = session.work()
        return Conducted(session.folder, session.close(outcome), outcome)


def _log_behind(folder: TrainingFolder, rows: int, digest: str) -> StepLogFile:
    """The step log, open behind the rows that a checkpoint counts; raises DamagedError where those were altered."""
    try:
        return StepLogFile(folder.steps_file, rows, digest) if rows else StepLogFile(folder.steps_file)
    except StepLogError as error:
        raise DamagedError(
            f"{folder.run_id}/{folder.steps_file.name}", f"line {error.row + 1}: {error.reason}"
        ) from error


def _judged_before(execution: Execution) -> int:
    """Epochs whose dreams were judged before the step that a resumed run begins with."""
    return execution.trainer.progress.epoch + (0 if execution.is_at_epoch_start else 1)


def _check_same(stored: TrainingManifest, prepared: Prepared) -> None:
    """Raise UsageError unless configuration, data and plug-ins are those that the run began with."""
    whole = config_hash(prepared.config, prepared.splits.digest)
    if whole != stored.run.config_hash:
        run, mine = stored.envelope.run_id, whole[:12]
        told = f"{run} is of configuration and splits {stored.run.config_hash[:12]}, these are {mine}"
        raise UsageError(f"{told}; put the configuration back, or begin a new run without --resume")
    other = [name for name, digest in stored.run.plugins.items() if prepared.loaded.plugin_digests.get(name) != digest]
    if other:
        told = f"{stored.envelope.run_id} began with another source of {', '.join(other)}"
        raise UsageError(f"{told}; put it back, or begin a new run without --resume")


def _signer(loaded: LoadedConfig) -> Signer | None:
    key = loaded.config.reports.sign_key
    return Signer(Path(loaded.base) / key) if key else None
