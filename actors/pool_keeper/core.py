"""The pool-keeper decides: what enters the pool, what a learner is told, what feedback counts (seed 000, section 4).

In: DreamEntry, the learner's requests, FeedbackBatch, EpochReport, BiasProfile, PackWritten, what a friend or a night
asks for, the user's orders. Out: the answers of `actors.pool_keeper.retrieving`, `crediting`, `befriending`, `nights`.
It refuses, with the reason, whatever the topology does not allow. Its whole state is its store, so that a snapshot is
empty; each answer is a function of the store and the message. The one error that it raises is a PoolError: the disk is
full or the pool file is damaged, and nothing since the last commit is stored.
"""

import json
from collections.abc import Mapping

from actors.pool_keeper.adopting import adopt, pin
from actors.pool_keeper.befriending import befriend
from actors.pool_keeper.budgeting import make_room
from actors.pool_keeper.crediting import credit
from actors.pool_keeper.eviction import Budget
from actors.pool_keeper.nights import SNAPSHOT, order_copy, tell_copy
from actors.pool_keeper.persisting import Step, persist
from actors.pool_keeper.retrieving import materialize, report_stats, retrieve
from actors.pool_keeper.store import PoolStore
from bus.core import Input, Note, Observed, Outcome, Received, Scalar, Started
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry
from schemas.feedback import EpochReport, FeedbackBatch
from schemas.night import SnapshotRequest
from schemas.persona import CooldownClaim, DialogCommit, DialogForgotten, FriendStateRequest, PauseNoted
from schemas.pool import AdoptDream, PinDreams
from schemas.regimes import PackWritten
from schemas.retrieval import BatchRequest, PoolStatsRequest, RetrievalQuery

TALLIES = (
    "refused_dreams",
    "duplicates",
    "retrievals",
    "batches",
    "refused_requests",
    "feedback_total",
    "feedback_duplicates",
    "feedback_refused",
    "profiles_stored",
    "epochs_reported",
    "corrupt_rows",
    "evicted",
    "over_budget",
    "compactions",
)


class PoolKeeper:
    """The core of the pool-keeper over an open store."""

    def __init__(self, store: PoolStore, gate: float | None, budget: Budget) -> None:
        """`gate`: least coherence of a stored dream, or None when the dreamer's calibrated gate is enough."""
        self._store = store
        self._gate = gate
        self._budget = budget

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Decide on one input. Raises PoolError when the pool itself cannot go on."""
        match event:
            case Started():
                return self._start()
            case Received(ref=ref, message=SnapshotRequest() as request):
                return order_copy(request, Step(ref, now_ns))
            case Received():
                return self._receive(event, now_ns)
            case Observed(name=name, data=data) if name == SNAPSHOT:
                return tell_copy(data)
            case _:
                return Outcome()

    def snapshot(self) -> bytes:
        """Nothing: the state is the store."""
        return b""

    def restore(self, data: bytes) -> None:
        """Take over nothing."""

    def figures(self) -> Mapping[str, Scalar]:
        """The pool in numbers; tallies count from the making of the pool file."""
        columns = self._store.columns
        coherence, entropy = columns.means()
        return {
            "dreams_total": columns.dreams,
            "pool_sequence": columns.last_sequence,
            "coherence_mean": coherence,
            "spectral_entropy_mean": entropy,
            "blob_bytes": columns.blob_bytes,
            "search_kernel": self._store.atlas.compiling.state,
            **{f"dreams.{source}": count for source, count in columns.by_source().items()},
            **{name: self._store.tally(name) for name in TALLIES},
            **self._last_kpis(),
        }

    def _start(self) -> Outcome:
        columns = self._store.columns
        if self._budget.is_limited:
            self._store.niches(self._budget.bins)
        notes = [Note("warning", repair) for repair in self._store.repairs]
        notes.append(Note("info", f"pool holds {columns.dreams} dreams in {columns.blob_bytes} bytes of tensors"))
        return Outcome(notes=notes)

    def _receive(self, event: Received, now_ns: int) -> Outcome:
        store = self._store
        step, before = Step(event.ref, now_ns), store.columns.last_sequence
        match event.message:
            case DreamEntry() as entry:
                outcome = self._make_room(persist(store, self._gate, entry, step), before, step)
            case RetrievalQuery() as query:
                outcome = retrieve(store, query, step)
            case BatchRequest() as request:
                outcome = materialize(store, request, step)
            case FeedbackBatch() as batch:
                outcome = credit(store, batch, step)
            case PoolStatsRequest() as request:
                outcome = report_stats(store, request, step)
            case EpochReport() as report:
                outcome = self._note_epoch(report, step)
            case BiasProfile() as profile:
                outcome = self._keep_profile(profile, step)
            case AdoptDream() as dream:
                outcome = self._make_room(adopt(store, dream, step), before, step)
            case PinDreams() as order:
                outcome = pin(store, order, step)
            case PackWritten() as pack:
                outcome = self._note_pack(pack, step)
            case FriendStateRequest() | CooldownClaim() | DialogCommit() | PauseNoted() | DialogForgotten() as asked:
                outcome = befriend(store.friends, asked, step)
            case other:
                reason = f"{other.kind} from {event.ref.sender}: the pool-keeper takes no such message"
                outcome = Outcome(refusal=reason)
        return outcome

    def _make_room(self, outcome: Outcome, before: int, step: Step) -> Outcome:
        """Evict for the dream that came in behind sequence `before`, if one did."""
        if self._store.columns.last_sequence > before:
            outcome.notes += make_room(self._store, self._budget, step)
        return outcome

    def _note_epoch(self, report: EpochReport, step: Step) -> Outcome:
        learner, epoch, seq = step.ref
        values = report.model_dump()
        self._store.log("kpi", {"ts_ns": step.now_ns, "learner": learner, "sender_epoch": epoch, "seq": seq, **values})
        packed = json.dumps(values, separators=(",", ":"))
        self._store.insert("epochs", (None, self._store.run_id, learner, report.epoch, step.now_ns, packed))
        self._store.count("epochs_reported")
        return Outcome(notes=[Note("debug", f"{learner} finished epoch {report.epoch}")])

    def _note_pack(self, pack: PackWritten, step: Step) -> Outcome:
        sender, epoch, seq = step.ref
        values = pack.model_dump()
        self._store.log("packs", {"ts_ns": step.now_ns, "sender": sender, "sender_epoch": epoch, "seq": seq, **values})
        return Outcome()

    def _keep_profile(self, profile: BiasProfile, step: Step) -> Outcome:
        found = self._store.row("SELECT 1 FROM bias_profiles WHERE profile_id = ?", profile.profile_id)
        if found is not None:
            return Outcome(refusal=f"BiasProfile {profile.profile_id} from {step.ref.sender}: stored before")
        packed = json.dumps(profile.model_dump(), separators=(",", ":"))
        values = (profile.profile_id, step.now_ns, profile.updated_at_ns, self._store.run_id, packed)
        self._store.insert("bias_profiles", values)
        self._store.count("profiles_stored")
        return Outcome()

    def _last_kpis(self) -> dict[str, Scalar]:
        found = self._store.row("SELECT report_json FROM epochs ORDER BY serial DESC LIMIT 1")
        if found is None:
            return {}
        report = json.loads(str(found[0]))
        return {"last_epoch": report["epoch"], **{f"kpi.{name}": value for name, value in report["kpis"].items()}}
