"""One example of each message that has to do with a night, and what else a night is made of, for the tests."""

from functools import cache
from pathlib import Path

from schemas.base import Message
from schemas.night import NightRequest, SnapshotReady, SnapshotRequest
from schemas.night_files import load_runtime
from schemas.night_settings import RuntimeSettings

ROOT = Path(__file__).parents[1]
DATE = "2026-11-20"
NIGHT_ID = "2026-11-20.7"


@cache
def packaged() -> RuntimeSettings:
    """The settings as they are packaged."""
    return load_runtime((ROOT / "config" / "runtime.yaml").read_bytes())


def changed(**sections: object) -> RuntimeSettings:
    """The packaged settings with some of `dream` changed, dots as double underscores."""
    tree = packaged().model_dump(mode="json")
    for path, value in sections.items():
        *parents, last = path.split("__")
        at = tree["dream"]
        for parent in parents:
            at = at[parent]
        at[last] = value
    return RuntimeSettings.model_validate(tree)


def request(**changes: object) -> NightRequest:
    """A request for a night of our own."""
    told: dict[str, object] = {
        "night_id": NIGHT_ID,
        "date": DATE,
        "source": "own",
        "root": "",
        "is_seeds_only": False,
        "is_fresh": False,
        "is_parity": False,
        "settings_json": '{"dream":{"enable":true}}',
    }
    return NightRequest.model_validate({**told, **changes})


def night_messages() -> tuple[Message, ...]:
    """One of each."""
    return (
        request(),
        SnapshotRequest(night_id=NIGHT_ID, date=DATE, is_fresh=False),
        SnapshotReady(
            night_id=NIGHT_ID,
            date=DATE,
            sha256="ab" * 32,
            size_bytes=16_384,
            pool_sequence=41,
            taken_at_ns=1_763_600_000_000_000_000,
            is_kept=False,
            problem=None,
        ),
    )
