"""The figures of every epoch, as they were reported and as the interface logs give them anew (seed 000, section 10).

In: kpi.jsonl for what was reported; retrieval.jsonl, feedback.jsonl and persist.jsonl for what happened; the manifest
of each run for its hue bins. Out: the epochs in the order of the log, each with its reported figures, the recomputed
ones where that is asked for, and the names of those that differ. What a learner retrieved and judged since its last
report belongs to the epoch that it reports; both are counted by the pool-keeper, whatever the learner says of itself.

An epoch that the logs do not suffice for is named with the reason and never guessed at.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from actors.pool_keeper.kpi import Measure, RetrievedDream, compute_kpis
from schemas.base import Record
from schemas.colour import Rgb
from schemas.feedback import Kpis
from schemas.ids import RunId
from supervisor.home import Home
from supervisor.log_lines import utc_text
from supervisor.pool.interface_lines import LogFault, Watch, log_bytes, read_lines, unwatched
from supervisor.runs import RunFolder

LOGS: Final = ("kpi", "retrieval", "feedback", "persist")
STORED: Final = frozenset(("stored", "imported"))

Speaker = tuple[str, str]
"""Run id and learner."""
Place = tuple[int, int]
"""Process start and number of a message of one learner in one run."""


class EpochFigures(Record):
    """One epoch of one learner."""

    run_id: str
    learner: str
    epoch: int
    reported_at: str
    """UTC, ISO 8601."""
    retrieved: int | None
    """Dreams retrieved in the epoch, from the logs."""
    feedback: int | None
    """Feedback stored in the epoch, from the logs."""
    reported: Kpis
    recomputed: Kpis | None
    differences: tuple[str, ...]
    """Figures that came out otherwise."""
    reason: str | None
    """Why it was not, or not wholly, recomputed."""


class KpiReport(Record):
    """What `supervisor kpi` shows."""

    is_recomputed: bool
    epochs: tuple[EpochFigures, ...]
    faults: tuple[str, ...]
    """Lines of the logs that cannot be read."""

    @property
    def has_finding(self) -> bool:
        """Whether a figure differs from what the logs give, or a log is damaged."""
        return bool(self.faults) or any(epoch.differences for epoch in self.epochs)

    def only(self, learner: str | None, run_id: str | None, last: int | None) -> "KpiReport":
        """The epochs of one learner, of one run, the last ones; None leaves a filter out."""
        found = (epoch for epoch in self.epochs if learner in (None, epoch.learner) and run_id in (None, epoch.run_id))
        return self.model_copy(update={"epochs": tuple(found)[-(last or 0) :]})


class _Answer(NamedTuple):
    as_of_ns: int
    entry_ids: tuple[str, ...]


class _Dream(NamedTuple):
    colour: Rgb
    timestamp_ns: int


class _Report(NamedTuple):
    place: Place
    figures: EpochFigures
    measure: Measure
    """With 0 hue bins, which are the run's."""


class _Heard:
    """What one learner did in one run, by the place of its messages."""

    def __init__(self) -> None:
        self.reports: list[_Report] = []
        self.answers: list[list[_Answer]] = []
        self.utilities: list[list[float]] = []

    def epoch_of(self, place: Place) -> int | None:
        """Index of the report that covers a message at `place`; None after the last report."""
        index = bisect_left(self.reports, place, key=lambda report: report.place)
        return index if index < len(self.reports) else None


class _Reading:
    """The logs of one home while they are read."""

    def __init__(self, home: Home, watch: Watch) -> None:
        self.faults: list[str] = []
        self.heard: dict[Speaker, _Heard] = {}
        self.order: list[tuple[Speaker, int]] = []
        self._home = home
        self._watch = watch

    def take(self, log: str, take: Callable[[dict[str, Any]], None]) -> None:
        """Have `take` take every line of `log`; one that it cannot is kept as a fault."""
        for line in read_lines(self._home.interface_logs, log, self._watch):
            if isinstance(line, LogFault):
                self.faults.append(str(line))
                continue
            try:
                take(line.record)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                self.faults.append(str(LogFault(log, line.line, f"a field is missing or wrong ({error!r})"[:200])))

    def take_report(self, line: dict[str, Any]) -> None:
        """A line of kpi.jsonl."""
        speaker = (str(line.get("run_id", "")), str(line["learner"]))
        report = _Report((line["sender_epoch"], line["seq"]), _as_reported(speaker, line), _measure(line))
        heard = self.heard.setdefault(speaker, _Heard())
        self.order.append((speaker, len(heard.reports)))
        heard.reports.append(report)
        heard.answers.append([])
        heard.utilities.append([])

    def take_retrieval(self, line: dict[str, Any]) -> None:
        """A line of retrieval.jsonl."""
        found = self._epoch(line) if line["event"] == "answered" else None
        if found is not None:
            heard, index = found
            heard.answers[index].append(_Answer(line["query"]["as_of_ns"], tuple(line["entry_ids"])))

    def take_feedback(self, line: dict[str, Any]) -> None:
        """A line of feedback.jsonl."""
        found = self._epoch(line) if line["event"] == "stored" else None
        if found is not None:
            heard, index = found
            heard.utilities[index].append(float(line["utility"]))

    def read_dreams(self) -> dict[str, _Dream]:
        """Colour and time of every dream that an answer of these epochs names."""
        everyone = self.heard.values()
        wanted = {i for heard in everyone for answers in heard.answers for answer in answers for i in answer.entry_ids}
        dreams: dict[str, _Dream] = {}

        def take_dream(line: dict[str, Any]) -> None:
            if line["event"] in STORED and line["id"] in wanted:
                red, green, blue = line["chroma_signature"]
                dreams[line["id"]] = _Dream((red, green, blue), line["timestamp_ns"])

        self.take("persist", take_dream)
        return dreams

    def _epoch(self, line: dict[str, Any]) -> tuple[_Heard, int] | None:
        heard = self.heard.get((str(line.get("run_id", "")), str(line["learner"])))
        index = None if heard is None else heard.epoch_of((line["epoch"], line["seq"]))
        return None if heard is None or index is None else (heard, index)


def logs_bytes(home: Home, *, is_recomputing: bool) -> int:
    """How much `read_epochs` reads."""
    return log_bytes(home.interface_logs, *(LOGS if is_recomputing else LOGS[:1]))


def read_epochs(home: Home, *, is_recomputing: bool, watch: Watch = unwatched) -> KpiReport:
    """Every epoch that was ever reported under `home`. Raises OSError."""
    reading = _Reading(home, watch)
    reading.take("kpi", reading.take_report)
    if is_recomputing:
        reading.take("retrieval", reading.take_retrieval)
        reading.take("feedback", reading.take_feedback)
        judge = _judging(reading, home)
    else:
        judge = _as_it_is
    epochs = tuple(judge(reading.heard[speaker], at) for speaker, at in reading.order)
    return KpiReport(is_recomputed=is_recomputing, epochs=epochs, faults=tuple(reading.faults))


def _as_it_is(heard: _Heard, at: int) -> EpochFigures:
    return heard.reports[at].figures


def _judging(reading: _Reading, home: Home) -> Callable[[_Heard, int], EpochFigures]:
    """Recomputes the figures of one epoch of `reading`."""
    dreams = reading.read_dreams()
    bins = {run_id: _chroma_bins(home, run_id) for run_id, _ in reading.heard}

    def judge(heard: _Heard, at: int) -> EpochFigures:
        _, shown, measure = heard.reports[at]
        chroma_bins = bins[shown.run_id]
        if chroma_bins is None:
            reason = "the manifest of its run cannot be read" if shown.run_id else "an older version wrote it"
            return shown.model_copy(update={"reason": reason})
        ids = [(dream_id, answer.as_of_ns) for answer in heard.answers[at] for dream_id in answer.entry_ids]
        counts = {"retrieved": len(ids), "feedback": len(heard.utilities[at])}
        missing = [dream_id for dream_id, _ in ids if dream_id not in dreams]
        if missing:
            reason = f"persist.jsonl does not tell of {len(missing)} retrieved dreams, first {missing[0]}"
            return shown.model_copy(update={**counts, "reason": reason})
        found = ((dreams[dream_id], as_of_ns) for dream_id, as_of_ns in ids)
        retrieved = [RetrievedDream(dream.colour, as_of_ns - dream.timestamp_ns) for dream, as_of_ns in found]
        kpis = compute_kpis(retrieved, heard.utilities[at], measure._replace(chroma_bins=chroma_bins))
        return shown.model_copy(update={**counts, **_compared(shown.reported, kpis, measure)})

    return judge


def _compared(reported: Kpis, kpis: Kpis, measure: Measure) -> dict[str, object]:
    """The recomputed figures with what differs; a loss that nobody told of is no difference."""
    reason = None
    if measure.loss_at_start is None and reported.improvement_delta is not None:
        reason = "improvement_delta: the report does not say with which loss the epoch began"
        reported = reported.model_copy(update={"improvement_delta": None})
    names = (name for name in Kpis.model_fields if getattr(reported, name) != getattr(kpis, name))
    return {"recomputed": kpis, "differences": tuple(names), "reason": reason}


def _measure(line: dict[str, Any]) -> Measure:
    start, end = line.get("probe_loss_at_start"), line["arms"][0]["probe_loss"]
    return Measure(line["tau"], line["recent_days"], 0, start, end)


def _as_reported(speaker: Speaker, line: dict[str, Any]) -> EpochFigures:
    return EpochFigures(
        run_id=speaker[0],
        learner=speaker[1],
        epoch=line["epoch"],
        reported_at=utc_text(line["ts_ns"] / 1e9),
        retrieved=None,
        feedback=None,
        reported=Kpis.model_validate(line["kpis"]),
        recomputed=None,
        differences=(),
        reason=None,
    )


def _chroma_bins(home: Home, run_id: str) -> int | None:
    if not run_id:
        return None
    try:
        return RunFolder(home, RunId(run_id)).read_manifest().settings.bias.chroma_bins
    except (OSError, ValueError):
        return None
