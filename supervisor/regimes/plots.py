"""Plots of a candidate as SVG: trials against the baseline, changes with intervals, the evolution curve.

In: a pack, a judgement, curves. Out: SVG text, whose colours follow the page; an empty text where there is nothing to
draw. Values of different regimes share an axis as shares of their baseline, so that 0 is "the same".
"""

import math
from collections.abc import Sequence
from html import escape
from statistics import fmean
from typing import Final, NamedTuple

from schemas.candidate_pack import CandidatePack, Judgement, RegimeArtifacts, RegimeResult
from schemas.evidence import Change
from schemas.regimes import Metric

WIDTH: Final = 480
ROW: Final = 34
LEFT: Final = 112
RIGHT: Final = 40
TOP: Final = 34
BOTTOM: Final = 30
TICKS: Final = 6
CURVE_COLOURS: Final = ("var(--candidate)", "var(--open)", "var(--baseline)")


class Curve(NamedTuple):
    """Points over generations."""

    name: str
    points: tuple[tuple[float, float], ...]


class _Axis(NamedTuple):
    low: float
    high: float
    first: float
    last: float
    """Where `low` and `high` lie, in pixels."""

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values within the range, 0 among them where it lies in it."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(part * power for part in (1.0, 2.0, 5.0, 10.0) if part * power >= rough * (1.0 - 1e-9))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [number * step for number in range(first, last + 1)]


def trials_plot(pack: CandidatePack, metric: Metric) -> str:
    """Trials as dots, the candidate's above the default's, and its mean with the 95 % interval; 0 is the baseline."""
    rows = [(row, base) for row in pack.regimes if (base := getattr(row.baseline, metric)) and _values(row, metric)]
    if not rows:
        return ""
    default = {row.regime: _default_values(row, metric) for row in pack.artifacts.regimes}
    shown = [(value, base) for row, base in rows for value in (*_values(row, metric), *default.get(row.regime, ()))]
    axis = _across([*(value / base - 1.0 for value, base in shown), 0.0])
    body = [_zero(axis, len(rows))]
    for at, (row, base) in enumerate(rows):
        y = TOP + at * ROW + ROW / 2
        body.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{row.regime}</text>')
        places = [axis.at(value / base - 1.0) for value in _values(row, metric)]
        body += [
            f'<circle cx="{x:.1f}" cy="{y - 4:.1f}" r="3" fill="var(--candidate)" opacity="0.35"/>' for x in places
        ]
        places = [axis.at(value / base - 1.0) for value in default.get(row.regime, ())]
        body += [f'<circle cx="{x:.1f}" cy="{y + 8:.1f}" r="3" fill="var(--baseline)" opacity="0.35"/>' for x in places]
        interval = getattr(row.ci95, metric)
        span = tuple(end / base - 1.0 for end in interval) if interval else None
        body.append(_mark(axis, y - 4, fmean(_values(row, metric)) / base - 1.0, span, "var(--candidate)"))
    unit = pack.artifacts.units.get(metric, "")
    title = f"{metric}{f', {unit}' if unit else ''}: change from the stored baseline"
    return _svg(title, body, axis, len(rows))


def changes_plot(judgement: Judgement) -> str:
    """The paired change of every regime and metric with its interval, coloured by verdict."""
    shown = [change for change in (judgement.overall, *judgement.changes) if change is not None]
    if not shown:
        return ""
    ends = [end for change in shown for end in (*(change.t_interval or ()), change.change)]
    axis = _across([*(max(-1.0, min(end, 3.0)) for end in ends), 0.0])
    body = [_zero(axis, len(shown))]
    for at, change in enumerate(shown):
        y = TOP + at * ROW + ROW / 2
        body.append(f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(_named(change))}</text>')
        mark = _mark(axis, y, change.change, change.t_interval, _colour(change))
        body.append(f"<g>{mark}<title>{escape(change.reason)}</title></g>")
    return _svg("paired change, 95 % interval", body, axis, len(shown))


def evolution_plot(curves: Sequence[Curve]) -> str:
    """Score over generations."""
    if not curves:
        return ""
    points = [point for curve in curves for point in curve.points]
    across = _Axis(*_spread([x for x, _ in points]), LEFT, WIDTH - RIGHT)
    height = TOP + 5 * ROW
    up = _Axis(*_spread([y for _, y in points]), height, TOP)
    body = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up.at(tick):.1f}" y2="{up.at(tick):.1f}" stroke="var(--line)"/>'
        f'<text class="soft" x="{LEFT - 8}" y="{up.at(tick) + 4:.1f}" text-anchor="end">{tick:.3g}</text>'
        for tick in up.ticks()
    ]
    for at, curve in enumerate(curves):
        colour = CURVE_COLOURS[at % len(CURVE_COLOURS)]
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in curve.points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [
            f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3" fill="{colour}"/>' for x, y in curve.points
        ]
        legend = TOP + 5 * ROW + 40 + 18 * at
        body.append(f'<rect x="{LEFT}" y="{legend - 9}" width="12" height="12" fill="{colour}"/>')
        body.append(f'<text x="{LEFT + 18}" y="{legend + 2}">{escape(curve.name)}</text>')
    whole = sorted({round(x) for x, _ in points})
    body += [
        f'<text class="soft" x="{across.at(x):.1f}" y="{height + 18}" text-anchor="middle">{x}</text>'
        for x in whole[:: max(1, len(whole) // 8)]
    ]
    return _framed("score_v2 by generation", body, height + BOTTOM + 18 * len(curves) + 14)


def _values(row: RegimeResult, metric: Metric) -> list[float]:
    return [value for value in getattr(row.kpis, metric) if value is not None]


def _default_values(row: RegimeArtifacts, metric: Metric) -> list[float]:
    """What the default genome showed between the candidate's trials."""
    readings = (trial.readings.get(metric) for trial in row.trials if trial.arm == "baseline" and trial.pair >= 0)
    return [reading.value for reading in readings if reading is not None and reading.value is not None]


def _named(change: Change) -> str:
    return "mean gain" if change.regime == "all" else f"{change.regime} {change.metric}"


def _colour(change: Change) -> str:
    """Green for a gain that is shown, red for a loss that is, grey for the rest."""
    if change.verdict == "improved":
        return "var(--good)"
    low, high = change.t_interval or (0.0, 0.0)
    is_worse = low > 0.0 if change.metric in ("p95_ms", "watts") else high < 0.0
    return "var(--bad)" if is_worse else "var(--open)"


def _mark(axis: _Axis, y: float, value: float, interval: Sequence[float] | None, colour: str) -> str:
    """A diamond at `value` with a bar over `interval`."""
    x = axis.at(min(max(value, axis.low), axis.high))
    diamond = f'<path d="M {x - 6:.1f} {y:.1f} l 6 -6 l 6 6 l -6 6 z" fill="{colour}"/>'
    if not interval:
        return diamond
    first, last = (axis.at(min(max(end, axis.low), axis.high)) for end in interval)
    line = f'x1="{first:.1f}" x2="{last:.1f}" y1="{y:.1f}" y2="{y:.1f}"'
    return f'<line {line} stroke="{colour}" stroke-width="3"/>{diamond}'


def _across(values: Sequence[float]) -> _Axis:
    return _Axis(*_spread(values), LEFT, WIDTH - RIGHT)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """A range around `values` that is not empty."""
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or max(0.01, abs(high) * 0.05)
    return low - margin, high + margin


def _zero(axis: _Axis, rows: int) -> str:
    x, bottom = axis.at(0.0), TOP + rows * ROW
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="var(--baseline)" stroke-dasharray="4 3"/>'


def _svg(title: str, body: Sequence[str], axis: _Axis, rows: int) -> str:
    bottom, values = TOP + rows * ROW, axis.ticks()
    digits = 0 if max(map(abs, values)) >= 0.1 else 1
    place = f'y="{bottom + 18}" text-anchor="middle"'
    ticks = [f'<text class="soft" x="{axis.at(x):.1f}" {place}>{_percent(x, digits)}</text>' for x in values]
    return _framed(title, [*body, *ticks], bottom + BOTTOM)


def _percent(share: float, digits: int) -> str:
    return "0" if abs(share) < 1e-9 else f"{share:+.{digits}%}"


def _framed(title: str, body: Sequence[str], height: float) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
        f'<text x="12" y="20">{escape(title)}</text>{"".join(body)}</svg>'
    )
