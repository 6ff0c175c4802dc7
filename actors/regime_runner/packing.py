"""What all packs of one evaluation share, and where their files lie.

In: what the order, the machine and the installed program are. Out: `PackContext`, and names and paths of candidates.
Paths are relative to home. A name is generation and index, both counted from 0; a later evaluation of a domain goes on
counting generations, so that no pack is ever written over by another run's.
"""

from typing import Annotated, Final

from pydantic import Field

from schemas.base import Count, Record
from schemas.cap_settings import GlobalLimits, Tolerance
from schemas.regimes import Domain, Profile

CANDIDATES: Final = "artifacts/candidates"
SAMPLES: Final = "artifacts/samples"


class PackContext(Record):
    """One evaluation of one domain."""

    run_id: str
    """YYYY-MM-DDTHH-MM-SS_rNNN, as in the seed."""
    evaluation_id: str
    """Unique for ever."""
    domain: Domain
    profile: Profile
    host: str
    """Fingerprint of the machine: figures of another host are not set against these."""
    host_facts: dict[str, str]
    code_hash: str
    """Of the installed package."""
    tools: dict[str, str]
    """Program -> version."""
    virtualised: bool | None
    seed: Count
    created_at_utc: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")]
    """ISO 8601."""
    trials: Annotated[int, Field(ge=1)]
    """Planned trials of each arm in each regime."""
    limits: GlobalLimits
    tolerance: Tolerance


def candidate_id(generation: int, index: int) -> str:
    """`gen0_07`."""
    return f"gen{generation}_{index:02d}"


def pack_path(domain: Domain, cand_id: str) -> str:
    """`artifacts/candidates/cpu/gen0_07.json`."""
    return f"{CANDIDATES}/{domain}/{cand_id}.json"


def samples_path(domain: Domain, cand_id: str) -> str:
    """`artifacts/samples/cpu/gen0_07.json`."""
    return f"{SAMPLES}/{domain}/{cand_id}.json"
