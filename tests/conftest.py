"""One example of every message, for tests of the wire and of the schemas."""

import hashlib

import pytest

from schemas import MESSAGES, Message
from schemas.bias import BiasProfile, BinWeight, Exemplar, SeedWeights
from schemas.control import Failed, Figure, Heartbeat, Ready, Stopped, Traffic
from schemas.dreams import Ancestor, DreamEntry, DreamFacts
from schemas.feedback import (
    ArmResult,
    EpochReport,
    FeedbackBatch,
    FeedbackReceipt,
    FeedbackRecord,
    FeedbackStored,
    Kpis,
    RefusedFeedback,
    StoredFeedback,
)
from schemas.ids import derived_id
from schemas.pool import AdoptDream, PinDreams
from schemas.regimes import (
    Breach,
    CancelEvaluation,
    CapBreached,
    EvaluateDomain,
    PackWritten,
    Reading,
    SafetyVerdict,
    TrialFinished,
    TrialStarted,
    Unchecked,
)
from schemas.retrieval import (
    BatchRequest,
    LearningBatch,
    PoolStats,
    PoolStatsRequest,
    RequestRefused,
    RetrievalQuery,
    RetrievalStats,
    RetrievedEntry,
    RetrievedSet,
    SkippedEntry,
)
from tests.friend_examples import friend_messages
from tests.night_examples import night_messages

BLOB = bytes(range(32))
DIGEST = hashlib.sha256(BLOB).digest()
DREAM, PARENT, PICTURE, FACT, QUERY, BATCH, PROFILE = (
    derived_id("example", name) for name in ("dream", "parent", "picture", "fact", "query", "batch", "profile")
)
WALL_NS = 1_763_600_000_000_000_000

FACTS = DreamFacts(
    id=DREAM,
    timestamp_ns=WALL_NS,
    source="image",
    factoid_ids=(FACT,),
    image_id=PICTURE,
    parents=(PARENT,),
    lineage_root=PARENT,
    generation=1,
    ancestry=(Ancestor(source="image", ancestor_id=PICTURE, share=1.0, split="train"),),
    coherence=0.75,
    energy=0.125,
    chroma_signature=(0.5, 0.25, 0.75),
    spectral_entropy=0.25,
    shape=(4, 4, 2),
    tensor_sha256=DIGEST,
    metadata_json='{"schema_version":1}',
    profile_id=None,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files of the wire anew")
    parser.addoption("--kills", type=int, default=12, help="random kill -9 over all actors and the supervisor")
    parser.addoption("--kill-seed", type=int, default=None, help="repeat the moments and victims of an earlier test")
    parser.addoption("--acceptance", action="store_true", help="measure seed 003 at full length: ten trials an arm")


@pytest.fixture(scope="session")
def examples() -> dict[str, Message]:
    """Kind to an example of that message; every message of the catalogue is there."""
    found = {
        message.kind: message for message in (*_loop_messages(), *_answers(), *_control_messages(), *_trial_messages())
    }
    found |= {message.kind: message for message in (*friend_messages(), *night_messages())}
    assert set(found) == {cls.kind for cls in MESSAGES}, "a message has no example"
    return found


def _loop_messages() -> tuple[Message, ...]:
    return (
        DreamEntry(**FACTS.__dict__, tensor_blob=BLOB),
        RetrievalQuery(
            query_id=QUERY,
            k=8,
            mode="mixed",
            query_signature=(0.5, 0.25, 0.75),
            min_coherence=0.5,
            max_entropy=None,
            recency_decay=0.02,
            allow_duplicates=False,
            seed=2**64 - 1,
            as_of_ns=WALL_NS,
            alpha=0.6,
            exploration=0.1,
        ),
        BatchRequest(query_id=QUERY, entry_ids=(DREAM,)),
        FeedbackBatch(
            batch_id=BATCH,
            records=(FeedbackRecord(query_id=QUERY, entry_id=DREAM, utility=-0.5, contribution=0.25, notes="ünïcode"),),
        ),
        EpochReport(
            epoch=1,
            rounds=10,
            feedback_records=80,
            kpis=Kpis(
                selection_precision=0.5,
                utilization_rate=1.0,
                improvement_delta=None,
                coverage=0.25,
                recency_ratio=1.0,
            ),
            tau=0.0,
            recent_days=1.0,
            arms=(_arm("dreams"), _arm("no-dreams")),
            probe_loss_at_start=1.875,
        ),
        PoolStatsRequest(request=3),
        AdoptDream(**FACTS.__dict__, tensor_blob=BLOB),
        PinDreams(dream_ids=(DREAM, PARENT), is_pinned=True),
        BiasProfile(
            profile_id=PROFILE,
            updated_at_ns=WALL_NS,
            chroma_prior=(0.75, 0.5, 0.25),
            hue_concentration=0.5,
            entropy_window=(0.25, 0.5),
            seed_weights=SeedWeights(
                factoid_weight=0.25, image_weight=0.5, pool_seed_weight=0.125, random_weight=0.125
            ),
            bins=(BinWeight(bin=0, weight=0.75, count=12), BinWeight(bin=24, weight=0.25, count=4)),
            chroma_bins=24,
            exemplars=(Exemplar(dream_id=DREAM, weight=1.0),),
            feedback_total=16,
        ),
    )


def _arm(name: str) -> ArmResult:
    return ArmResult(arm=name, steps=10, train_loss=1.5, probe_loss=1.75, test_loss=2.0, test_accuracy=0.5)


def _answers() -> tuple[Message, ...]:
    stored = StoredFeedback(
        entry_id=DREAM,
        query_id=QUERY,
        utility=-0.5,
        contribution=0.25,
        chroma_signature=(0.5, 0.25, 0.75),
        spectral_entropy=0.25,
        source="image",
    )
    return (
        RetrievedSet(
            query_id=QUERY,
            pool_sequence=41,
            entries=(RetrievedEntry(facts=FACTS, score=0.5, is_explored=False, propensity=1.0),),
            stats=RetrievalStats(mode="mixed", avg_coherence=0.75, avg_entropy=0.25, diversity=0.0),
        ),
        LearningBatch(
            query_id=QUERY,
            entry_ids=(DREAM,),
            shapes=((4, 4, 2),),
            tensor_sha256s=(DIGEST,),
            tensors=(BLOB,),
            labels=None,
            skipped=(SkippedEntry(entry_id=PARENT, reason="no such dream"),),
        ),
        FeedbackReceipt(
            batch_id=BATCH,
            stored=1,
            duplicates=0,
            refused=(RefusedFeedback(query_id=QUERY, entry_id=PARENT, reason="no such dream"),),
        ),
        FeedbackStored(batch_id=BATCH, learner="learner-2", stored_at_ns=WALL_NS, records=(stored,)),
        PoolStats(
            request=3,
            pool_sequence=41,
            dreams_total=41,
            coherence_mean=0.75,
            spectral_entropy_mean=0.25,
            last_compaction_at_ns=None,
        ),
        RequestRefused(request_kind="RetrievalQuery", request_epoch=1, request_seq=7, reason="k = 0"),
    )


def _control_messages() -> tuple[Message, ...]:
    traffic = Traffic(received=1, sent=2, recovered=3, duplicates=4, dropped=5, refused=6, damaged=7, queue=8)
    figures = (Figure(name="dreams", value=3), Figure(name="rate_hz", value=2.5), Figure(name="mode", value="mixed"))
    return (
        Ready(instance="dreamer", epoch=1, pid=1234, step=5, recovered_steps=5, cut_bytes=0),
        Heartbeat(instance="dreamer", epoch=1, step=9, traffic=traffic, figures=figures, last_refusal=None),
        Stopped(instance="dreamer", epoch=1, step=9),
        Failed(instance="dreamer", epoch=1, step=9, input_reference="bias-synthesizer 1/4", reason="no space left"),
    )


def _trial_messages() -> tuple[Message, ...]:
    trial = "ev1.gen0_07.stress.c003"
    breach = Breach(cap="temp_peak_c", limit=90.0, value=91.0, unit="C", source="hwmon0/temp1_input")
    hot = Reading(value=91.0, unit="C", source="hwmon0/temp1_input", reason=None)
    missing = Reading(value=None, unit="W", source=None, reason="no powercap zone")
    return (
        EvaluateDomain(
            order_id="ev1",
            domain="cpu",
            genome={"threads": 2, "duty": 0.5, "policy": "batch"},
            generations=2,
            population=4,
            profile="quick",
            trials=10,
            seed=None,
            sampler="nsga2",
            refresh_baseline=False,
            tier_b=("governor",),
        ),
        CancelEvaluation(order_id="ev1"),
        TrialStarted(
            trial_id=trial,
            domain="cpu",
            regime="stress",
            guard_pid=4711,
            guard_started_ticks=123_456,
            timeout_s=180.0,
            settings={"governor": "performance"},
        ),
        TrialFinished(
            trial_id=trial,
            status="killed",
            readings={"errors": Reading(value=0.0, unit="errors", source="workload", reason=None)},
        ),
        PackWritten(
            order_id="ev1",
            domain="cpu",
            cand_id="gen0_07",
            generation=0,
            path="artifacts/candidates/cpu/gen0_07.json",
            sha256=DIGEST.hex(),
            is_valid=True,
            safe=None,
            score_v2=0.75,
        ),
        SafetyVerdict(
            trial_id=trial,
            phase="final",
            applied={"governor": "applied"},
            unchecked=(Unchecked(cap="package_power_w", reason="no powercap zone"),),
            safe=False,
            readings={"temp_peak_c": hot, "watts": missing},
            breaches=(breach,),
            injected=True,
        ),
        CapBreached(trial_id=trial, breach=breach, killed=3),
    )
