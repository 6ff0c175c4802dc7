"""The profile and its explanation as JSON files, and the way back from the explanation to the profile.

In: a profile and what it was made of. Out: `data/bias_profile.json`, being the fields of BiasProfile with
`schema_version` and `updated_at` (UTC text) beside them, and `data/bias_explanation.json`. It refuses JSON that is
not a profile.

The explanation alone is enough to recompute the profile, with any tool, by the formulas of `synthesis`: under
`config` are the settings, under `dreams` the mean utility, number of records, colour, entropy, source and weight of
each dream, under `previous` the profile that was sent before (null for the first). From them follow `bins` (mean and
weight of each), `sources` (mean of each), the `prior_share` of each dream, `wanted` (the numbers that the feedback
asks for) and `profile` (what `max_step` allows of them). Floats are written such that they read back to the same
bits. An explanation of the kind `carried over` has no dreams: the numbers are those of `previous`, sent again when a
run begins.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from actors.bias_synthesizer.aggregation import SOURCES, DreamWorth
from actors.bias_synthesizer.bins import weigh_bins
from actors.bias_synthesizer.learners import Standing
from actors.bias_synthesizer.synthesis import (
    BinNumbers,
    ProfileNumbers,
    prior_weights,
    source_means,
    synthesize,
)
from schemas.bias import BiasProfile, BinWeight, Exemplar, SeedWeights
from schemas.colour import hue_bin
from schemas.errors import SchemaError
from schemas.settings import BiasSettings

SCHEMA_VERSION: Final = 1
PROFILE_PATH: Final = "data/bias_profile.json"
EXPLANATION_PATH: Final = "data/bias_explanation.json"
MAX_FILE_BYTES: Final = 1024 * 1024
SYNTHESIZED: Final = "synthesized"
CARRIED: Final = "carried over"

Document = dict[str, Any]


class ProfileRefusedError(SchemaError):
    """A file claims to be a bias profile and is none."""


def profile_document(profile: BiasProfile) -> Document:
    """The profile as plain JSON values."""
    fields: Document = json.loads(profile.model_dump_json())
    return {"schema_version": SCHEMA_VERSION, "updated_at": utc_text(profile.updated_at_ns), **fields}


def parse_profile(data: bytes) -> BiasProfile:
    """The profile in the bytes of a profile file; raises ProfileRefusedError naming what is wrong."""
    if len(data) > MAX_FILE_BYTES:
        raise ProfileRefusedError(f"{len(data)} bytes, a bias profile has at most {MAX_FILE_BYTES}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProfileRefusedError(f"not JSON ({error})") from error
    if not isinstance(document, dict):
        raise ProfileRefusedError("not a JSON object")
    version = document.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise ProfileRefusedError(f"schema_version is {version!r}, {SCHEMA_VERSION} is known")
    document.pop("updated_at", None)
    try:
        return BiasProfile.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "profile"
        raise ProfileRefusedError(f"{place}: {first['msg']}") from error


def profile_of(numbers: ProfileNumbers, chroma_bins: int, profile_id: str, now_ns: int) -> BiasProfile:
    """The message that carries `numbers`."""
    factoid, image, pool, noise = numbers.seed_weights
    return BiasProfile(
        profile_id=profile_id,
        updated_at_ns=now_ns,
        chroma_prior=numbers.chroma_prior,
        hue_concentration=numbers.hue_concentration,
        entropy_window=numbers.entropy_window,
        seed_weights=SeedWeights(
            factoid_weight=factoid, image_weight=image, pool_seed_weight=pool, random_weight=noise
        ),
        bins=tuple(BinWeight(bin=b.bin, weight=min(1.0, b.weight), count=b.dreams) for b in numbers.bins),
        chroma_bins=chroma_bins,
        exemplars=tuple(Exemplar(dream_id=dream_id, weight=weight) for dream_id, weight in numbers.exemplars),
        feedback_total=numbers.feedback_total,
    )


def numbers_of(profile: BiasProfile) -> ProfileNumbers:
    """The numbers that a message carries."""
    seeds = profile.seed_weights
    return ProfileNumbers(
        profile.chroma_prior,
        profile.hue_concentration,
        profile.entropy_window,
        (seeds.factoid_weight, seeds.image_weight, seeds.pool_seed_weight, seeds.random_weight),
        tuple(BinNumbers(entry.bin, entry.weight, entry.count) for entry in profile.bins),
        tuple((exemplar.dream_id, exemplar.weight) for exemplar in profile.exemplars),
        profile.feedback_total,
    )


def explain(
    dreams: Sequence[DreamWorth],
    previous: BiasProfile | None,
    wanted: ProfileNumbers,
    profile: BiasProfile,
    settings: BiasSettings,
    standings: Mapping[str, Standing],
) -> Document:
    """Everything that led from the dreams of the window over the `wanted` numbers to `profile`."""
    bins = weigh_bins(dreams, settings.chroma_bins)
    shares = prior_weights(dreams, bins, settings.chroma_bins)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": SYNTHESIZED,
        "config": settings.model_dump(),
        "previous": profile_document(previous) if previous else None,
        "learners": {
            name: {
                "records": standing.records,
                "weight": float(standing.weight),
                "scale": float(standing.scale),
                "share": float(standing.share),
            }
            for name, standing in standings.items()
        },
        "dreams": [
            {**dream._asdict(), "bin": hue_bin(dream.chroma_signature, settings.chroma_bins), "prior_share": share}
            for dream, share in zip(dreams, shares, strict=True)
        ],
        "bins": [{**worth._asdict(), "is_high": worth.is_high} for worth in bins],
        "sources": dict(zip(SOURCES, source_means(dreams), strict=True)),
        "wanted": profile_document(profile_of(wanted, settings.chroma_bins, profile.profile_id, profile.updated_at_ns)),
        "profile": profile_document(profile),
    }


def explain_carried(previous: BiasProfile, profile: BiasProfile, settings: BiasSettings) -> Document:
    """Where the profile of a run's beginning comes from."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": CARRIED,
        "config": settings.model_dump(),
        "previous": profile_document(previous),
        "learners": {},
        "dreams": [],
        "bins": [],
        "sources": {},
        "wanted": profile_document(profile),
        "profile": profile_document(profile),
    }


def recompute(explanation: bytes) -> ProfileNumbers:
    """The numbers of the profile, from `config`, `previous` and `dreams` of an explanation file and nothing else."""
    document: Document = json.loads(explanation)
    settings = BiasSettings.model_validate(document["config"])
    previous = document["previous"]
    before = numbers_of(parse_profile(json.dumps(previous).encode())) if previous else None
    if document["kind"] == CARRIED and before is not None:
        return carried(before, previous["chroma_bins"], settings)
    dreams = [
        DreamWorth(
            row["dream_id"],
            row["mean_utility"],
            row["records"],
            (row["chroma_signature"][0], row["chroma_signature"][1], row["chroma_signature"][2]),
            row["spectral_entropy"],
            row["source"],
            row["weight"],
        )
        for row in document["dreams"]
    ]
    return synthesize(dreams, before, settings)[1]


def carried(previous: ProfileNumbers, chroma_bins: int, settings: BiasSettings) -> ProfileNumbers:
    """The numbers of an earlier run's profile; its bins only where their layout is still the one in use."""
    return previous if chroma_bins == settings.chroma_bins else previous._replace(bins=())


def to_json(document: Document) -> bytes:
    """UTF-8 JSON with sorted keys: one key a line, and a list of objects one object a line."""
    lines = (f"{json.dumps(key)}: {_text(document[key])}" for key in sorted(document))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _text(value: object) -> str:
    if isinstance(value, list) and any(isinstance(row, dict) for row in value):
        return "[\n  " + ",\n  ".join(map(_text, value)) + "\n]"
    return json.dumps(value, sort_keys=True, allow_nan=False)


def utc_text(time_ns: int) -> str:
    """ISO 8601 in UTC with microseconds, of nanoseconds since the Unix epoch, by whole numbers alone."""
    seconds, rest_ns = divmod(time_ns, 10**9)
    days, second = divmod(seconds, 86_400)
    era_day = days + 719_468  # counted from 0000-03-01, so that a leap day ends its year
    era, day = divmod(era_day, 146_097)
    year_of_era = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = era * 400 + year_of_era + (month <= 2)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rest_ns // 1000:06d}"
    return f"{year:04d}-{month:02d}-{day_of_month:02d}T{clock}Z"
