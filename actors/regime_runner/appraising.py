"""What becomes of a candidate that was measured: its pack, its rank, what the search is told of it.

In: the desk of an evaluation, the evidence of a candidate. Out: packs and samples on disk, results in the state, goals
for the search. A candidate that was measured on further pairs, or once more by a fresh process, has its pack written
anew at the same place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from actors.regime_runner.bench import without_samples
from actors.regime_runner.desk import Desk
from actors.regime_runner.evidence import joined
from actors.regime_runner.genomes import quality_problems
from actors.regime_runner.pack_files import read_pack
from actors.regime_runner.packs import Candidate as Measured
from actors.regime_runner.packs import Confirmation
from actors.regime_runner.proposing import Proposing
from actors.regime_runner.publishing import Publisher, stored_pack
from actors.regime_runner.scoring import objectives
from actors.regime_runner.state import Candidate, Origin, Result
from bus.core import Outcome
from schemas.candidate_pack import CandidatePack
from schemas.evidence import Arm, RegimeEvidence

Evidences = tuple[RegimeEvidence, ...]


@dataclass
class Appraising:
    """Appraises the candidates of the present evaluation."""

    desk: Desk
    proposing: Proposing

    def appraise(self, candidate: Candidate, now_ns: int, outcome: Outcome) -> None:
        """Publish `candidate` as what it was measured for."""
        evidences = self.desk.bench.evidences(candidate.works)
        match candidate.purpose:
            case "measure":
                self._publish(candidate, evidences, now_ns, outcome)
            case "repeat":
                self._publish_repeat(candidate, evidences, now_ns, outcome)
            case "confirm":
                self._publish_confirmation(candidate, evidences, now_ns, outcome)

    def winners(self, *, has_to_be_better: bool) -> list[str]:
        """The best candidates, best first, as many as are confirmed."""
        held = [result for result in self.desk.evaluation.results if result.score is not None]
        if has_to_be_better:
            held = [result for result in held if result.is_better]
        held.sort(key=lambda result: (-(result.score or 0.0), result.cand_id))
        return [result.cand_id for result in held[: self.desk.house.settings.confirmed]]

    def best_random(self) -> float | None:
        """The best score of what chance proposed: the random arm, and the first generation of any sampler."""
        evaluation = self.desk.evaluation
        scores = [
            result.score
            for result in evaluation.results
            if result.score is not None and (result.origin == "random" or self._is_first_of_search(result))
        ]
        return max(scores, default=None)

    def publisher(self) -> Publisher:
        """Writes for the present evaluation."""
        return Publisher(self.desk)

    def _is_first_of_search(self, result: Result) -> bool:
        return result.origin == "search" and result.generation == self.desk.evaluation.first_generation

    def _publish(self, candidate: Candidate, evidences: Evidences, now_ns: int, outcome: Outcome) -> None:
        publisher, problems = self.publisher(), self._quality_problems(evidences)
        has_new_baseline = publisher.keep_baselines(evidences, now_ns, outcome)
        measured = Measured(candidate.generation, candidate.cand_id, candidate.genome, evidences, (), problems)
        pack = publisher.pack(measured, now_ns, outcome)
        publisher.samples(measured, "", outcome)
        result = Result(
            candidate.cand_id,
            candidate.generation,
            candidate.genome,
            candidate.origin,
            pack.artifacts.path,
            [without_samples(evidence) for evidence in evidences],
        )
        self.desk.evaluation.results.append(result)
        self.desk.evaluation.generation_packs.append(stored_pack(pack))
        self._rank(result, pack, evidences, candidate.origin)
        if has_new_baseline:
            self._score_earlier(result, now_ns, outcome)

    def _score_earlier(self, latest: Result, now_ns: int, outcome: Outcome) -> None:
        """Write the packs anew of candidates that were measured before there was a baseline to score them by."""
        evaluation, publisher = self.desk.evaluation, self.publisher()
        for result in (result for result in evaluation.results if result is not latest and result.score is None):
            every = joined(result.evidences, _flat(result.repeats))
            pack = publisher.pack(self._measured(result, every), now_ns, outcome)
            result.score, result.is_better = _standing(pack)
            evaluation.generation_packs = [
                stored_pack(pack) if read_pack(text.encode()).cand_id == result.cand_id else text
                for text in evaluation.generation_packs
            ]

    def _publish_repeat(self, candidate: Candidate, evidences: Evidences, now_ns: int, outcome: Outcome) -> None:
        publisher, result = self.publisher(), self.desk.result_of(candidate.cand_id)
        result.repeats.append([without_samples(evidence) for evidence in evidences])
        every = joined(result.evidences, _flat(result.repeats))
        pack = publisher.pack(self._measured(result, every), now_ns, outcome)
        self._keep_samples(result, evidences, f".repeat{len(result.repeats)}", outcome)
        self._rank(result, pack, every, candidate.origin)

    def _publish_confirmation(self, candidate: Candidate, evidences: Evidences, now_ns: int, outcome: Outcome) -> None:
        publisher, result = self.publisher(), self.desk.result_of(candidate.cand_id)
        session = f"{self.desk.house.run_id}/{self.desk.state.epoch}"
        confirmation = Confirmation(session, tuple(without_samples(evidence) for evidence in evidences))
        measured = self._measured(result, (*result.evidences, *evidences), confirmation)
        publisher.pack(measured, now_ns, outcome)
        self._keep_samples(result, evidences, ".confirmation", outcome)

    def _measured(
        self, result: Result, judged: Iterable[RegimeEvidence], again: Confirmation | None = None
    ) -> Measured:
        return Measured(
            result.generation,
            result.cand_id,
            result.genome,
            tuple(result.evidences),
            _flat(result.repeats),
            self._quality_problems(judged),
            again,
        )

    def _keep_samples(self, result: Result, evidences: Evidences, part: str, outcome: Outcome) -> None:
        measured = Measured(result.generation, result.cand_id, result.genome, evidences)
        self.publisher().samples(measured, part, outcome)

    def _rank(self, result: Result, pack: CandidatePack, evidences: Evidences, origin: Origin) -> None:
        """Note the score of a candidate, and tell the search of it if the search has asked for it."""
        status, problems = pack.artifacts.status, pack.artifacts.quality_problems
        result.score, result.is_better = _standing(pack)
        if origin == "search":
            goals = objectives(evidences) if status in ("scored", "unscored") else None
            self.proposing.tell(goals, violation=1.0 if status == "unsafe" or problems else 0.0)

    def _quality_problems(self, evidences: Iterable[RegimeEvidence]) -> tuple[str, ...]:
        """Where the candidate's figures of quality are worse than those of the default beside it."""
        bench = self.desk.bench
        settings = bench.config.domains[bench.order.domain]
        problems = []
        for evidence in evidences:
            mine, its = (_mean_quality(evidence, arm) for arm in ("candidate", "baseline"))
            problems += [f"{evidence.regime}: {text}" for text in quality_problems(settings, mine, its)]
        return tuple(dict.fromkeys(problems))


def _standing(pack: CandidatePack) -> tuple[float | None, bool | None]:
    """The score that a candidate competes with, and whether it improves over the baseline."""
    is_held = pack.artifacts.status == "scored" and not pack.artifacts.quality_problems
    return (pack.aggregate.score_v2 if is_held else None), pack.aggregate.improves_over_baseline


def _flat(repeats: Iterable[Iterable[RegimeEvidence]]) -> Evidences:
    return tuple(evidence for several in repeats for evidence in several)


def _mean_quality(evidence: RegimeEvidence, arm: Arm) -> dict[str, float]:
    """The mean of each figure of quality over the trials of `arm` that are done."""
    found: dict[str, list[float]] = {}
    for trial in evidence.trials:
        if trial.arm == arm and trial.pair >= 0 and trial.status == "done":
            for name, value in trial.quality.items():
                found.setdefault(name, []).append(value)
    return {name: fmean(values) for name, values in found.items()}
