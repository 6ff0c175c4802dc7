"""A night as one static page: no script, nothing from outside, the same bytes for the same night.

In: a night, and what a check of its files found. Out: HTML text, and the file it goes into. Verdict, a tile for each
seed type with value and threshold, the listed seeds, the numbers observed, sandbox, check, digests. No dream is in it:
the pictures are the signs of the seed types alone.
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from actors.nightly_observer.glyphs import seed_glyph
from actors.nightly_observer.verifying import Finding
from bus.files import write_atomically
from schemas.dream_artifact import SeedLine
from schemas.dream_seeds import SEED_TYPES, SeedType
from schemas.night_places import night_folder
from supervisor.home import Home
from supervisor.nightly.explaining import rule_of
from supervisor.nightly.reading import Closest, NightView
from supervisor.recorded.exporting import new_file
from supervisor.regimes.html_report import STYLE

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
TILES: Final = """
.tiles { display: flex; flex-wrap: wrap; gap: .8rem } .tile { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .8rem 1rem; flex: 1 1 11rem } .tile h3 { margin: 0 0 .3rem; font-size: 1rem }
.tile svg { background: none; color: var(--soft); margin: 0 } .fires svg { color: var(--candidate) }
.verdict { font-size: 1.15rem; border-left: .3rem solid var(--candidate); padding-left: .8rem }
"""
PAGE_FILE: Final = "report.html"
MOST_NUMBERS: Final = 400


def draw_page(night: NightView, checked: Sequence[Finding]) -> str:
    """The whole page."""
    block = night.block
    tiles = "".join(_tile(seed_type, night) for seed_type in SEED_TYPES)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Night of {night.date}</title><style>{STYLE}{TILES}</style></head><body>\n"
        f"<h1>Night of {night.date}</h1>"
        f'<p class="verdict">{escape(verdict(night))}</p>'
        '<p class="soft" data-diagnostic-only="true">diagnostic_only: a dream is another rendering of the logs of a '
        "day; nothing learns from it.</p>\n"
        f'<h2>Seeds</h2><div class="tiles">{tiles}</div>{_seeds(block.seeds, block.seeds_summary.total)}\n'
        f"<h2>Observed</h2>{_observed(night)}\n"
        f"<h2>Kept</h2>{_kept(night, checked)}</body></html>\n"
    )


def verdict(night: NightView) -> str:
    """The night in one line."""
    block = night.block
    seeds = block.seeds_summary.total
    found = f"{seeds} seed{'' if seeds == 1 else 's'}"
    if block.is_partial:
        found += " so far, the day was not over"
    if block.status == "skipped":
        return f"{found}; no dream: {block.skip_reason}"
    gone = f", {night.expired} expired" if night.expired else ""
    return f"{found}; {block.count} dream{'' if block.count == 1 else 's'}, {block.privacy.content}{gone}"


def draw_short(night: NightView, checked: Sequence[Finding], path: str) -> list[str]:
    """The night as a few lines of text."""
    block = night.block
    lines = [f"night of {night.date}: {verdict(night)}"]
    lines += [f"  {at:>2}  {_short(seed)}" for at, seed in enumerate(block.seeds, 1)]
    lines += [f"  check: {each.kind}, {each.what}" for each in checked]
    return [*lines, f"  page: {path}"]


def place_page(home: Home, date: str, page: str, chosen: Path | None, *, is_forced: bool) -> Path:
    """Write the page to `chosen`, or beside the night; where it is. Raises UsageError, OSError."""
    if chosen is None:
        path = home.root / night_folder(date) / PAGE_FILE
        write_atomically(path, page.encode(), 0o600)
        return path
    with new_file(chosen, is_forced=is_forced) as file:
        file.write(page.encode())
    return chosen


def _short(seed: SeedLine) -> str:
    return f"{seed.type:<16}{seed.value:g} {seed.op} {seed.threshold:g}, n = {seed.n}, {seed.tone}"


def _tile(seed_type: SeedType, night: NightView) -> str:
    """The sign, the count, and the value that came closest, or went furthest, against its threshold."""
    count = getattr(night.block.seeds_summary, seed_type)
    first: SeedLine | Closest | None = next((seed for seed in night.block.seeds if seed.type == seed_type), None)
    first = first or night.closest.get(seed_type)
    told = f"{_number(first.value)} {escape(first.op)} {_number(first.threshold)}, n = {first.n}" if first else "-"
    if first and not count:
        told = f"not reached: {told}"
    return (
        f'<div class="tile{" fires" if count else ""}">{seed_glyph(seed_type)}<h3>{seed_type.replace("_", " ")}</h3>'
        f'<b>{count}</b> <span class="soft">{told}</span></div>'
    )


def _seeds(seeds: Iterable[SeedLine], total: int) -> str:
    rows = [
        (
            str(at),
            escape(seed.type),
            escape(seed.tone),
            f"{_number(seed.value)} {escape(seed.op)} {_number(seed.threshold)}",
            str(seed.n),
            f"{escape(seed.formula)}<br><span class='soft'>{escape(rule_of(seed.formula).text)}</span>",
            "<br>".join(f"<code>{escape(anchor)}</code>" for anchor in seed.anchors),
        )
        for at, seed in enumerate(seeds, 1)
    ]
    more = f'<p class="soft">{total - len(rows)} more are counted above.</p>' if total > len(rows) else ""
    return _table(("", "seed", "tone", "value and threshold", "n", "formula", "anchors"), rows) + more if rows else more


def _observed(night: NightView) -> str:
    shown = [(name, value) for name, value in night.numbers.items() if not name.startswith("seeds.")]
    rows = [(f"<code>{escape(name)}</code>", _number(value)) for name, value in shown[:MOST_NUMBERS]]
    return _table(("number", "value"), rows) if rows else "<p>Nothing was observed.</p>"


def _kept(night: NightView, checked: Sequence[Finding]) -> str:
    block = night.block
    found = "<br>".join(escape(f"{each.kind}: {each.what}") for each in checked)
    rows = [
        ("sandbox", escape(block.sandbox)),
        ("ids", f"{block.privacy.id_privacy}; content {block.privacy.content}"),
        ("check", found or "-"),
        ("inputs", f"<code>{block.inputs_sha256 or '-'}</code>"),
        ("night before", f"<code>{block.prev_nightly_sha256 or '-'}</code>"),
        ("settings", f"<code>{block.config_sha256}</code>"),
        ("method", f"kernel {escape(block.kernel_version)}, <code>{block.method_sha256}</code>"),
        ("wording", f"renderer {escape(block.renderer_version or '-')}"),
        *((f"dream {at}", f"<code>{escape(ref)}</code>") for at, ref in enumerate(block.artifact_refs, 1)),
    ]
    return _table(("", ""), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float) -> str:
    return f"{value:.6g}"
