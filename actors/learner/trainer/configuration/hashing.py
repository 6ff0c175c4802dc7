"""The canonical form of a configuration and its hash: equal content, equal bytes, whatever file it came from.

In: a resolved configuration and the digest of its splits. Out: JSON with sorted keys and no spaces, in ASCII, every
default written out; SHA-256 over it and the splits (seed 002, section V). Where a file lies, the order of its keys,
comments, TOML or YAML do not change it; a default that changes in the code does.
"""

import hashlib
import json
from typing import Final

from actors.learner.trainer.configuration.settings import TrainConfig

LABEL: Final = b"oneiros training configuration 1\n"


def canonical_bytes(config: TrainConfig) -> bytes:
    """The resolved configuration as canonical JSON; `loading.config_from_canonical` reads it back."""
    tree = config.model_dump(mode="json")
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def config_hash(config: TrainConfig, splits_digest: str) -> str:
    """Hexadecimal SHA-256 of the configuration together with the splits of its dataset."""
    return hashlib.sha256(LABEL + canonical_bytes(config) + b"\n" + splits_digest.encode("ascii")).hexdigest()
