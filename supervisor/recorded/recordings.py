"""The recorded runs of a home: which there are, in which state, how much they hold.

In: a home. Out: one line for each run, and the facts of its manifest, read without insisting on today's form: a
recording outlives the settings that it was made with. Nothing is changed. Refused: a run whose journals are gone.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from bus.recording import Recording
from bus.tally import Tally, count
from schemas.base import Record
from supervisor.errors import SupervisorError
from supervisor.guest_roles import read_roles
from supervisor.home import Home
from supervisor.lock import is_held
from supervisor.log_lines import utc_text
from supervisor.runs import RunFigures, RunFolder, list_runs

RunState = Literal["running", "closed", "interrupted"]
PIN_NAME: Final = "pinned"
PRUNED_NAME: Final = "pruned.json"


class ManifestFacts(Record):
    """What a manifest says about the run; None for what it does not say."""

    problem: str | None = None
    """Why the manifest cannot be read."""
    started_at_ns: int | None = None
    seed: int | None = None
    config_sha256: str | None = None
    fsync: str | None = None
    isolation: str | None = None
    keys: str | None = None
    fingerprint: dict[str, str] | None = None
    roles: dict[str, str] | None = None
    """Instance to role."""


class PrunedRun(Record):
    """`pruned.json`: what is left of a recording that was deleted."""

    run_id: str
    at: str
    """UTC, ISO 8601."""
    reason: str
    actors: tuple[str, ...]
    steps: int
    messages: int
    size_bytes: int
    journal_sha256: str
    """SHA-256 over the name and the content of every segment."""
    manifest_sha256: str


class RecordedRun(Record):
    """One run of the list."""

    run_id: str
    state: RunState
    reason: str | None
    """Why it was closed."""
    is_pinned: bool
    is_pruned: bool
    """Whether its journals were deleted; the counts are those from before."""
    started_at: str | None
    duration_s: float | None
    """From the start to the last frame."""
    actors: tuple[str, ...]
    steps: int
    messages: int
    size_bytes: int
    problem: str | None
    """Why the counts are not all there is."""

    @property
    def state_text(self) -> str:
        """The state with the reason."""
        return f"{self.state}: {self.reason}" if self.reason else self.state


class RecordedRuns(Record):
    """The recorded runs of a home, oldest first."""

    home: str
    runs: tuple[RecordedRun, ...]


class NoJournalError(SupervisorError):
    """A run of which nothing is recorded, or nothing any more."""

    def __init__(self, run: RunFolder) -> None:
        self.run_id = run.run_id
        pruned = read_pruned(run)
        why = f"its journals were pruned at {pruned.at} ({pruned.reason})" if pruned else "it has no journals"
        super().__init__(f"run {run.run_id} cannot be read: {why}; `supervisor record list` shows what there is")


def list_recordings(home: Home) -> RecordedRuns:
    """Every recorded run of `home`, oldest first."""
    runs = [run for run in list_runs(home) if run.manifest_file.exists() or run.journal.is_dir()]
    return RecordedRuns(home=str(home.root), runs=tuple(describe_run(run) for run in runs))


def open_recording(run: RunFolder) -> Recording:
    """The journals of `run`; raises NoJournalError when there are none."""
    recording = Recording(run.journal)
    if not recording.actors():
        raise NoJournalError(run)
    return recording


def is_live(run: RunFolder) -> bool:
    """Whether a supervisor is writing `run`: the newest open run of a home that somebody holds."""
    if not run.is_open or not is_held(run.home):
        return False
    return run.run_id == [other.run_id for other in list_runs(run.home) if other.is_open][-1]


def is_pinned(run: RunFolder) -> bool:
    """Whether the run is never pruned."""
    return (run.path / PIN_NAME).exists()


def state_of(run: RunFolder) -> RunState:
    """Whether the run is being written, was brought to its end, or was interrupted."""
    if run.closed_file.exists():
        return "closed"
    return "running" if is_live(run) else "interrupted"


def closed_figures(run: RunFolder) -> RunFigures | None:
    """The final figures of a closed run; None when there are none that can be read."""
    try:
        return RunFigures.model_validate_json(run.closed_file.read_bytes())
    except (OSError, ValidationError):
        return None


def read_pruned(run: RunFolder) -> PrunedRun | None:
    """The note on a deleted recording; None when it was not deleted."""
    try:
        note = PrunedRun.model_validate_json((run.path / PRUNED_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
    return None if run.journal.exists() else note


def read_facts(run: RunFolder) -> ManifestFacts:
    """The facts in the manifest of `run`, as far as they are there."""
    try:
        found = json.loads(run.manifest_file.read_bytes())
    except OSError as error:
        return ManifestFacts(problem=f"manifest.json: {error.strerror}")
    except ValueError:
        return ManifestFacts(problem="manifest.json is no JSON")
    if not isinstance(found, dict):
        return ManifestFacts(problem="manifest.json is no JSON object")
    journal = _table(_table(found.get("settings")).get("journal"))
    seats = found.get("seats")
    rows = [_table(seat) for seat in seats] if isinstance(seats, list) else []
    return ManifestFacts(
        started_at_ns=_whole(found.get("started_at_ns")),
        seed=_whole(found.get("seed")),
        config_sha256=_text(found.get("config_sha256")),
        fsync=_text(journal.get("fsync")),
        isolation=_text(found.get("isolation")),
        keys=_text(found.get("keys")),
        fingerprint={name: _joined(value) for name, value in _table(found.get("fingerprint")).items()},
        roles={**read_roles(run), **{str(row.get("instance")): str(row.get("role")) for row in rows}},
    )


def describe_run(run: RunFolder) -> RecordedRun:
    """One line about `run`."""
    facts, pruned, figures = read_facts(run), read_pruned(run), closed_figures(run)
    try:
        tallies = _tallies(run.journal) if pruned is None else {}
        problem = facts.problem
    except OSError as error:
        tallies, problem = {}, f"{error.filename}: {error.strerror}"
    ends_ns = [tally.last_ns for tally in tallies.values() if tally.last_ns is not None]
    started_ns = facts.started_at_ns
    duration_s = (max(ends_ns) - started_ns) / 1e9 if ends_ns and started_ns is not None else None
    if duration_s is None and figures is not None:
        duration_s = figures.uptime_s
    return RecordedRun(
        run_id=run.run_id,
        state=state_of(run),
        reason=figures.reason if figures is not None else None,
        is_pinned=is_pinned(run),
        is_pruned=pruned is not None,
        started_at=utc_text(started_ns / 1e9) if started_ns is not None else None,
        duration_s=round(max(0.0, duration_s), 3) if duration_s is not None else None,
        actors=tuple(tallies) if pruned is None else pruned.actors,
        steps=sum(tally.steps for tally in tallies.values()) if pruned is None else pruned.steps,
        messages=sum(tally.messages for tally in tallies.values()) if pruned is None else pruned.messages,
        size_bytes=sum(tally.size_bytes for tally in tallies.values()),
        problem=problem,
    )


def _tallies(folder: Path) -> dict[str, Tally]:
    recording = Recording(folder)
    return {actor: count(recording, actor) for actor in recording.actors()}


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _joined(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
