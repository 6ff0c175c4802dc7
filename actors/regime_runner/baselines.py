"""Baselines v2: what the untouched default genome shows, for each domain and regime, with every earlier version.

In: the bytes of `artifacts/baselines.json`, the evidence of a run. Out: the baseline that fits a run, the file with a
new version. A baseline fits runs of the same profile, host, workload and origin of its sensors (those of the machine,
or injected); of the versions that fit the newest counts.
One is taken from the baseline arm of an evaluation, which is the default genome, when enough of its trials succeeded
and none was unsafe; `safe` null, where a capped sensor is absent, is taken and recorded. One that fits already stays,
unless a refresh is asked for: then it goes to `history`, and nothing is ever removed.
"""

import json
from dataclasses import dataclass, field
from statistics import fmean
from typing import Annotated, Any, Final, Self, get_args

from pydantic import Field, ValidationError

from actors.regime_runner.evidence import counted, series, validity
from actors.regime_runner.packing import PackContext
from actors.regime_runner.places import BASELINES
from actors.regime_runner.statistics import bootstrap_ci
from schemas.base import Count, Record
from schemas.candidate_pack import BaselineMeans, MetricIntervals
from schemas.errors import SchemaError
from schemas.evidence import METRICS, RegimeEvidence
from schemas.regimes import Domain, Genome, Metric, Profile, Regime

SCHEMA: Final = "baselines.v2"
DOMAINS: Final[tuple[Domain, ...]] = get_args(Domain)


class BaselinesDamagedError(SchemaError):
    """`baselines.json` is not what it should be."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"{BASELINES} cannot be read: {reason}; mend it, or move it away and evaluate with --refresh-baseline"
        )


class BaselineKpis(Record):
    """Mean of each metric; null where nothing was read."""

    perf: float | None
    p95_ms: float | None
    watts: float | None
    temp_peak_c: float | None
    errors: float | None
    oom: float | None


class Baseline(Record):
    """One version of one baseline."""

    baseline_id: str
    domain: Domain
    regime: Regime
    version: Annotated[int, Field(ge=1)]
    profile: Profile
    host: str
    workload_id: str
    genome: Genome
    n: Count
    """Trials that succeeded."""
    kpis: BaselineKpis
    ci95: MetricIntervals
    units: dict[Metric, str]
    safe: bool | None
    injected: bool
    """Temperatures and powers come from a tree of files that the user gave."""
    code_hash: str
    host_facts: dict[str, str]
    tools: dict[str, str]
    timestamp: str
    run_id: str
    evaluation_id: str

    def means(self) -> BaselineMeans:
        """As a pack holds it."""
        return BaselineMeans(**self.kpis.model_dump(), baseline_id=self.baseline_id)


@dataclass(frozen=True)
class Baselines:
    """All versions, newest last, by domain and regime."""

    versions: dict[tuple[Domain, Regime], tuple[Baseline, ...]] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The baselines in the file; none for an empty one. Raises BaselinesDamagedError."""
        if not content.strip():
            return cls()
        try:
            tree = json.loads(content)
            if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
                raise BaselinesDamagedError(f"its schema is not {SCHEMA}")
            found = [_read_entry(entry) for domain in tree if domain != "schema" for entry in tree[domain].values()]
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise BaselinesDamagedError(reason) from error
        return cls({(versions[-1].domain, versions[-1].regime): versions for versions in found})

    def to_bytes(self) -> bytes:
        """The file: the newest version of each at its place, the earlier ones in its `history`, newest first."""
        tree: dict[str, Any] = {"schema": SCHEMA}
        for domain in DOMAINS:
            entries = {
                regime: {
                    **versions[-1].model_dump(mode="json"),
                    "history": [version.model_dump(mode="json") for version in reversed(versions[:-1])],
                }
                for (of, regime), versions in self.versions.items()
                if of == domain
            }
            if entries:
                tree[domain] = entries
        return (json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def find(self, evidence: RegimeEvidence, context: PackContext) -> Baseline | None:
        """The newest version that fits the run."""
        return next((version for version in reversed(self._of(evidence)) if _fits(version, evidence, context)), None)

    def why_none(self, evidence: RegimeEvidence, context: PackContext) -> str:
        """Why `find` finds none."""
        known = self._of(evidence)
        if not known:
            return f"{evidence.regime}: no baseline yet"
        newest = known[-1]
        conditions = (
            ("profile", newest.profile, context.profile),
            ("host", newest.host, context.host),
            ("workload", newest.workload_id, evidence.workload_id),
            ("origin of its sensors", newest.injected, _is_injected(evidence)),
        )
        differing = ", ".join(f"another {name}" for name, its, ours in conditions if its != ours)
        return f"{evidence.regime}: baseline {newest.baseline_id} is of {differing or 'other conditions'}"

    def with_run(
        self, evidence: RegimeEvidence, context: PackContext, default_genome: Genome, is_refresh: bool
    ) -> tuple["Baselines", str | None]:
        """These baselines with what the baseline arm of `evidence` showed, and why nothing was taken if so."""
        if evidence.status == "unavailable":
            return self, f"{evidence.regime}: {evidence.reason}"
        if not is_refresh and self.find(evidence, context) is not None:
            return self, None
        reason = _refusal(evidence, context)
        if reason is not None:
            return self, f"{evidence.regime}: no baseline taken: {reason}"
        known = self._of(evidence)
        taken = _taken(evidence, context, default_genome, known)
        return Baselines({**self.versions, (evidence.domain, evidence.regime): (*known, taken)}), None

    def _of(self, evidence: RegimeEvidence) -> tuple[Baseline, ...]:
        return self.versions.get((evidence.domain, evidence.regime), ())


def _read_entry(entry: dict[str, Any]) -> tuple[Baseline, ...]:
    newest = {name: value for name, value in entry.items() if name != "history"}
    every = [*reversed(entry["history"]), newest]
    return tuple(Baseline.model_validate_json(json.dumps(version)) for version in every)


def _fits(baseline: Baseline, evidence: RegimeEvidence, context: PackContext) -> bool:
    mine = (baseline.profile, baseline.host, baseline.workload_id, baseline.injected)
    return mine == (context.profile, context.host, evidence.workload_id, _is_injected(evidence))


def _is_injected(evidence: RegimeEvidence) -> bool:
    return any(trial.injected for trial in evidence.trials)


def _refusal(evidence: RegimeEvidence, context: PackContext) -> str | None:
    unsafe = [trial for trial in evidence.trials if trial.arm == "baseline" and trial.safe is False]
    if unsafe:
        return f"trial {unsafe[0].trial_id} of the default genome was unsafe ({'; '.join(unsafe[0].breaches)})"
    return validity(evidence, context.limits, "baseline").reason


def _taken(evidence: RegimeEvidence, context: PackContext, genome: Genome, known: tuple[Baseline, ...]) -> Baseline:
    columns = {metric: series(evidence, "baseline", metric) for metric in METRICS}
    held = {metric: [value for value in column if value is not None] for metric, column in columns.items()}
    trials = [trial for trial in counted(evidence, "baseline") if trial is not None and trial.status == "done"]
    stamp = context.created_at_utc[:19].replace(":", "-")
    name = f"{evidence.domain}_{evidence.regime}_{stamp}"
    is_used = any(version.baseline_id == name for version in known)
    return Baseline(
        baseline_id=f"{name}_v{len(known) + 1}" if is_used else name,
        domain=evidence.domain,
        regime=evidence.regime,
        version=len(known) + 1,
        profile=context.profile,
        host=context.host,
        workload_id=evidence.workload_id,
        genome=genome,
        n=len(held["perf"]),
        kpis=BaselineKpis(**{metric: fmean(values) if values else None for metric, values in held.items()}),
        ci95=MetricIntervals(**{metric: bootstrap_ci(columns[metric], context.seed) for metric in METRICS}),
        units={name: reading.unit for trial in trials for name, reading in trial.readings.items() if reading.unit},
        safe=None if any(trial.safe is None for trial in trials) else True,
        injected=_is_injected(evidence),
        code_hash=context.code_hash,
        host_facts=context.host_facts,
        tools=context.tools,
        timestamp=context.created_at_utc,
        run_id=context.run_id,
        evaluation_id=context.evaluation_id,
    )
