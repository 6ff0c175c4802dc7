"""A log of what became of each sample: how many tokens, and their hash.

In: a tokenizer's description, the hash and the tokens of each sample, in order. Out: JSON lines without any time, the
same bytes for the same tokens, and the SHA-256 over them. It refuses nothing.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class TokenLog(NamedTuple):
    """The log of a tokenized dataset."""

    content: bytes
    """One JSON object a line; the first describes the tokenizer."""
    sha256: str
    """Hexadecimal SHA-256 of `content`."""


def token_hash(tokens: npt.NDArray[np.uint32]) -> str:
    """Hexadecimal SHA-256 of tokens as little-endian u32."""
    return hashlib.sha256(tokens.astype("<u4").tobytes()).hexdigest()


def write_token_log(
    description: Mapping[str, str | int], samples: Iterable[tuple[bytes, npt.NDArray[np.uint32]]]
) -> TokenLog:
    """The log of `samples`, pairs of the SHA-256 of a sample and its tokens [n]."""
    rows: list[Mapping[str, str | int]] = [description]
    for index, (sample, tokens) in enumerate(samples):
        rows.append({"index": index, "sample": sample.hex(), "sha256": token_hash(tokens), "tokens": len(tokens)})
    content = "".join(json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n" for row in rows).encode("ascii")
    return TokenLog(content, hashlib.sha256(content).hexdigest())
