"""What stands in an export of a pool, made into facts and blobs again.

In: an exported object, or a line that holds one; raw tensors. Out: the facts of a dream; its tensor, compressed and
verified. Refused: what is no export of ours, by its place; a tensor that is not the declared one.
"""

import json
from typing import Any

import numpy as np
from pydantic import ValidationError

from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from schemas.tensor import encode
from supervisor.errors import UsageError


def facts_of(tree: dict[str, Any], where: str) -> DreamFacts:
    """The facts in an exported object. Raises UsageError naming `where`."""
    known = {name: tree[name] for name in DreamFacts.model_fields if name in tree}
    try:
        digest = bytes.fromhex(str(known.get("tensor_sha256")))
        facts = DreamFacts.model_validate_json(json.dumps({**known, "tensor_sha256": "-" * len(digest)}))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"]))
        raise UsageError(f"{where}: {place}: {found['msg']}; nothing was imported") from error
    except ValueError as error:
        raise UsageError(f"{where}: tensor_sha256 is no hexadecimal text; nothing was imported") from error
    return facts.model_copy(update={"tensor_sha256": digest})


def tree_of_line(line: bytes, where: str) -> dict[str, Any]:
    """The object in a line of an export. Raises UsageError naming `where`."""
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = str(error) if line.endswith(b"\n") else "the file is cut short"
        raise UsageError(f"{where}: no line of an export ({reason}); nothing was imported") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{where}: no line of an export; nothing was imported")
    return tree


def compressed(raw: bytes, facts: DreamFacts) -> bytes:
    """The blob of a raw tensor, which must be the one of `facts`. Raises TensorRefusedError."""
    rows, cols, layers = facts.shape
    if len(raw) != rows * cols * layers * 3 * 4:
        raise TensorRefusedError(f"{len(raw)} bytes are no tensor of {rows} x {cols} x {layers}")
    blob, sha256 = encode(np.frombuffer(raw, dtype="<f4").reshape(rows, cols, layers, 3))
    if sha256 != facts.tensor_sha256:
        raise TensorRefusedError("sha256 of the raw buffer differs from the one declared")
    return blob
