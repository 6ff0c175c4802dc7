"""Old versions of messages, turned into today's.

An upgrade takes the decoded body of one version and returns that of the next; they are pure and chained. `upgrade`
refuses a version from the future.
"""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.errors import SchemaError

Body = dict[str, object]
Upgrade = Callable[[Body], Body]


def _epoch_report_with_start(body: Body) -> Body:
    """Version 1 does not say what the probe loss was when the epoch began."""
    return {**body, "probe_loss_at_start": None}


UPGRADES: Final[Mapping[tuple[str, int], Upgrade]] = {("EpochReport", 1): _epoch_report_with_start}
"""(kind, old version) -> function to the next version."""


def upgrade(kind: str, version: int, current: int, body: Body, table: Mapping[tuple[str, int], Upgrade]) -> Body:
    """`body` of `kind` at `version`, lifted to `current`. Raises SchemaError when no way leads there."""
    if version > current:
        raise SchemaError(f"{kind} version {version} is newer than the known version {current}; update oneiros")
    for step in range(version, current):
        lift = table.get((kind, step))
        if lift is None:
            raise SchemaError(f"{kind} version {step} has no upgrade to version {step + 1}")
        body = lift(body)
    return body
