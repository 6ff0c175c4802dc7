"""The Pareto front of candidates, and the volume that it covers.

In: candidates as ratios to the baseline (more perf is better; less p95_ms and watts). Out: those that no other beats in
everything; the hypervolume above a reference. Candidates that are unsafe, invalid or not measured are never on it, and
candidates of different metrics neither beat nor are beaten. The scalar score stands beside it and decides nothing here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.regimes import Metric


@dataclass(frozen=True)
class Point:
    """A candidate in the space of its objectives."""

    cand_id: str
    values: Mapping[Metric, float]
    """Ratios to the baseline, above 0 (`scoring.objectives`)."""
    is_eligible: bool
    """Measured, valid and not unsafe."""

    @property
    def gains(self) -> dict[Metric, float]:
        """Log ratios, turned so that more is better."""
        return {metric: math.log(value) * (1 if metric == "perf" else -1) for metric, value in self.values.items()}


def pareto_front(points: Sequence[Point]) -> tuple[str, ...]:
    """Ids of the eligible points that none beats, in the order given."""
    held = [(point.cand_id, point.gains) for point in points if point.is_eligible and point.values]
    return tuple(name for name, gains in held if not any(_beats(other, gains) for _, other in held))


def hypervolume(points: Sequence[Point], reference: Mapping[Metric, float]) -> float:
    """Volume, in log gains, of what the eligible points beat and `reference` (log gains) does not reach."""
    axes = sorted(reference)
    corners = [
        tuple(point.gains[axis] - reference[axis] for axis in axes)
        for point in points
        if point.is_eligible and sorted(point.values) == axes
    ]
    return _volume([corner for corner in corners if min(corner) > 0.0])


def _beats(first: Mapping[Metric, float], second: Mapping[Metric, float]) -> bool:
    if first.keys() != second.keys():
        return False
    pairs = [(first[metric], second[metric]) for metric in first]
    return all(mine >= its for mine, its in pairs) and any(mine > its for mine, its in pairs)


def _volume(corners: Sequence[tuple[float, ...]]) -> float:
    """Volume of the union of boxes from the origin to each corner, slice by slice along the last axis."""
    if not corners:
        return 0.0
    if len(corners[0]) == 1:
        return max(corner[0] for corner in corners)
    total, ordered = 0.0, sorted(corners, key=lambda corner: -corner[-1])
    for at, corner in enumerate(ordered):
        floor = ordered[at + 1][-1] if at + 1 < len(ordered) else 0.0
        if corner[-1] > floor:
            total += (corner[-1] - floor) * _volume([other[:-1] for other in ordered[: at + 1]])
    return total
