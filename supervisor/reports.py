"""The document that `status` shows: the processes, the run, the disk, and what was refused.

In and out: the supervisor fills it and sends it, the command draws it or prints it as JSON. It knows no more than
pydantic, so that a command that only asks starts quickly.
"""

from schemas.base import Record


class ActorStatus(Record):
    """One process."""

    name: str
    role: str
    pid: int | None
    """None when it has no process."""
    state: str
    reason: str | None
    """Why it is not ready."""
    crash_report: str | None
    """The file that its last death was written to."""
    epoch: int
    restarts: int
    """Restarts that nobody asked for."""
    memory_bytes: int | None
    """Proportional memory, with its children."""
    received: int
    sent: int
    recovered: int
    duplicates: int
    dropped: int
    refused: int
    """Since the run began, over all its processes."""
    damaged: int
    queue: int
    step: int
    heartbeat_age_s: float | None
    last_refusal: str | None


class GuestStatus(Record):
    """One seat that was given while the run runs."""

    name: str
    role: str
    state: str
    """granted: the actors do not know it yet; detached: nobody sits in it; attached."""
    pid: int | None
    epoch: int
    step: int
    sent: int
    """What it said, whether the socket took it or the pool-keeper reads it in its journal."""
    received: int
    refused: int
    """Of its messages, by the processes that run now."""
    influence: float | None
    """Share of the last profile that rests on its feedback; None when it has none."""
    heartbeat_age_s: float | None
    """Since it was last heard of: a guest that computes is silent. None when nobody sits in the seat."""
    offer: str
    command: tuple[str, ...] | None
    """What is run in the seat, when the supervisor does."""
    process: str | None
    """waiting, running, restarting, finished, failed or stopped."""
    restarts: int
    reason: str | None


class StatusReport(Record):
    """The run and its processes."""

    running: bool
    run_id: str
    home: str
    runtime: str
    started_at: str
    """UTC, ISO 8601."""
    uptime_s: float
    stopping: str | None
    """Why everything is being stopped."""
    isolation: str
    """What keeps the dreamer from the rest of the machine, a rung of the ladder."""
    keys: str
    """`curve`, or `none` for a bus without locks."""
    fsync: str
    disk: str
    """ok, low or full."""
    disk_free_mib: float
    inputs_refused: tuple[str, ...]
    """The first pictures and facts that were left out, with the reason, and how many more there are."""
    pictures_left_out: int
    facts_left_out: int
    actors: tuple[ActorStatus, ...]
    guests: tuple[GuestStatus, ...] = ()

    @property
    def last_refusals(self) -> tuple[tuple[str, str], ...]:
        """The last refusal of each actor that has one."""
        return tuple((actor.name, actor.last_refusal) for actor in self.actors if actor.last_refusal)
