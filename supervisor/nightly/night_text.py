"""What came of nights, as lines for people.

In: reports, findings, comparisons. Out: lines. Numbers and words of closed sets alone; no line of a dream is drawn here
but by `draw_dream`, which its reader has opened.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from actors.nightly_observer.verifying import Finding
from schemas.dream_artifact import DreamArtifact, SkipReason
from schemas.dream_seeds import SEED_TYPES
from schemas.night_report import NightReport
from supervisor.nightly.comparing import Compared
from supervisor.tables import draw_table

WAYS_OUT: Final[dict[SkipReason, str]] = {
    "disabled": "dream.enable is false in runtime.yaml",
    "input_error": "nothing could be read that a night looks at; the notes say what",
    "no_recipient": (
        "dreams are sealed, and nobody is named who may open them, or by a damaged recipient: `supervisor nightly "
        "keygen --out FILE` makes an identity and tells what to put into runtime.yaml"
    ),
    "no_vault": "dreams are sealed by pyrage, which is not installed: pip install 'oneiros[vault]'",
    "all_zero": "every counter is zero; dream.generate_when.allow_if_all_zero would dream all the same",
    "no_seeds": "nothing is over its threshold",
    "below_min_seeds": "fewer seeds than dream.generate_when.min_seeds",
    "max_zero": "dream.max_per_night is 0",
    "seeds_only": "only seeds were asked for",
}
"""What each reason says, and what changes it."""


def draw_report(report: NightReport) -> list[str]:
    """A night in a few lines."""
    lines = [report.line()]
    block = report.block
    if block is not None:
        counts = block.seeds_summary
        lines.append("  seeds    " + ", ".join(f"{name} {getattr(counts, name)}" for name in SEED_TYPES))
        lines += [f"  dream    {ref}" for ref in block.artifact_refs]
        lines.append(f"  sandbox  {block.sandbox}")
        if block.is_partial:
            lines.append("  partial  the day was not over; a later run looks at more of it")
        if block.skip_reason is not None:
            lines.append(f"  skipped  {WAYS_OUT[block.skip_reason]}")
    return [*lines, *(f"  note     {note}" for note in report.notes)]


def draw_findings(found: Sequence[Finding]) -> list[str]:
    """One row a finding."""
    rows = [("night", "verdict", "what", "dream")]
    rows += [(each.date, each.kind, each.what, each.ref or "") for each in found]
    return draw_table(rows, left=range(4)) if found else ["there are no nights yet; `supervisor nightly run` lives one"]


def draw_compared(compared: Compared) -> list[str]:
    """What a replay showed."""
    if compared.is_same:
        return [f"night of {compared.date}: the same again"]
    lines = [f"night of {compared.date}: it comes out differently"]
    if compared.method_changed:
        lines.append("  method_changed: formulas are other ones than those of the night")
    if compared.wording_changed:
        lines.append("  wording_changed: the renderer tells the same scenes in other words than that of the night")
    lines += [f"  seed   {seed}" for seed in compared.changed_seeds]
    lines += [f"  input  {path}" for path in compared.changed_inputs]
    return [*lines, *_notes(compared.notes)]


def draw_dream(artifact: DreamArtifact) -> list[str]:
    """A dream that was opened."""
    head = f"{artifact.dream_id}: {', '.join(artifact.reasons)}; diagnostic only, it means nothing"
    return [head, "", artifact.prompt]


def _notes(notes: Iterable[str]) -> list[str]:
    return [f"  note   {note}" for note in notes]
