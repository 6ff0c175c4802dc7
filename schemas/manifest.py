"""The frozen description of a run: everything an actor is told before it starts, and all that a replay needs."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import Count, Record, WallNs
from schemas.ids import InstanceText
from schemas.isolation import Rung
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
    isolation: Rung
    """What keeps the dreamer from the rest of the machine."""
    keys: Literal["curve", "none"]
    """Whether every inbox has a lock; `none` is for benchmarks."""

    @classmethod
    def from_json(cls, text: bytes | str) -> "RunManifest":
        """The manifest in `text`, whichever version of this program wrote it; raises ValueError."""
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return cls.model_validate_json(text)  # says what is wrong, as for any other text
        return cls.model_validate_json(json.dumps(with_isolation(told) if isinstance(told, dict) else told))


def with_isolation(told: dict[str, Any]) -> dict[str, Any]:
    """`told` as it is; where it comes from a version that had neither keys nor a box, with that said."""
    if "keys" in told:
        return told
    settings = _table(told.get("settings"))
    supervisor = {**_table(settings.get("supervisor")), "isolation": "best-effort", "strongest_box": "none"}
    return {**told, "keys": "none", "settings": {**settings, "supervisor": supervisor}}


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
