"""What an evaluation leaves behind: packs, raw samples, baselines, telemetry lines, manifests, progress.

In: the evaluation, its bench, what was measured. Out: effects and PackWritten messages; the packs, for whoever goes on
to compare them. Every path is relative to home, every file is replaced whole but the evolution log, which grows by
lines. Baselines come from the default genome alone, and are taken before the pack of the same trials is built.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from actors.regime_runner.baselines import Baselines
from actors.regime_runner.desk import Desk
from actors.regime_runner.pack_files import pack_bytes, read_pack, samples_bytes
from actors.regime_runner.packing import PackContext, samples_path
from actors.regime_runner.packs import Candidate as Measured
from actors.regime_runner.packs import build_pack
from actors.regime_runner.places import BASELINES, evolution_path
from actors.regime_runner.state import Evaluation, Lost, Tail
from actors.regime_runner.telemetry import evolution_line, manifest_bytes, manifest_path
from bus.core import Note, Outcome, Send, WriteFile
from schemas.candidate_pack import CandidatePack
from schemas.evidence import REGIMES, RegimeEvidence
from schemas.regimes import PackWritten

REPORTS: Final = "artifacts/evaluations"
"""Folder of the reports, one for each order."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Publisher:
    """Writes down what becomes of the evaluation on a desk."""

    desk: Desk

    def context(self, now_ns: int) -> PackContext:
        """What all packs of the evaluation share."""
        evaluation, bench = self.desk.evaluation, self.desk.bench
        machine, order = bench.survey.machine, evaluation.order
        return PackContext(
            run_id=evaluation.run_name,
            evaluation_id=f"{self.desk.house.run_id}/{order.order_id}",
            domain=order.domain,
            profile=order.profile,
            host=machine.host,
            host_facts=machine.host_facts,
            code_hash=machine.code_hash,
            tools=machine.tools,
            virtualised=machine.virtualised,
            seed=self.desk.seed,
            created_at_utc=_iso(now_ns),
            trials=order.trials,
            limits=bench.caps.limits,
            tolerance=bench.caps.tolerance,
        )

    def manifest(self, now_ns: int, outcome: Outcome) -> None:
        """Write what the evaluation is made of."""
        evaluation, state = self.desk.evaluation, self.desk.state
        configs = {"regimes.yaml": state.regimes, "caps.yaml": state.caps}
        hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in configs.items()}
        seeds = {"search": self.desk.seed, "run": self.desk.house.seed}
        content = manifest_bytes(self.context(now_ns), [evaluation.order.domain], hashes, seeds)
        outcome.effects.append(WriteFile(manifest_path(evaluation.run_name), content))

    def keep_baselines(self, evidences: tuple[RegimeEvidence, ...], now_ns: int, outcome: Outcome) -> bool:
        """Take what the default genome showed, where none fits yet or new ones are asked for; whether any was."""
        state, evaluation = self.desk.state, self.desk.evaluation
        before = after = self._baselines()
        is_refresh = evaluation.order.refresh_baseline and not evaluation.results
        for evidence in evidences:
            after, refusal = after.with_run(evidence, self.context(now_ns), self.desk.bench.default, is_refresh)
            if refusal is not None and refusal not in evaluation.notes:
                evaluation.notes.append(refusal)
        if after != before:
            content = after.to_bytes()
            state.baselines = content.decode()
            outcome.effects.append(WriteFile(BASELINES, content))
        return after != before

    def pack(self, measured: Measured, now_ns: int, outcome: Outcome) -> CandidatePack:
        """Build, write and announce the pack of `measured`, with its raw samples beside it."""
        pack = build_pack(self.context(now_ns), measured, self._baselines())
        content = pack_bytes(pack)
        outcome.effects.append(WriteFile(pack.artifacts.path, content))
        score = pack.aggregate.score_v2
        outcome.sends.append(
            Send(
                PackWritten(
                    order_id=self.desk.evaluation.order.order_id,
                    domain=pack.domain,
                    cand_id=pack.cand_id,
                    generation=pack.generation,
                    path=pack.artifacts.path,
                    sha256=hashlib.sha256(content).hexdigest(),
                    is_valid=pack.artifacts.status not in ("invalid", "unavailable"),
                    safe=pack.safe,
                    score_v2=score if score is not None and math.isfinite(score) else None,
                )
            )
        )
        return pack

    def samples(self, measured: Measured, part: str, outcome: Outcome) -> None:
        """Write the raw samples of `measured`; `part` names those of repeats and confirmations."""
        path = samples_path(self.desk.evaluation.order.domain, measured.cand_id)
        path = path.removesuffix(".json") + part + ".json"
        outcome.effects.append(WriteFile(path, samples_bytes(measured)))

    def generation(self, number: int, random_best: float | None, now_ns: int, outcome: Outcome) -> None:
        """Append the line of a finished generation to the evolution log of the domain."""
        state, evaluation = self.desk.state, self.desk.evaluation
        order, domain = evaluation.order, evaluation.order.domain
        packs = [read_pack(text.encode()) for text in evaluation.generation_packs]
        at_random = [result.cand_id for result in evaluation.results if result.origin == "random"]
        context = self.context(now_ns)
        line = evolution_line(context, number, packs, REGIMES, order.trials, len(packs), random_best, at_random)
        tail = state.tails.get(domain) or Tail(0, -1)
        outcome.effects.append(WriteFile(evolution_path(domain), line, offset=tail.length))
        state.tails[domain] = Tail(tail.length + len(line), number)
        evaluation.generation_packs.clear()

    def _baselines(self) -> Baselines:
        return Baselines.from_bytes(self.desk.state.baselines.encode())


def stored_pack(pack: CandidatePack) -> str:
    """`pack` as it waits for the line of its generation: without the trials, which are in its file."""
    regimes = tuple(regime.model_copy(update={"trials": ()}) for regime in pack.artifacts.regimes)
    artifacts = pack.artifacts.model_copy(update={"regimes": regimes, "repeats": ()})
    return pack_bytes(pack.model_copy(update={"artifacts": artifacts})).decode()


def report(evaluation: Evaluation, standing: str, now_ns: int, outcome: Outcome) -> None:
    """Write how far an order has come, or how it ended: what whoever gave it looks at."""
    done, elapsed_s = evaluation.trials_done, (now_ns - evaluation.started_ns) * 1e-9
    left = max(0, evaluation.trials_planned - done)
    each_s = elapsed_s / done if done else evaluation.seconds_planned / max(1, evaluation.trials_planned)
    candidate = evaluation.candidate
    content = {
        "order_id": evaluation.order.order_id,
        "domain": evaluation.order.domain,
        "standing": standing,
        "run_id": evaluation.run_name,
        "trial": done,
        "trials": max(evaluation.trials_planned, done),
        "seconds_left": round(left * each_s, 1) if standing == "running" else 0.0,
        "elapsed_s": round(elapsed_s, 3),
        "candidate": None if candidate is None else candidate.cand_id,
        "phase": evaluation.phase,
        "packs": [result.path for result in evaluation.results],
        "refusals": evaluation.notes,
        "noisy": evaluation.noisy,
        "retried": evaluation.retried,
        "written_bytes": evaluation.written_bytes,
    }
    _write_report(content, outcome)


def report_lost(lost: Lost, outcome: Outcome) -> None:
    """Write that an order was given up which a process of another version had begun."""
    content = {
        "order_id": lost.order_id,
        "domain": lost.domain,
        "standing": "refused",
        "run_id": "",
        "trial": 0,
        "trials": 0,
        "seconds_left": 0.0,
        "elapsed_s": 0.0,
        "candidate": None,
        "phase": "surveying",
        "packs": [],
        "refusals": [f"{lost.reason}; give the order again"],
        "noisy": 0,
        "retried": 0,
        "written_bytes": 0,
    }
    outcome.notes.append(Note("warning", f"order {lost.order_id} is given up: {lost.reason}"))
    _write_report(content, outcome)


def _write_report(content: Mapping[str, object], outcome: Outcome) -> None:
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    outcome.effects.append(WriteFile(f"{REPORTS}/{content['order_id']}.json", text.encode()))


def _iso(now_ns: int) -> str:
    """The moment in UTC, ISO 8601, to the second."""
    return (EPOCH + timedelta(seconds=now_ns // 1_000_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
