"""Whether what is stored of a run is what it was: manifest, logs, checkpoints, reports, dreams, each by its hash.

In: the folder of a run. Out: `Verification`, every fault by file, and the first step of the log that does not follow. A
run that the retention removed is checked as far as it is there; of one without a result a last line that is cut is no
fault, for `--resume` writes it anew. Nothing is trained again: `replaying` does that.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from actors.learner.trainer.dreaming.judging import digest_of
from actors.learner.trainer.reports.documents import ReportManifest, ReportSignature, canonical_json
from actors.learner.trainer.reports.signing import SigningError, is_valid
from actors.learner.trainer.reports.writing import MANIFEST, SIGNATURE
from actors.learner.trainer.training.checkpoint import CheckpointRefusedError, read
from actors.learner.trainer.training.keeping import Keeping
from actors.learner.trainer.training.log_file import TornLogError, read_log
from actors.learner.trainer.training.step_log import StepLogError
from supervisor.training.conducting import read_pins
from supervisor.training.feedback_file import read_feedback
from supervisor.training.pairing import NAME, comparison_sha256
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import DamagedError, RunResult, TrainingManifest, read_manifest

EXIT_FINDING: Final = 1
ALTERED: Final = "was altered"
MISSING: Final = "is missing"
COMPARISON: Final = f"{NAME}.json"
RUNS_ON: Final = "the run has no result yet: it runs, or was killed; `supervisor train CONFIG --resume` goes on"


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was."""

    file: str
    reason: str


@dataclass(frozen=True)
class StepPlace:
    """A line of the step log."""

    line: int
    """From 1."""
    epoch: int
    step: int | None
    """None for the line that ends an epoch."""

    def __str__(self) -> str:
        return f"step {self.step} of epoch {self.epoch}" if self.step is not None else f"the end of epoch {self.epoch}"


@dataclass
class Verification:
    """What was found."""

    run_id: str
    checked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first_differing: StepPlace | None = None

    @property
    def exit_code(self) -> int:
        """0 whole, 1 not."""
        return EXIT_FINDING if self.faults else 0

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        place = self.first_differing
        first = None if place is None else {"line": place.line, "epoch": place.epoch, "step": place.step}
        return {
            "run_id": self.run_id,
            "ok": not self.faults,
            "checked": self.checked,
            "faults": [{"file": fault.file, "reason": fault.reason} for fault in self.faults],
            "first_differing": first,
            "notes": self.notes,
        }

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        yield f"{self.run_id}: {'damaged' if self.faults else 'whole'} ({', '.join(self.checked) or 'nothing checked'})"
        for fault in self.faults:
            yield f"  {fault.file}: {fault.reason}"
        if self.first_differing is not None:
            yield f"  the first differing step: {self.first_differing}"
        yield from (f"  {note}" for note in self.notes)


def verify(folder: TrainingFolder) -> Verification:
    """Check everything that is there."""
    found = Verification(folder.run_id)
    try:
        manifest = read_manifest(folder)
    except DamagedError as error:
        found.faults.append(Fault(error.what, error.reason))
        return found
    if manifest.is_envelope_whole:
        found.checked.append("manifest")
    else:
        found.faults.append(Fault(f"{folder.run_id}/{folder.manifest_file.name}", "its envelope was altered"))
    if manifest.envelope.removal is not None:
        found.notes.append(f"removed on {manifest.envelope.removal.date}: {manifest.envelope.removal.reason}")
        return found
    if manifest.result is None:
        found.notes.append(RUNS_ON)
    _check_log(folder, manifest, found)
    _check_tokens(folder, manifest, found)
    _check_dreams(folder, manifest, found)
    _check_comparison(folder, found)
    _check_checkpoints(folder, found)
    if manifest.result is not None:
        _check_checkpoint(folder, manifest.result, found)
        _check_reports(folder, manifest.result, found)
    return found


def place_of(line: int, batches_per_epoch: int) -> StepPlace:
    """What line number `line`, from 0, of a step log is of."""
    epoch, batch = divmod(line, batches_per_epoch + 1)
    step = None if batch == batches_per_epoch else epoch * batches_per_epoch + batch
    return StepPlace(line + 1, epoch, step)


def _check_log(folder: TrainingFolder, manifest: TrainingManifest, found: Verification) -> None:
    name, result = folder.steps_file.name, manifest.result
    try:
        rows, digest = read_log(folder.steps_file)
    except TornLogError as error:
        if result is None:
            found.notes.append(f"{name}: line {error.row + 1} is cut, as a writer leaves it that is killed")
        else:
            found.first_differing = place_of(error.row, manifest.run.batches_per_epoch)
            found.faults.append(Fault(name, f"line {error.row + 1}: {error.reason}"))
        return
    except StepLogError as error:
        found.first_differing = place_of(error.row, manifest.run.batches_per_epoch)
        found.faults.append(Fault(name, f"line {error.row + 1}: {error.reason}"))
        return
    if result is not None and (len(rows), digest) != (result.log_rows, result.log_digest):
        if len(rows) < result.log_rows:
            found.first_differing = place_of(len(rows), manifest.run.batches_per_epoch)
            found.faults.append(Fault(name, f"has {len(rows)} of {result.log_rows} lines"))
        else:
            found.faults.append(Fault(name, "is whole and another than that of the run; `train replay` names the step"))
        return
    found.checked.append(f"{len(rows)} lines of the step log")


def _check_tokens(folder: TrainingFolder, manifest: TrainingManifest, found: Verification) -> None:
    expected = manifest.run.token_log_sha256
    if expected is None:
        return
    digest = _sha256(folder.tokens_file)
    if digest == expected:
        found.checked.append("token log")
    else:
        found.faults.append(Fault(folder.tokens_file.name, ALTERED if digest else MISSING))


def _check_comparison(folder: TrainingFolder, found: Verification) -> None:
    path = folder.path / COMPARISON
    if not path.exists():
        return
    try:
        content = path.read_bytes()
        tree = json.loads(content)
        is_whole = tree["sha256"] == comparison_sha256(tree) and canonical_json(tree) == content
    except (OSError, ValueError, TypeError, KeyError):
        is_whole = False
    if is_whole:
        found.checked.append("comparison of the arms")
    else:
        found.faults.append(Fault(path.name, ALTERED))


def _check_checkpoints(folder: TrainingFolder, found: Verification) -> None:
    """Each by the hash at its end; which one the result is of, `_check_result` looks at."""
    paths = Keeping(folder.checkpoints, 1).paths()
    for path in paths:
        try:
            read(path)
        except CheckpointRefusedError as error:
            found.faults.append(Fault(f"checkpoints/{path.name}", error.reason))
    if paths and not any(fault.file.startswith("checkpoints/") for fault in found.faults):
        found.checked.append(f"{len(paths)} checkpoints")


def _check_dreams(folder: TrainingFolder, manifest: TrainingManifest, found: Verification) -> None:
    try:
        if read_pins(folder, manifest) is None:
            return
        judged = read_feedback(folder.feedback_file)
    except DamagedError as error:
        found.faults.append(Fault(error.what, error.reason))
        return
    found.checked.append("pinned dreams")
    if manifest.result is not None and manifest.result.feedback_sha256 != digest_of(judged):
        found.faults.append(Fault(folder.feedback_file.name, "holds other judgements than those of the run"))


def _check_checkpoint(folder: TrainingFolder, result: RunResult, found: Verification) -> None:
    if not result.checkpoint:
        return
    path = folder.checkpoints / result.checkpoint
    try:
        checkpoint = read(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (CheckpointRefusedError, OSError):
        if not path.exists():
            found.faults.append(Fault(f"checkpoints/{path.name}", MISSING))
        return  # one that is there and does not read is named already
    weights = hashlib.sha256(b"".join(part.astype("<f4").tobytes() for part in checkpoint.model.values())).hexdigest()
    if digest != result.checkpoint_sha256:
        found.faults.append(Fault(f"checkpoints/{path.name}", "is sound and another than that of the run"))
    elif weights != result.weights_sha256:
        found.faults.append(Fault(f"checkpoints/{path.name}", "holds other weights than those of the manifest"))
    else:
        found.checked.append("checkpoint of the result")


def _check_reports(folder: TrainingFolder, result: RunResult, found: Verification) -> None:
    before = len(found.faults)
    for name, expected in sorted(result.reports.items()):
        digest = _sha256(folder.reports / name)
        if digest != expected:
            found.faults.append(Fault(f"reports/{name}", ALTERED if digest else MISSING))
    path = folder.reports / MANIFEST
    try:
        content = path.read_bytes()
        manifest = ReportManifest.model_validate_json(content)
    except (OSError, ValidationError):
        found.faults.append(Fault(f"reports/{MANIFEST}", "cannot be read"))
        return
    if hashlib.sha256(content).hexdigest() != result.report_manifest_sha256:
        found.faults.append(Fault(f"reports/{MANIFEST}", ALTERED))
    if len(found.faults) == before:
        found.checked.append(f"{len(result.reports)} reports")
    _check_signature(folder, manifest, content, found)


def _check_signature(folder: TrainingFolder, manifest: ReportManifest, content: bytes, found: Verification) -> None:
    if not manifest.is_signed:
        found.notes.append(f"reports are not signed: {manifest.unsigned_reason}")
        return
    try:
        signature = ReportSignature.model_validate_json((folder.reports / SIGNATURE).read_bytes())
        is_sound = is_valid(signature, content)
    except (OSError, ValidationError):
        found.faults.append(Fault(f"reports/{SIGNATURE}", "is missing or no signature"))
        return
    except SigningError as error:
        found.notes.append(str(error))
        return
    if is_sound:
        found.checked.append(f"signature of key {signature.public_key[:16]}")
    else:
        found.faults.append(Fault(f"reports/{SIGNATURE}", f"does not sign {MANIFEST}"))


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
