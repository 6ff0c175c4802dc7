"""A grown tensor becomes a DreamEntry: facts, provenance and metadata (seed 000, sections 3.2, 9 and 12.1).

In: the plan, what grew, its measures, the run. Out: the message, and the recipe by which the dream is remembered. The
metadata is canonical JSON (sorted keys, no spaces); no wall time is in it, so equal dreams have equal metadata.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from actors.dreamer.episode import Grown
from actors.dreamer.lineage import Ancestry, Plan, Recipe
from actors.dreamer.measures import DEFINITIONS, Measures
from actors.dreamer.seeding import fact_ids
from schemas.dreams import Ancestor, DreamEntry
from schemas.inputs import InputSet
from schemas.settings import EngineSettings

SCHEMA_VERSION: Final = 1
"""Version of the metadata object."""

MAX_FACTS: Final = 64

_canonical: Final = json.JSONEncoder(
    check_circular=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What every dream of a run has in common."""

    settings: EngineSettings
    inputs: InputSet
    seed: int
    ordinal: int
    metadata_head: str = field(init=False, repr=False, compare=False)
    """The first members of every dream's metadata, which are the same in the whole run: config and definitions."""

    def __post_init__(self) -> None:
        head = {
            "config": {
                "dreamer": self.settings.dreamer.__dict__,
                "tensor": self.settings.tensor.__dict__,
                "layout": "f32 little-endian [rows, cols, layers, rgb]",
            },
            "definitions": DEFINITIONS,
        }
        object.__setattr__(self, "metadata_head", _canonical(head)[:-1])


@dataclass(frozen=True, slots=True)
class Episode:
    """One finished episode, before it is told to anybody."""

    plan: Plan
    grown: Grown
    measures: Measures
    profile_id: str | None
    gate: float
    parents: tuple[Recipe, ...]


def recipe_of(episode: Episode, dream_id: str) -> Recipe:
    """How the dream is remembered."""
    parents = episode.parents
    return Recipe(
        plan=episode.plan,
        dream_id=dream_id,
        root=parents[0].root if parents else dream_id,
        generation=1 + max(parent.generation for parent in parents) if parents else 0,
        image=episode.grown.seeded.image,
        ancestry=episode.grown.seeded.ancestry,
    )


def finalize_episode(
    episode: Episode, recipe: Recipe, run: RunFacts, blob: bytes, sha256: bytes, now_ns: int
) -> DreamEntry:
    """The message of a dream whose tensor is `blob` (zstd) with the SHA-256 of the raw buffer."""
    measures, tensor = episode.measures, run.settings.tensor
    pictures, facts = run.inputs.pictures, run.inputs.factoids
    return DreamEntry(
        id=recipe.dream_id,
        timestamp_ns=now_ns,
        source=recipe.plan.source,
        factoid_ids=fact_ids(recipe.ancestry, facts)[:MAX_FACTS],
        image_id=pictures[recipe.image].image_id if recipe.image >= 0 else None,
        parents=tuple(parent.dream_id for parent in episode.parents),
        lineage_root=recipe.root,
        generation=recipe.generation,
        ancestry=tuple(_ancestor(part, run.inputs) for part in recipe.ancestry),
        coherence=measures.coherence,
        energy=measures.energy,
        chroma_signature=measures.signature,
        spectral_entropy=measures.spectral_entropy,
        shape=(tensor.rows, tensor.cols, tensor.layers),
        tensor_sha256=sha256,
        metadata_json=metadata_of(episode, run),
        profile_id=episode.profile_id,
        tensor_blob=blob,
    )


def metadata_of(episode: Episode, run: RunFacts) -> str:
    """The metadata object as canonical JSON: `metadata_head` and what sorts after it."""
    plan = episode.plan
    rest = {
        "schema_version": SCHEMA_VERSION,
        "source": plan.source,
        "parents": [parent.dream_id for parent in episode.parents],
        "shares": plan.shares,
        "episode": plan.episode,
        "seed": {"run": run.seed, "ordinal": run.ordinal},
        "profile_id": episode.profile_id,
        "target": plan.target,
        "entropy_window": plan.window,
        "operators": episode.grown.operators,
        "seeded": episode.grown.seeded.detail,
        "gate": episode.gate,
    }
    return f"{run.metadata_head},{_canonical(rest)[1:]}"


def _ancestor(part: Ancestry, inputs: InputSet) -> Ancestor:
    match part.origin:
        case "image":
            return Ancestor(
                source="image", ancestor_id=inputs.pictures[part.number].image_id, share=part.share, split="train"
            )
        case "factoid":
            return Ancestor(
                source="factoid", ancestor_id=inputs.factoids[part.number].factoid_id, share=part.share, split="none"
            )
        case "random":
            return Ancestor(source="random", ancestor_id=None, share=part.share, split="none")
