"""What is to be seen of the pool: pages of dreams, one dream, its lineage, the pool in figures.

In: a reader of the pool. Out: records, which the commands draw or print as JSON. It changes nothing.
"""

import json
from typing import Any, Final

from actors.pool_keeper.reading import DreamFilter, DreamLine, Order, PoolReader
from schemas.base import Record
from schemas.colour import hue_bin, to_hsv
from schemas.tensor import raw_size

MAX_RELATIVES: Final = 10_000
"""Ancestors or descendants that are followed."""


class DreamRow(Record):
    """A dream in a list."""

    sequence: int
    id: str
    timestamp_ns: int
    source: str
    colour: tuple[float, float, float]
    """Mean red, green, blue."""
    bin: int
    """Hue bin of the colour; the number of bins stands for grey."""
    coherence: float
    spectral_entropy: float
    generation: int
    run_id: str
    feedback: int
    utility: float | None
    is_pinned: bool


class DreamPage(Record):
    """A page of a list."""

    total: int
    page: int
    pages: int
    dreams: tuple[DreamRow, ...]


class DreamDetails(Record):
    """One dream, whole."""

    dream: DreamRow
    hue: float
    """Degrees."""
    facts: dict[str, Any]
    metadata: Any
    """`metadata_json`, parsed; its text where it is no JSON."""
    raw_bytes: int
    blob_bytes: int
    parents: tuple[str, ...]
    children: tuple[str, ...]


class Relative(Record):
    """One dream of a lineage."""

    id: str
    depth: int
    """Steps away: negative for ancestors, positive for descendants, 0 for the dream itself."""
    via: str | None
    """The dream that it is a parent or a child of."""
    dream: DreamRow | None
    """None for a dream that the pool does not hold."""
    is_evicted: bool
    """Whether the pool held it once."""


class Lineage(Record):
    """Where a dream came from and what came from it."""

    id: str
    root: str
    ancestors: tuple[Relative, ...]
    """Nearest first."""
    descendants: tuple[Relative, ...]
    is_cut: bool
    """There are more than were followed."""


class PoolFigures(Record):
    """The pool in numbers."""

    figures: dict[str, int | float | None]
    by_source: dict[str, int]
    by_run: dict[str, int]
    by_bin: tuple[int, ...]
    """Dreams of each hue bin; the last are the greys."""
    tallies: dict[str, int]
    schema_version: int


def list_page(reader: PoolReader, wanted: DreamFilter, order: Order, page: int, size: int) -> DreamPage:
    """Page `page`, counted from 1, of `size` dreams each."""
    listed = reader.list_dreams(wanted, order, size, (page - 1) * size)
    dreams = tuple(row_of(reader, line, wanted.chroma_bins) for line in listed.dreams)
    return DreamPage(total=listed.total, page=page, pages=max(1, -(-listed.total // size)), dreams=dreams)


def row_of(reader: PoolReader, line: DreamLine, chroma_bins: int) -> DreamRow:
    """`line` as a record."""
    return DreamRow(**line._asdict(), bin=hue_bin(line.colour, chroma_bins), is_pinned=line.id in reader.pinned)


def show_dream(reader: PoolReader, text: str, chroma_bins: int) -> DreamDetails:
    """The dream that `text` names. Raises PoolError."""
    line = reader.find(text)
    facts = reader.facts(line.sequence)
    try:
        metadata: Any = json.loads(facts.metadata_json)
    except ValueError:
        metadata = facts.metadata_json
    tree = {**facts.model_dump(), "tensor_sha256": facts.tensor_sha256.hex()}
    del tree["metadata_json"]
    return DreamDetails(
        dream=row_of(reader, line, chroma_bins),
        hue=to_hsv(line.colour)[0],
        facts=tree,
        metadata=metadata,
        raw_bytes=raw_size(facts.shape),
        blob_bytes=reader.blob_bytes(line.sequence),
        parents=tuple(facts.parents),
        children=tuple(reader.children(line.id)),
    )


def trace_lineage(reader: PoolReader, text: str, chroma_bins: int) -> Lineage:
    """Everything that the dream of `text` came from, and that came from it. Raises PoolError."""
    line = reader.find(text)
    ancestors = _follow(reader, line.id, chroma_bins, direction=-1)
    descendants = _follow(reader, line.id, chroma_bins, direction=1)
    is_cut = max(len(ancestors), len(descendants)) >= MAX_RELATIVES
    root = reader.facts(line.sequence).lineage_root
    return Lineage(id=line.id, root=root, ancestors=ancestors, descendants=descendants, is_cut=is_cut)


def _follow(reader: PoolReader, dream_id: str, chroma_bins: int, direction: int) -> tuple[Relative, ...]:
    found: dict[str, tuple[int, str]] = {}
    level, depth = [dream_id], 0
    relatives_of = reader.parents if direction < 0 else reader.children
    while level and len(found) < MAX_RELATIVES:
        depth += direction
        news: dict[str, tuple[int, str]] = {}
        for via in level:
            news |= {i: (depth, via) for i in relatives_of(via) if i not in found and i not in news and i != dream_id}
        found |= news
        level = list(news)
    lines = reader.lines_of(list(found))
    rows = {i: row_of(reader, line, chroma_bins) for i, line in lines.items()}
    return tuple(
        Relative(id=i, depth=d, via=via, dream=rows.get(i), is_evicted=i not in rows and reader.is_evicted(i))
        for i, (d, via) in found.items()
    )


def count_pool(reader: PoolReader, chroma_bins: int) -> PoolFigures:
    """The pool in numbers."""
    by_bin = [0] * (chroma_bins + 1)
    for colour in reader.colours():
        by_bin[hue_bin(colour, chroma_bins)] += 1
    return PoolFigures(
        figures={**reader.figures(), "pinned": len(reader.pinned)},
        by_source=reader.counts_by("source"),
        by_run=reader.counts_by("run_id"),
        by_bin=tuple(by_bin),
        tallies=reader.tallies(),
        schema_version=reader.version(),
    )
