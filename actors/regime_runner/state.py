"""The whole state of the regime-runner, and its bytes.

In: a state. Out: JSON that names it exactly, and the state back. Raw samples are part of it for the candidate that is
being measured alone; those of finished ones lie beside their packs. Refused: bytes of another form.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from actors.regime_runner.search import Proposal
from actors.regime_runner.survey import Survey
from schemas.errors import OneirosError
from schemas.evidence import Arm, RegimeEvidence, TrialFacts
from schemas.regimes import Breach, EvaluateDomain, Genome, Metric, Regime, TrialId, TrialOrder, TrialResult

Origin = Literal["search", "random", "given"]
"""Who proposed a candidate."""
Purpose = Literal["measure", "repeat", "confirm"]
"""A new candidate, more pairs for a genome that was measured before, or the winner on fresh pairs."""
EvaluationPhase = Literal["surveying", "searching", "renewing", "confirming"]
AttemptPhase = Literal["preparing", "arming", "cooling", "running", "settling"]


RUN_FIELDS: Final = ("epoch", "trials", "evaluations", "regimes", "caps", "baselines", "tails")
"""Fields of the state that belong to no order."""


class SnapshotRefusedError(OneirosError):
    """A snapshot is not one of a regime-runner of this version."""


@dataclass
class Slot:
    """A trial that is to be run."""

    arm: Arm
    pair: int
    """-1 for a warm-up."""
    retry_of: TrialId | None = None
    attempt: int = 0


@dataclass
class Work:
    """One regime of a candidate: what is to be run, and what was."""

    regime: Regime
    planned: int
    gain_metric: Literal["perf", "p95_ms"]
    workload_id: str
    queue: list[Slot] = field(default_factory=list)
    trials: list[TrialFacts] = field(default_factory=list)
    noise_repeats: int = 0
    """Repeats that are left."""
    unavailable: str | None = None
    packages: tuple[str, ...] = ()
    ended: str | None = None
    """Why trials that were planned are not run."""


@dataclass
class Candidate:
    """The genome that is being measured."""

    cand_id: str
    generation: int
    genome: Genome
    origin: Origin
    purpose: Purpose
    works: list[Work]


@dataclass
class Result:
    """A genome that was measured."""

    cand_id: str
    generation: int
    genome: Genome
    origin: Origin
    path: str
    evidences: list[RegimeEvidence]
    """Without raw samples."""
    repeats: list[list[RegimeEvidence]] = field(default_factory=list)
    goals: dict[Metric, float] | None = None
    score: float | None = None
    """None for what cannot win: unsafe, invalid, unscored, or of worse quality than is allowed."""
    is_better: bool | None = None
    """Whether its pack says that it improves over the baseline."""


@dataclass
class Attempt:
    """The trial that is being run."""

    trial_id: TrialId
    slot: Slot
    order: TrialOrder
    settings: Genome
    """Settings of the machine that the candidate asks for."""
    phase: AttemptPhase = "preparing"
    guard_pid: int = 0
    guard_started_ticks: int = 0
    cooled_s: float = 0.0
    result: TrialResult | None = None
    breach: Breach | None = None
    unheld: list[str] = field(default_factory=list)


@dataclass
class Evaluation:
    """An order that is being carried out."""

    order: EvaluateDomain
    number: int
    started_ns: int
    phase: EvaluationPhase = "surveying"
    survey: Survey | None = None
    run_name: str = ""
    first_generation: int = 0
    generation: int = 0
    """Of this evaluation, from 0."""
    index: int = 0
    """Candidates of the present generation that were begun."""
    candidate: Candidate | None = None
    log: list[Proposal] = field(default_factory=list)
    randoms: int = 0
    """Random candidates that were drawn."""
    results: list[Result] = field(default_factory=list)
    generation_packs: list[str] = field(default_factory=list)
    """Packs of the present generation, as text."""
    to_confirm: list[str] = field(default_factory=list)
    standing_still: str | None = None
    """Why nothing more is measured."""
    is_cancelled: bool = False
    """The user wants no more of it; the trial that runs is ended first."""
    trials_planned: int = 0
    seconds_planned: float = 0.0
    trials_done: int = 0
    noisy: int = 0
    retried: int = 0
    written_bytes: int = 0
    first_temp_c: float | None = None
    unarmed: int = 0
    """Trials in a row that no watchdog armed."""
    notes: list[str] = field(default_factory=list)


@dataclass
class Tail:
    """Where the evolution log of a domain ends."""

    length: int
    last_generation: int


@dataclass
class Lost:
    """An order that was begun by another version of this program, and cannot be gone on with."""

    order_id: str
    domain: str
    reason: str


@checked_dataclass(config=ConfigDict(strict=True, extra="forbid"))
class State:
    """All that the regime-runner knows."""

    epoch: int = 0
    trials: int = 0
    """Trials that were begun, in all evaluations of the run."""
    evaluations: int = 0
    regimes: str = ""
    """Text of `regimes.yaml`."""
    caps: str = ""
    baselines: str = ""
    """Text of `artifacts/baselines.json`."""
    tails: dict[str, Tail] = field(default_factory=dict)
    pending: list[EvaluateDomain] = field(default_factory=list)
    evaluation: Evaluation | None = None
    attempt: Attempt | None = None
    lost: Lost | None = None


@cache
def _adapter() -> TypeAdapter[State]:
    return TypeAdapter(State)


def to_bytes(state: State) -> bytes:
    """`state` as JSON."""
    return _adapter().dump_json(state)


def from_bytes(data: bytes) -> State:
    """The state in `data`; without the order in it where that has another form. Raises SnapshotRefusedError."""
    try:
        return _adapter().validate_json(data)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        reason = f"the snapshot is of another version: {'.'.join(map(str, found['loc']))}: {found['msg']}"
        try:
            return _without_orders(json.loads(data), reason)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise SnapshotRefusedError(reason) from error


def _without_orders(told: dict[str, Any], reason: str) -> State:
    """What a state of another version knows of the run; the order that it was at is lost, which is said."""
    kept = {name: told[name] for name in RUN_FIELDS}
    state = _adapter().validate_json(json.dumps(kept))
    if told["evaluation"] is not None:
        order = told["evaluation"]["order"]
        state.lost = Lost(str(order["order_id"]), str(order["domain"]), reason)
    return state
