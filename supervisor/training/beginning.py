"""The facts and the envelope of a run, as its manifest begins with them.

In: an execution before its first step, a folder, the time. Out: what the manifest's hash covers, and beside it what it
does not: when, where and by whom the run is carried out. It decides nothing.
"""

import hashlib
import json
import os
import socket
from datetime import UTC, datetime

from actors.learner.trainer.configuration.hashing import canonical_bytes
from actors.learner.trainer.dreaming.pins import Pins
from schemas.ids import derived_id
from supervisor.training.execution import Execution
from supervisor.training.preparing import Prepared, code_sha256, named_seeds, versions
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import Envelope, RunFacts, Session, TrainingManifest, sealed


def facts_of(execution: Execution, pins: Pins | None) -> RunFacts:
    """What is settled before the first step."""
    prepared, trainer = execution.prepared, execution.trainer
    content = canonical_bytes(prepared.config)
    return RunFacts(
        config=json.loads(content),
        config_sha256=hashlib.sha256(content).hexdigest(),
        config_hash=trainer.config_hash,
        dataset_digest=prepared.dataset.digest,
        splits_digest=prepared.splits.digest,
        batches_per_epoch=trainer.feed.batches,
        plugins=dict(prepared.loaded.plugin_digests),
        tokenizer=prepared.tokenizer,
        token_log_sha256=None if prepared.token_log is None else prepared.token_log.sha256,
        machine=trainer.fingerprint,
        versions=versions(),
        code_sha256=code_sha256(),
        seeds=named_seeds(prepared.config),
        pins_sha256=None if pins is None else pins.digest,
    )


def new_envelope(folder: TrainingFolder, prepared: Prepared, whole: str, now: datetime) -> Envelope:
    """That of a run which begins `now`."""
    loaded = prepared.loaded
    return Envelope(
        run_id=folder.run_id,
        run_uuid=derived_id("training", folder.run_id, whole, utc(now), os.getpid()),
        logical_date=now.date().isoformat(),
        base=str(loaded.base),
        config_path=str(loaded.path),
        config_file_sha256=loaded.sha256,
        splits_cache=prepared.splits_cache or "",
        sessions=(_session(0, now),),
        notes=(),
        removal=None,
    )


def another_session(stored: TrainingManifest, step: int, now: datetime) -> TrainingManifest:
    """The manifest of a run that goes on from `step`; its result is open again."""
    sessions = (*stored.envelope.sessions, _session(step, now))
    return sealed(stored.run, None, stored.envelope.model_copy(update={"sessions": sessions}))


def _session(step: int, now: datetime) -> Session:
    return Session(
        started_at=utc(now), ended_at="", from_step=step, to_step=step, host=socket.gethostname(), pid=os.getpid()
    )


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
