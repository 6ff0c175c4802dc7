"""Putting the supervised actors into the document that `status` shows.

In: the actors as they were last heard of, figures of the supervisor itself, the monotonic time. Out: one row for each
process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.control import Traffic
from supervisor.kernel import memory_bytes, own_memory_bytes
from supervisor.reports import ActorStatus
from supervisor.supervised import SupervisedActor

SILENCE: Final = Traffic(received=0, sent=0, recovered=0, duplicates=0, dropped=0, refused=0, damaged=0, queue=0)


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """What the supervisor knows of itself."""

    pid: int
    zygote_pid: int
    """The process that it forks actors from; its memory counts as the supervisor's."""
    is_stopping: bool
    received: int
    refused: int
    last_refusal: str | None


def describe_actors(actors: Iterable[SupervisedActor], own: OwnFigures, now_s: float) -> tuple[ActorStatus, ...]:
    """The supervisor first, then every actor in start order."""
    return (_describe_supervisor(own), *(describe_actor(actor, now_s) for actor in actors))


def describe_actor(actor: SupervisedActor, now_s: float) -> ActorStatus:
    """One actor as it was last heard of."""
    traffic = actor.heartbeat.traffic if actor.heartbeat is not None else SILENCE
    pid = actor.process.pid if actor.process is not None else None
    return ActorStatus(
        name=actor.instance,
        role=actor.seat.role,
        pid=pid,
        state=actor.state,
        reason=actor.reason,
        crash_report=actor.crash_report,
        epoch=actor.epoch,
        restarts=actor.restarts,
        memory_bytes=memory_bytes(pid) if pid is not None else None,
        received=traffic.received,
        sent=traffic.sent,
        recovered=traffic.recovered,
        duplicates=traffic.duplicates,
        dropped=traffic.dropped,
        refused=actor.refused_before + traffic.refused,
        damaged=traffic.damaged,
        queue=traffic.queue,
        step=actor.step,
        heartbeat_age_s=None if actor.beat_at_s is None or pid is None else round(now_s - actor.beat_at_s, 3),
        last_refusal=actor.last_refusal,
    )


def _describe_supervisor(own: OwnFigures) -> ActorStatus:
    return ActorStatus(
        name="supervisor",
        role="supervisor",
        pid=own.pid,
        state="stopping" if own.is_stopping else "ready",
        reason=None,
        crash_report=None,
        epoch=1,
        restarts=0,
        memory_bytes=(own_memory_bytes(own.pid) or 0) + (own_memory_bytes(own.zygote_pid) or 0),
        received=own.received,
        sent=0,
        recovered=0,
        duplicates=0,
        dropped=0,
        refused=own.refused,
        damaged=0,
        queue=0,
        step=0,
        heartbeat_age_s=None,
        last_refusal=own.last_refusal,
    )
