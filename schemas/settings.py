"""The typed form of `config/engine.toml`. Defaults live in that file alone; here are types, ranges and units.

A field's docstring gives its unit. Keys that are not here are refused, with a suggestion, by `supervisor validate`.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Record, Unit
from schemas.friend_settings import FriendSettings
from schemas.isolation import Demand, Rung
from schemas.regimes import Sampler
from schemas.retrieval import MAX_K, RetrievalMode

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class RunSettings(Record):
    """[run]"""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    """Master seed: every draw of every actor derives from it."""
    images: str
    """Folder of pictures; empty for the sample set."""
    factoids: str
    """Text file, one fact a line; empty for the sample set."""
    image_side: Annotated[int, Field(ge=64, le=1024)]
    """Shorter side that pictures are scaled to, pixels."""
    max_images: Annotated[int, Field(ge=2, le=4096)]
    """Pictures taken from the folder, in order of their names."""


class TensorSettings(Record):
    """[tensor]"""

    rows: Annotated[int, Field(ge=4, le=256)]
    cols: Annotated[int, Field(ge=4, le=256)]
    layers: Annotated[int, Field(ge=1, le=32)]


class DreamerSettings(Record):
    """[dreamer]"""

    rate_hz: Annotated[float, Field(ge=0.0, le=10_000.0)]
    """Episodes a second; 0 is as fast as possible."""
    steps: Annotated[int, Field(ge=1, le=256)]
    """Evolution steps of an episode."""
    prior_strength: Unit
    """How far one step moves a dream towards the profile's colour."""
    max_generation: Annotated[int, Field(ge=0, le=16)]
    """Deepest dream that may seed another; a dream is re-made from its ancestors, so depth costs time."""
    memory_dreams: Annotated[int, Field(ge=0, le=100_000)]
    """Own dreams that the dreamer can find again when a profile names them."""


class PoolSettings(Record):
    """[pool]"""

    coherence_threshold: Unit | Literal["calibrated"]
    """Least coherence of a stored dream; `calibrated` measures it for the tensor shape (design, 5.2)."""
    page_size_bytes: Literal[4096, 8192, 16384, 32768, 65536]
    """SQLite page size of a new pool file."""
    checkpoint_mib: Annotated[int, Field(ge=1, le=1024)]
    """Size of the write-ahead log at which it is folded into the pool file."""
    blobs: Literal["segments", "sqlite"]
    """Where tensors of more than 16 KiB lie: in append-only files, or in the rows. A pool is migrated at start."""
    blob_segment_mib: Annotated[int, Field(ge=1, le=1024)]
    """Size at which a segment of blobs is followed by the next."""
    compact_below: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Share of bytes still in use, of the pool and of a segment, under which space is reclaimed."""
    max_dreams: Annotated[int, Field(ge=0, le=100_000_000)]
    """Dreams in the pool, above which the least missed are evicted; 0 for no limit."""
    max_mib: Annotated[int, Field(ge=0, le=1_000_000_000)]
    """Tensors in the pool as stored, likewise."""


class InterfaceSettings(Record):
    """[interface] (seed 000, section 8)"""

    retrieval_default: RetrievalMode
    alpha_cosine: Unit
    recency_decay: NotNegative
    """Lambda per day."""
    k: Annotated[int, Field(ge=1, le=MAX_K)]
    exploration: Unit
    """Share of k that is drawn uniformly."""


class BiasSettings(Record):
    """[bias] (seed 000, section 8; design, 5.10)"""

    update_interval_steps: Annotated[int, Field(ge=1, le=1_000_000)]
    """Feedback records between two profiles."""
    min_feedback: Annotated[int, Field(ge=1, le=1_000_000)]
    """No profile before this many records."""
    chroma_bins: Annotated[int, Field(ge=1, le=360)]
    exploration_floor: Annotated[float, Field(ge=0.0, le=0.25)]
    """Least weight of each source; 0 gives the plain formula."""
    max_learner_share: Annotated[float, Field(gt=0.0, le=1.0)]
    """Most that the records of one guest weigh in an update; 1 lets every record weigh the same."""
    max_step: Unit
    """Largest change of a component in one update; 0 switches the cap off."""


class LearnerSettings(Record):
    """[learner]"""

    rounds_hz: Annotated[float, Field(ge=0.0, le=1000.0)]
    """Rounds a second; 0 is as fast as possible."""
    rounds_per_epoch: Annotated[int, Field(ge=1, le=100_000)]
    min_pool: Annotated[int, Field(ge=1, le=1_000_000)]
    """Dreams in the pool before the first round."""
    labelled_per_class: Annotated[int, Field(ge=1, le=1000)]
    """Labelled training patches of each picture."""
    probe_per_class: Annotated[int, Field(ge=1, le=1000)]
    test_per_class: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    """Labelled patches of one step."""
    hidden: Annotated[int, Field(ge=1, le=4096)]
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)]
    exploration: Unit
    """Share of k that the run's own learner asks to be drawn instead of ranked; guests have that of [interface]."""
    dream_weight: NotNegative
    """Weight of a dream's loss against a labelled patch's."""
    tau: float
    """A dream with a utility above this counts as useful."""
    recent_days: Positive
    """A dream younger than this counts as recent."""


class JournalSettings(Record):
    """[journal]"""

    fsync: Literal["process", "power"]
    """`process` survives any kill; `power` syncs before anything is sent."""
    segment_mib: Annotated[int, Field(ge=1, le=4096)]
    segment_hours: Annotated[float, Field(gt=0.0, le=240.0)]
    keep_days: Annotated[float, Field(ge=0.0, le=36_500.0)]
    """Age at which `supervisor record prune` deletes the journals of a closed run, days since it was closed."""


class SupervisorSettings(Record):
    """[supervisor]"""

    ready_deadline_s: Annotated[float, Field(gt=0.0, le=600.0)]
    heartbeat_late_s: Annotated[float, Field(ge=1.0, le=3600.0)]
    stop_deadline_s: Annotated[float, Field(gt=0.0, le=600.0)]
    """For each actor."""
    backoff_first_s: Annotated[float, Field(gt=0.0, le=60.0)]
    backoff_max_s: Annotated[float, Field(gt=0.0, le=3600.0)]
    max_restarts: Annotated[int, Field(ge=0, le=10_000)]
    """Restarts within `restart_window_s` before an actor is given up."""
    restart_window_s: Annotated[float, Field(gt=0.0, le=86_400.0)]
    disk_warn_mib: Annotated[int, Field(ge=0)]
    disk_stop_mib: Annotated[int, Field(ge=0)]
    """Free space below which the dreamer is stopped."""
    isolation: Demand
    """`required` refuses to start a dreamer without a box; `best-effort` starts it and says so."""
    strongest_box: Rung
    """Where the ladder begins; the best rung at or below it that this machine has is taken."""


class RegimesSettings(Record):
    """[regimes] (seed 003)"""

    trials: Annotated[int, Field(ge=1, le=1000)]
    """Pairs of trials, candidate and baseline, in each regime of a candidate."""
    population: Annotated[int, Field(ge=2, le=1000)]
    """Candidates of a generation."""
    quick_population: Annotated[int, Field(ge=2, le=1000)]
    """The same under --quick."""
    sampler: Sampler
    """What proposes candidates."""
    has_random_arm: bool
    """Whether as many random candidates are measured beside those of the search, from its second generation on."""
    confirmed: Annotated[int, Field(ge=0, le=100)]
    """How many of the best are measured again, on fresh pairs, in a fresh process."""
    budget_s: Positive
    """Longest evaluation that is begun, by its plan, and longest that goes on, seconds."""
    budget_mib: Annotated[int, Field(ge=0)]
    """Most that the trials of an evaluation may write, by plan and by count."""
    tier_b: str
    """Names of machine-wide settings that trials may change, divided by spaces; empty for none."""
    sensor_root: str
    """Folder with a tree of sensor files instead of those of the machine, for tests; results are marked."""
    max_pressure: Annotated[float, Field(gt=0.0, le=1.0)]
    """CPU pressure of the quiet moment before a trial above which it counts as noisy, share of time."""
    max_steal: Annotated[float, Field(gt=0.0, le=1.0)]
    """CPU time stolen by the host above which a trial counts as noisy, share."""
    noise_repeats: Annotated[int, Field(ge=0, le=1000)]
    """Noisy trials that are repeated, in each regime of a candidate; the others are flagged."""


class NightlySettings(Record):
    """[nightly] (seed 004)"""

    at: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")]
    """Time, UTC, at which a running loop looks back on the last day; empty for never."""
    window: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
    """When it is night, UTC: only then is there one without a date being named."""
    snapshot_tensor_mib: Annotated[int, Field(ge=0, le=1_000_000)]
    """Most that the tensors in a night's copy of the pool take; the newest first."""
    limit_s: Annotated[float, Field(gt=0.0, le=86_400.0)]
    """Longest that a night may take."""


class EngineSettings(Record):
    """The whole of `engine.toml`."""

    run: RunSettings
    tensor: TensorSettings
    dreamer: DreamerSettings
    pool: PoolSettings
    interface: InterfaceSettings
    bias: BiasSettings
    learner: LearnerSettings
    journal: JournalSettings
    regimes: RegimesSettings
    friend: FriendSettings
    nightly: NightlySettings
    supervisor: SupervisorSettings
