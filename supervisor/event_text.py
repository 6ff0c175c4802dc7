"""The supervisor's own events as people read them.

In: an event and its fields, as they stand in the log. Out: a phrase, or None for an event that has none; fields that
the phrase does not use stay in the JSON form alone.
"""

from collections.abc import Mapping
from typing import Final

PHRASES: Final[Mapping[str, str]] = {
    "run": "run {run}, seed {seed}, configuration {config}, isolation {isolation}, keys {keys}",
    "no box": "the dreamer runs without a box, as the settings allow",
    "no keys": "every inbox is without a lock (--no-curve)",
    "recovering": "run {run} was interrupted; its pool-keeper finishes it first",
    "recovered": "run {run} is finished",
    "input left out": "left out: {what}",
    "inputs": "{why}",
    "started": "{of} started, epoch {epoch}, pid {pid}",
    "ready": "{of} ready after {after_ms} ms",
    "up": "up after {after_ms} ms, ready: {ready}",
    "died": "{of} died at step {step}: {ended}; see {report}",
    "restarting": "{of} starts again in {delay_ms} ms: {why}",
    "given up": "{of} is given up: {why}",
    "cannot start": "{of} cannot start: {why}",
    "revived": "{of} is tried again: {why}",
    "unresponsive": "{of} gets SIGTERM: {why}",
    "killed": "{of} is killed: {why}",
    "held": "{of} is held: {why}",
    "stopping": "stopping everything: {reason}",
    "waiting": "waiting at most {deadline_s} s for {of}",
    "stopped": "{of} stopped ({status})",
    "closed": "run {run} is closed: {reason}",
    "left open": "run {run} is left open: {why}",
    "disk ok": "the disk has room again: {free_mib} MiB free",
    "disk low": "the disk is nearly full: {free_mib} MiB free",
    "disk full": "the disk is full: {free_mib} MiB free; the dreamer is held",
    "night asked for": "the night of {date} is asked for",
    "night not asked for": "the night of {date} could not be asked for: {why}",
    "figures not saved": "the figures could not be saved: {why}",
    "log not rotated": "a log could not be rotated: {why}",
    "crash report not written": "the crash report could not be written: {why}",
}

REASONS: Final[Mapping[object, str]] = {
    "down": "asked for by `supervisor down`",
    "failed": "an actor cannot start",
    "for": "the time given is over",
    "interrupted": "Ctrl-C or a signal",
    "recovered": "all is taken in",
    "until-profiles": "enough profiles were applied",
}
"""Why a run is stopped, as a person says it."""


def phrase_of(event: str, fields: Mapping[str, object]) -> str | None:
    """What `event` says; None when it has no phrase, or not the fields that the phrase needs."""
    try:
        reason = fields.get("reason")
        return PHRASES[event].format_map({**fields, "reason": REASONS.get(reason, reason)})
    except (KeyError, AttributeError):
        return None
