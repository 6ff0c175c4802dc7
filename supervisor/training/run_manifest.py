"""The manifest of a training run: what it is and what came of it, under one hash; everything else is the envelope.

In: facts, a result, an envelope. Out: `manifest.json`, replaced whole. The hash covers facts and result: no clock,
path, host or run id is in them, so two runs of the same configuration on the same machine have the same hash. The
envelope has a checksum of its own, which only shows accidents. Refused: a manifest whose hash does not fit, whose
configuration is not what its own hash says, that is not in canonical form, or of another make.
"""

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import Field, JsonValue, ValidationError

from actors.learner.trainer.configuration.hashing import LABEL
from actors.learner.trainer.reports.documents import Sha256, Status, canonical
from bus.files import write_atomically
from schemas.base import Count, Record
from supervisor.errors import SupervisorError
from supervisor.training.run_folder import TrainingFolder

EXIT_DAMAGED: Final = 3


class DamagedError(SupervisorError):
    """What is stored of a run is not what it was."""

    exit_code = EXIT_DAMAGED

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: {reason}")


class RunFacts(Record):
    """What was settled before the first step."""

    config: dict[str, JsonValue]
    """The resolved configuration."""
    config_sha256: Sha256
    """Of its canonical form."""
    config_hash: Sha256
    """Of configuration and splits."""
    dataset_digest: Sha256
    splits_digest: Sha256
    batches_per_epoch: Count
    plugins: dict[str, Sha256]
    """Plug-in to the SHA-256 of its source."""
    tokenizer: dict[str, str | int]
    """What it says of itself; empty without one."""
    token_log_sha256: Sha256 | None
    machine: dict[str, str]
    """What decides the bits of the back end."""
    versions: dict[str, str]
    """Library to version."""
    code_sha256: str
    """Over the program, 16 hex digits."""
    seeds: dict[str, str]
    """Named stream to the key of its first generator."""
    pins_sha256: Sha256 | None
    """Of the pinned dreams."""


class RunResult(Record):
    """What came of it."""

    status: Status
    reason: str
    detail: str
    steps: Count
    log_digest: Sha256
    log_rows: Count
    weights_sha256: Sha256
    feedback_sha256: Sha256 | None
    checkpoint: str
    """File of the last checkpoint; empty without one."""
    checkpoint_sha256: Sha256 | None
    reports: dict[str, Sha256]
    """File to SHA-256."""
    report_manifest_sha256: Sha256
    """Of the manifest of the reports, which names them."""


class Session(Record):
    """One process that worked on the run."""

    started_at: str
    ended_at: str
    """Empty while it works, and where it was killed."""
    from_step: Count
    to_step: Count
    host: str
    pid: Count


class Removal(Record):
    """What the retention took."""

    date: str
    reason: str
    files: dict[str, Sha256]
    """File to the SHA-256 that it had."""


class Envelope(Record):
    """What is not hashed: when, where, by whom."""

    run_id: str
    run_uuid: str
    logical_date: str
    """Day on which the run began, ISO 8601, UTC; its age counts from here."""
    base: str
    """Folder from which relative paths of the configuration begin."""
    config_path: str
    config_file_sha256: Sha256
    splits_cache: str
    sessions: tuple[Session, ...]
    notes: tuple[str, ...]
    """What happened on the way."""
    removal: Removal | None


class TrainingManifest(Record):
    """manifest.json"""

    schema_id: Literal["oneiros.training_manifest/1"] = "oneiros.training_manifest/1"
    run: RunFacts
    result: RunResult | None
    """Null until a session ends."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Over the canonical form of `run` and `result`."""
    envelope: Envelope
    envelope_sha256: Sha256
    """Over the canonical form of `envelope`."""

    @property
    def is_envelope_whole(self) -> bool:
        """Whether the envelope is what was written."""
        return self.envelope_sha256 == _envelope_hash(self.envelope)

    @property
    def seed(self) -> int:
        """Master seed."""
        meta = self.run.config["meta"]
        seed = meta.get("seed") if isinstance(meta, dict) else None
        return seed if isinstance(seed, int) else 0


def sealed(run: RunFacts, result: RunResult | None, envelope: Envelope) -> TrainingManifest:
    """The manifest of these, with its hash."""
    return TrainingManifest(
        run=run,
        result=result,
        sha256=_hash(run, result),
        envelope=envelope,
        envelope_sha256=_envelope_hash(envelope),
    )


def write_manifest(folder: TrainingFolder, manifest: TrainingManifest) -> None:
    """Replace the manifest; raises OSError."""
    write_atomically(folder.manifest_file, canonical(manifest))


def read_manifest(folder: TrainingFolder) -> TrainingManifest:
    """The manifest, checked against its own hashes; raises DamagedError."""
    name = f"{folder.run_id}/{folder.manifest_file.name}"
    try:
        content = folder.manifest_file.read_bytes()
        manifest = TrainingManifest.model_validate_json(content)
    except OSError as error:
        raise DamagedError(name, f"cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DamagedError(name, f"is no manifest of this version ({place}: {first['msg']})") from error
    if _hash(manifest.run, manifest.result) != manifest.sha256:
        raise DamagedError(name, "was altered: its hash does not fit what it says; nothing is run from it")
    if canonical(manifest) != content:
        raise DamagedError(name, "was altered: it is not in canonical form; nothing is run from it")
    canonical_config = config_bytes(manifest.run)
    if hashlib.sha256(canonical_config).hexdigest() != manifest.run.config_sha256:
        raise DamagedError(name, "its configuration was altered; nothing is run from it")
    whole = hashlib.sha256(LABEL + canonical_config + b"\n" + manifest.run.splits_digest.encode("ascii")).hexdigest()
    if whole != manifest.run.config_hash:
        raise DamagedError(name, "configuration and splits are not those of its config hash; nothing is run from it")
    return manifest


def config_bytes(run: RunFacts) -> bytes:
    """The canonical form of the stored configuration."""
    tree: Any = run.config
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _envelope_hash(envelope: Envelope) -> str:
    return hashlib.sha256(canonical(envelope)).hexdigest()


def _hash(run: RunFacts, result: RunResult | None) -> str:
    tree = [run.model_dump(mode="json"), None if result is None else result.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()
