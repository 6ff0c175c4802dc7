"""The drift of a friend as a picture.

In: a history. Out: a PNG with one line for each instrument, from 0 to 1: the effective number of fragments as a share
of the most that there were. An instrument that cannot be measured yet begins later. Refused: a history without two
dialogues.
"""

from collections.abc import Sequence
from pathlib import Path

from supervisor.errors import UsageError
from supervisor.friend.looking import DriftHistory
from supervisor.recorded.exporting import new_file


def write_chart(history: DriftHistory, path: Path, *, is_forced: bool) -> None:
    """Draw `history` into the file at `path`. Raises UsageError."""
    from supervisor.experiments.charting import Chart, draw_chart

    points = history.points
    if len(points) < 2:
        raise UsageError(f"a curve needs two dialogues, the friend of {history.host} has {len(points)}")
    most = max(point.effective_fragments for point in points) or 1.0
    series: dict[str, Sequence[float | None]] = {
        "origin share": [point.origin_share for point in points],
        "lexical distance": [point.lexical_distance for point in points],
        "turnover": [point.turnover for point in points],
        f"effective / {most:.1f}": [point.effective_fragments / most for point in points],
    }
    chart = Chart(f"Drift of the friend of {history.host}", "dialogue", series, first=1)
    with new_file(path, is_forced=is_forced) as file:
        file.write(draw_chart(chart))
