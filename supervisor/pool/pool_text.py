"""What there is to see of the pool, as text.

In: the results of the `supervisor pool` commands. Out: lines for a terminal, without colour.
"""

import json
from datetime import UTC, datetime

from supervisor.pool.exporting import PoolExported
from supervisor.pool.importing import PoolImported
from supervisor.pool.looking import DreamDetails, DreamPage, DreamRow, Lineage, PoolFigures, Relative
from supervisor.pool.verifying import DamagedDream, PoolVerification
from supervisor.tables import draw_table, size_text

HEADINGS = ("seq", "id", "time", "source", "colour", "bin", "coherence", "utility", "feedback", "")
MOST_DAMAGES = 50
BAR_WIDTH = 40


def draw_page(page: DreamPage) -> list[str]:
    """A row for each dream."""
    if not page.dreams:
        return [f"no dream on page {page.page} of {page.pages}" if page.total else "no dream is like that"]
    table = draw_table([HEADINGS, *(_row(dream) for dream in page.dreams)], left={1, 2, 3, 4, 9})
    return [*table, f"page {page.page} of {page.pages}, {page.total} dreams"]


def _row(dream: DreamRow) -> tuple[str, ...]:
    return (
        str(dream.sequence),
        dream.id,
        time_text(dream.timestamp_ns),
        dream.source,
        colour_text(dream.colour),
        str(dream.bin),
        f"{dream.coherence:.3f}",
        "-" if dream.utility is None else f"{dream.utility:+.4f}",
        str(dream.feedback),
        "pinned" if dream.is_pinned else "",
    )


def draw_details(details: DreamDetails) -> list[str]:
    """Everything about one dream."""
    dream, facts = details.dream, details.facts
    worth = "nobody has judged it" if dream.utility is None else f"{dream.utility:+.5f} over {dream.feedback} records"
    rows, cols, layers = facts["shape"]
    named = {
        "dream": f"{dream.id}, number {dream.sequence}{', pinned' if dream.is_pinned else ''}",
        "time": f"{time_text(dream.timestamp_ns)}, run {dream.run_id}",
        "seeded from": f"{dream.source}{_seeds(facts)}",
        "colour": f"{colour_text(dream.colour)}, hue {details.hue:.1f}, bin {dream.bin}",
        "coherence": f"{dream.coherence:.5f}, entropy {dream.spectral_entropy:.5f}, energy {facts['energy']:.5f}",
        "utility": worth,
        "tensor": f"{rows} x {cols} x {layers}, {size_text(details.blob_bytes)} of {size_text(details.raw_bytes)}",
        "sha256": str(facts["tensor_sha256"]),
        "profile": str(facts["profile_id"] or "none"),
        "generation": f"{dream.generation}, root {facts['lineage_root']}",
        "parents": ", ".join(details.parents) or "none",
        "children": ", ".join(details.children) or "none",
        "metadata": json.dumps(details.metadata),
    }
    return [f"{name:<12} {text}" for name, text in named.items()]


def _seeds(facts: dict[str, object]) -> str:
    image, factoids = facts["image_id"], facts["factoid_ids"]
    named = [f"image {image}"] if image else []
    named += [f"fact {factoid}" for factoid in factoids] if isinstance(factoids, list | tuple) else []
    return f": {', '.join(named)}" if named else ""


def draw_lineage(lineage: Lineage) -> list[str]:
    """Ancestors above, descendants below, nearest next to the dream."""
    lines = [_relative(relative) for relative in reversed(lineage.ancestors)]
    lines.append(f"  0  {lineage.id}  (root {lineage.root})")
    lines += [_relative(relative) for relative in lineage.descendants]
    return [*lines, "more are not shown"] if lineage.is_cut else lines


def _relative(relative: Relative) -> str:
    absent = "evicted" if relative.is_evicted else "never in the pool"
    told = absent if relative.dream is None else f"{relative.dream.source}, {_coherence(relative.dream)}"
    role = "parent" if relative.depth < 0 else "child"
    return f"{relative.depth:+3d}  {relative.id}  {told}, {role} of {relative.via}"


def _coherence(dream: DreamRow) -> str:
    return f"coherence {dream.coherence:.3f}"


def draw_figures(pool: PoolFigures) -> list[str]:
    """The pool in figures, and how its colours lie."""
    lines = [f"{name:<20} {_figure(name, value)}" for name, value in pool.figures.items()]
    lines += [f"{'dreams from ' + source:<20} {count}" for source, count in pool.by_source.items()]
    lines += [f"{'dreams of a run':<20} {run} {count}" for run, count in pool.by_run.items()]
    largest = max((*pool.by_bin, 1))
    for index, count in enumerate(pool.by_bin):
        name = "grey" if index == len(pool.by_bin) - 1 else f"bin {index}"
        lines.append(f"{name:<8} {'#' * -(-count * BAR_WIDTH // largest):<{BAR_WIDTH}} {count}")
    return [*lines, f"{'file version':<20} {pool.schema_version}"]


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("_bytes"):
        return size_text(value)
    return f"{value:.5f}" if value % 1 else f"{value:.0f}"


def draw_verification(found: PoolVerification) -> list[str]:
    """What is damaged, then the verdict."""
    lines = [*found.faults, *_damages(found.damaged)]
    verdict = "whole" if found.is_whole else f"{len(found.damaged)} dreams damaged, {len(found.faults)} faults"
    return [*lines, f"{found.dreams} dreams, {size_text(found.raw_bytes)} hashed: {verdict}"]


def draw_export(exported: PoolExported) -> list[str]:
    """What was written, and what was left out."""
    what = f"{exported.dreams} dreams, {'with' if exported.has_tensors else 'without'} tensors"
    lines = [f"{exported.output}: {what}, {size_text(exported.size_bytes)}"]
    return [*(f"left out: {line}" for line in _damages(exported.damaged)), *lines]


def draw_import(imported: PoolImported) -> list[str]:
    """What was taken in, and what was not."""
    lines = [f"left out: {line}" for line in _damages(imported.damaged)]
    if imported.refused:
        lines.append(f"{imported.refused} dreams were refused; `supervisor logs --actor pool-keeper` says why")
    told = f"{imported.imported} of {imported.found} dreams imported, {imported.duplicates} were there already"
    return [*lines, f"{told}, {imported.renamed} have a new id" if imported.renamed else told]


def _damages(damaged: tuple[DamagedDream, ...]) -> list[str]:
    lines = [f"dream {dream.id} ({dream.sequence}): {dream.reason}" for dream in damaged[:MOST_DAMAGES]]
    return [*lines, f"and {len(damaged) - MOST_DAMAGES} more"] if len(damaged) > MOST_DAMAGES else lines


def time_text(timestamp_ns: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(timestamp_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def colour_text(colour: tuple[float, float, float]) -> str:
    """`#rrggbb`."""
    return "#" + "".join(f"{int(component * 255.0 + 0.5):02x}" for component in colour)
