"""The reports of one run, read back and shown: as text, as one JSON object, as one static page.

In: the folder of a run. Out: what its files say, nothing computed anew. The page has no script and takes nothing from
outside; plots are inside it where they were drawn. Every text from a file is escaped. A missing report is named.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from actors.learner.trainer.reports.plots import NAMES
from actors.learner.trainer.reports.writing import MANIFEST
from supervisor.errors import UsageError
from supervisor.regimes.html_report import STYLE
from supervisor.training.pairing import NAME
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import TrainingManifest, read_manifest

TEXTS: Final = ("session_summary.md", "val_summary.md")
DOCUMENTS: Final = ("train_summary.json", "validation_metrics.json", MANIFEST)


@dataclass(frozen=True)
class Shown:
    """What a run left."""

    manifest: TrainingManifest
    texts: dict[str, str]
    documents: dict[str, Any]
    plots: dict[str, bytes]
    comparison: dict[str, Any] | None

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        names = {name.removesuffix(".json"): document for name, document in self.documents.items()}
        return {"run_id": self.manifest.envelope.run_id, **names, "dream_comparison": self.comparison}

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        yield f"run {self.manifest.envelope.run_id}, began {self.manifest.envelope.sessions[0].started_at}"
        for text in self.texts.values():
            yield ""
            yield from text.splitlines()
        if self.comparison is not None:
            yield from ("", "# With dreams and without", "", *comparison_lines(self.comparison))
        yield from (f"note: {note}" for note in self.manifest.envelope.notes)


def show(folder: TrainingFolder) -> Shown:
    """Read the reports; raises DamagedError and UsageError."""
    manifest = read_manifest(folder)
    if manifest.envelope.removal is not None:
        removal = manifest.envelope.removal
        raise UsageError(f"{folder.run_id} was removed on {removal.date} ({removal.reason}); its manifest is left")
    comparison = folder.path / f"{NAME}.json"
    try:
        return Shown(
            manifest=manifest,
            texts={name: (folder.reports / name).read_text("utf-8") for name in TEXTS},
            documents={name: json.loads((folder.reports / name).read_bytes()) for name in DOCUMENTS},
            plots={name: (folder.reports / name).read_bytes() for name in NAMES if (folder.reports / name).is_file()},
            comparison=_comparison(comparison.read_bytes()) if comparison.is_file() else None,
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder.run_id}: a report cannot be read ({error}); see `supervisor train verify`"
        ) from error


def _comparison(content: bytes) -> dict[str, Any]:
    """What a file of a comparison says, without its own hash."""
    return {name: value for name, value in json.loads(content).items() if name != "sha256"}


def comparison_lines(tree: dict[str, Any]) -> Iterator[str]:
    """What a comparison says, in lines."""
    for one, other in zip(tree["with_dreams"], tree["without_dreams"], strict=True):
        first, second = one["test_accuracy"], other["test_accuracy"]
        yield f"seed {one['seed']}: test accuracy {first} with ({one['run_id']}), {second} without ({other['run_id']})"
    for name, spread in sorted(tree["paired"].items()):
        if spread is not None:
            yield f"{name}, with - without: {spread['mean']}, 95 % {spread['t_interval_95']}"
    yield f"verdict: {tree['verdict']}"


def draw_page(shown: Shown) -> str:
    """The page."""
    title = f"Training {escape(shown.manifest.envelope.run_id)}"
    blocks = "".join(_block(name, text) for name, text in shown.texts.items())
    if shown.comparison is not None:
        blocks += _block("With dreams and without", "\n".join(comparison_lines(shown.comparison)))
    pictures = "".join(
        f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
        for name, content in shown.plots.items()
    )
    absent = shown.documents[MANIFEST].get("absent", {})
    missing = "".join(f"<li>{escape(name)}: {escape(str(reason))}</li>" for name, reason in sorted(absent.items()))
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}img {{ max-width: 100% }}</style></head><body>\n"
        f"<h1>{title}</h1>\n{blocks}{pictures}{f'<ul>{missing}</ul>' if missing else ''}</body></html>\n"
    )


def _block(name: str, text: str) -> str:
    """A Markdown text: its tables as tables, its headings as headings."""
    parts: list[str] = []
    rows: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
            continue
        if rows:
            parts.append(_table(rows))
            rows = []
        if line.startswith("#"):
            parts.append(f"<h2>{escape(line.lstrip('# '))}</h2>")
        elif line:
            parts.append(f"<p>{escape(line)}</p>")
    return f'<section aria-label="{escape(name)}">{"".join(parts)}</section>\n'


def _table(rows: list[str]) -> str:
    cells = [[cell.strip() for cell in _cells(row)] for row in rows]
    head = "".join(f"<th>{escape(cell)}</th>" for cell in cells[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell.strip(chr(96)))}</td>' for cell in row)}</tr>" for row in cells[2:]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cells(row: str) -> list[str]:
    """The cells of a row of a table; `\\|` is no border."""
    inner = row.strip().removeprefix("|").removesuffix("|")
    return inner.replace("\\|", "\0").replace("\\\\", "\\").replace("|", "\n").replace("\0", "|").split("\n")
