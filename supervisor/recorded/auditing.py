"""The audit of a recorded run: was every input of every actor allowed by the topology, and really said to it?

In: a run. Out: an `AuditReport`: who heard what from whom and how often, what was refused, and every finding with the
step, segment and offset where it shows (`supervisor.recorded.judging` tells what is checked). A running run is audited
up to where its journals ended when reading began. A journal with a hole in its steps, or of which the end or all is
missing, is damaged. Refused: a run without journals, a run whose manifest does not say who had which role, an actor
that the run does not have.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bus.topology import CONTROL, TOPOLOGY
from schemas.base import Record
from schemas.manifest import Seat
from schemas.roles import Role
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.recorded.accounts import Place
from supervisor.recorded.judging import AuditFinding, AuditFindingKind, Count, Judgement, Law, judge
from supervisor.recorded.ledger import Ledger, read_ledger
from supervisor.recorded.lost_ends import find_unheld, note_lacks
from supervisor.recorded.recordings import ManifestFacts, closed_figures, is_live, open_recording, read_facts
from supervisor.recorded.refusal_lines import Claim, RefusalLines, Refused, read_refusals
from supervisor.runs import RunFolder, list_runs, resolve_run

EXIT_LAWFUL: Final = 0
EXIT_UNLAWFUL: Final = 1
EXIT_DAMAGED: Final = 3
GUARDED: Final[Role] = "dreamer"
"""The role that the law is about (design, section 3)."""
ENDLESS_NS: Final = 1 << 63

Verdict = Literal["lawful", "unlawful", "damaged"]


class AuditRow(Record):
    """What one actor heard of one kind from another."""

    sender: str
    message: str
    receiver: str
    count: int
    """Messages that the receiver took."""
    refused: int
    """Messages that it refused, on its socket or when it read them."""
    is_allowed: bool
    """Whether the topology has the row."""


class Attempt(Record):
    """Refusals that belong to no row of the topology; who the sender was is what it claimed."""

    sender: str
    message: str
    receiver: str
    refused: int
    reason: str
    """The last one."""


class Heard(Record):
    """Everything that one actor of the guarded role received."""

    actor: str
    received: int
    by_kind: tuple[AuditRow, ...]
    """Messages that were taken."""
    against_law: int
    """Those of them with a finding."""
    refused: int
    """Messages that it refused, whoever tried."""
    other_inputs: int
    """Timers, observations, and starts of its process."""
    is_whole: bool
    """Whether all of its journal is there and can be read."""
    is_ended: bool
    """Whether its journal has a closing frame, or there is none; that of a process that runs or was killed has not."""


class AuditReport(Record):
    """What the audit of a run showed."""

    run_id: str
    verdict: Verdict
    exit_code: int
    """0 lawful, 1 unlawful, 3 lawful as far as it can be read."""
    is_live: bool
    isolation: str | None
    """The box of the dreamer; `none` where it had none, null where the manifest does not say."""
    keys: str
    """`curve`, or `none` where no inbox had a lock."""
    actors: tuple[str, ...]
    """Whose inputs and outputs were judged."""
    rows: tuple[AuditRow, ...]
    attempts: tuple[Attempt, ...]
    findings: tuple[AuditFinding, ...]
    """The first ones; `findings_by_kind` counts all."""
    findings_by_kind: dict[AuditFindingKind, int]
    dreamers: tuple[Heard, ...]
    refusals_left_out: int
    """Refusals that a flood kept out of the refusals files."""
    bad_refusal_lines: int
    frames: int
    size_bytes: int
    took_s: float


class UnauditableError(UsageError):
    """A run of which nobody can tell who had which role."""

    def __init__(self, run_id: str, problem: str) -> None:
        self.run_id = run_id
        self.problem = problem
        super().__init__(f"run {run_id} cannot be audited: {problem}, so nobody knows who had which role in it")


@dataclass(frozen=True)
class AuditRequest:
    """What is to be audited."""

    home: Home
    run: str = "latest"
    actors: tuple[str, ...] = ()
    """Names of actors; empty for all."""


def audited_bytes(request: AuditRequest) -> int:
    """Bytes that the audit is going to read. Raises UsageError and NoJournalError."""
    return open_recording(resolve_run(request.home, request.run)).size_bytes()


def audit_run(request: AuditRequest, watch: Callable[[int], None] = lambda _size_bytes: None) -> AuditReport:
    """Audit a run; `watch` is called with the bytes read. Raises UsageError and NoJournalError."""
    began = time.perf_counter()
    run = resolve_run(request.home, request.run)
    recording, facts = open_recording(run), _facts(run)
    roles = facts.roles or {}
    recording.watch = watch
    is_running = is_live(run)
    law = Law(roles)
    names = _chosen(run, sorted({*roles, *recording.actors()}), request.actors)
    ledger = read_ledger(recording, law.allows)
    judgement = _judge_all(run, ledger, law, names)
    refusals = read_refusals(run.home.logs / "refusals", [name for name in names if name in roles], *_time_of(run))
    rows, attempts = _tabulate(judgement, refusals, law, names)
    verdict, code = _verdict(judgement)
    return AuditReport(
        run_id=run.run_id,
        verdict=verdict,
        exit_code=code,
        is_live=is_running,
        isolation=facts.isolation,
        keys=facts.keys or "none",
        actors=tuple(names),
        rows=rows,
        attempts=attempts,
        findings=tuple(judgement.findings),
        findings_by_kind=judgement.by_kind,
        dreamers=tuple(
            _heard(ledger, name, rows, attempts, judgement) for name in names if law.roles.get(name) == GUARDED
        ),
        refusals_left_out=refusals.left_out,
        bad_refusal_lines=refusals.bad_lines,
        frames=ledger.frames,
        size_bytes=ledger.size_bytes,
        took_s=round(time.perf_counter() - began, 3),
    )


def _facts(run: RunFolder) -> ManifestFacts:
    facts = read_facts(run)
    if facts.problem is not None or not facts.roles:
        raise UnauditableError(run.run_id, facts.problem or "its manifest names no seats")
    return facts


def _judge_all(run: RunFolder, ledger: Ledger, law: Law, names: Sequence[str]) -> Judgement:
    """The judgement on `names`, and on the ends of their journals."""
    note_lacks(run, ledger, [Seat(instance=name, role=law.roles[name]) for name in names if name in law.roles])
    judgement = Judgement()
    for name in (name for name in names if name in ledger.accounts):
        judge(ledger, law, name, judgement)
        lack = find_unheld(run, ledger, name)
        if lack is not None:
            judgement.add("damaged", name, Place(lack.segment, lack.offset, epoch=lack.epoch), lack.reason)
            ledger.accounts[name].is_cut = True
    return judgement


def _chosen(run: RunFolder, known: Sequence[str], wanted: Sequence[str]) -> list[str]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"run {run.run_id} has no actor {unknown[0]!r}; it has {', '.join(known)}")
    return [name for name in known if name in wanted or not wanted]


def _time_of(run: RunFolder) -> tuple[int, int]:
    """From the start of the run to its end, or to the start of the next one: a home has one supervisor at a time."""
    began = read_facts(run).started_at_ns or 0
    figures = closed_figures(run)
    if figures is not None:
        try:
            return began, round((datetime.fromisoformat(figures.at).timestamp() + 0.001) * 1e9)
        except ValueError:
            pass
    runs = [other.run_id for other in list_runs(run.home)]
    later = [read_facts(other).started_at_ns for other in list_runs(run.home)[runs.index(run.run_id) + 1 :]]
    return began, min((at_ns for at_ns in later if at_ns is not None), default=ENDLESS_NS)


def _tabulate(
    judgement: Judgement, refusals: RefusalLines, law: Law, names: Sequence[str]
) -> tuple[tuple[AuditRow, ...], tuple[Attempt, ...]]:
    """The rows of the topology for the instances of the run, then whatever else was taken; and what else was refused.

    The refusals file holds the refusals of steps as well, so the larger of both numbers is the true one.
    """
    rows, told = [], set()
    for claim, is_allowed in (*_lawful_claims(law, names), *((claim, False) for claim in sorted(judgement.counts))):
        count = judgement.counts.get(claim, Count())
        if claim in told or not (is_allowed or count.accepted):
            continue
        told.add(claim)
        refused = max(count.refused, refusals.claims.get(claim, Refused()).count)
        sender, kind, receiver = claim
        rows.append(
            AuditRow(
                sender=sender,
                message=kind,
                receiver=receiver,
                count=count.accepted,
                refused=refused,
                is_allowed=is_allowed,
            )
        )
    attempts = []
    for claim in sorted({*refusals.claims, *(claim for claim, count in judgement.counts.items() if count.refused)}):
        if claim not in told:
            file, count = refusals.claims.get(claim, Refused()), judgement.counts.get(claim, Count())
            sender, kind, receiver = claim
            number = max(file.count, count.refused)
            attempts.append(Attempt(sender=sender, message=kind, receiver=receiver, refused=number, reason=file.reason))
    return tuple(rows), tuple(attempts)


def _lawful_claims(law: Law, names: Sequence[str]) -> Iterator[tuple[Claim, bool]]:
    for row in TOPOLOGY:
        if row.message in CONTROL:
            continue
        for sender in sorted(law.roles):
            for receiver in sorted(names):
                if (law.roles[sender], law.roles.get(receiver)) == (row.sender, row.receiver):
                    yield (sender, row.message.kind, receiver), True


def _heard(
    ledger: Ledger, name: str, rows: Sequence[AuditRow], attempts: Sequence[Attempt], judgement: Judgement
) -> Heard:
    own = tuple(row for row in rows if row.receiver == name)
    refused = sum(row.refused for row in own) + sum(attempt.refused for attempt in attempts if attempt.receiver == name)
    account = ledger.accounts.get(name)
    return Heard(
        actor=name,
        received=sum(row.count for row in own),
        by_kind=tuple(row for row in own if row.count),
        against_law=sum(count.foreign for claim, count in judgement.counts.items() if claim[2] == name),
        refused=refused,
        other_inputs=account.others if account is not None else 0,
        is_whole=account is None or not (account.gaps or account.is_cut),
        is_ended=account is None or account.is_ended,
    )


def _verdict(judgement: Judgement) -> tuple[Verdict, int]:
    if any(kind != "damaged" for kind in judgement.by_kind):
        return "unlawful", EXIT_UNLAWFUL
    return ("damaged", EXIT_DAMAGED) if judgement.by_kind else ("lawful", EXIT_LAWFUL)
