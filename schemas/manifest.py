"""The frozen description of a run: everything an actor is told before it starts, and all that a replay needs."""

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Record, WallNs
from schemas.ids import InstanceText
from schemas.roles import Role
from schemas.settings import EngineSettings


class Seat(Record):
    """One actor process of the run."""

    instance: InstanceText
    role: Role


class Fingerprint(Record):
    """What decides the bits of floating-point results on this machine."""

    cpu: str
    machine: str
    python: str
    numpy: str
    simd: tuple[str, ...]
    blas: str
    oneiros: str


class RunManifest(Record):
    """`home/runs/RUN/manifest.json`."""

    run_id: Annotated[str, Field(pattern=r"^[0-9TZ]{16}-[0-9]{4,}$")]
    """UTC start time and the ordinal of the run in its home."""
    ordinal: Annotated[int, Field(ge=1)]
    seed: Count
    seats: tuple[Seat, ...]
    settings: EngineSettings
    config_sha256: str
    """SHA-256 of the canonical JSON of `settings`."""
    inputs_sha256: str
    """SHA-256 of the input set `home/inputs/SHA256.msgpack`."""
    started_at_ns: WallNs
    fingerprint: Fingerprint
    pinned_environment: tuple[tuple[str, str], ...]
    isolation: str
    """What keeps the dreamer from the rest of the machine; `none` until the box is built."""
