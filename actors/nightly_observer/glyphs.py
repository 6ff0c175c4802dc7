"""Scenes and seed types as pictures: SVG made of the structure alone, the same bytes for the same scene.

In: a scene, or a seed type. Out: an SVG element. Every thing is one circle in the colour of its bin, or in a shade of
its own where it has none; every relation is a line, every transform a mark: merged outlines, an echo, a mirror axis, a
link, closing walls, a frame. There is no text in a picture, and no anchor.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.colour import bin_hue
from schemas.scene import Bearing, Change, Place, Scene, SceneSeed, Strength, Thing

SIDE: Final = 320
RADIUS: Final = 14.0
LARGEST: Final = 25.0
"""Radius in a picture of one field, were it not bounded."""
JITTER: Final = 0.24
GREY: Final = "#8a8f98"
INK: Final = "#5b6675"
BINS: Final = 24
Point = tuple[float, float]

AREAS: Final[Mapping[Place, Point]] = {
    "left": (60.0, 160.0),
    "right": (260.0, 160.0),
    "near": (95.0, 245.0),
    "far": (230.0, 75.0),
    "above": (160.0, 70.0),
    "below": (160.0, 250.0),
    "centre": (160.0, 160.0),
    "edge": (265.0, 250.0),
}
"""Where things are in a picture that has one transform; with several, each has a field of its own."""
DASHES: Final[Mapping[Bearing, str]] = {"alike": "", "opposite": "2 4", "apart": "8 5", "stacked": "1 3", "held": "5 2"}
WIDTHS: Final[Mapping[Strength, str]] = {"neutral": "1.2", "slight": "2.2", "strong": "3.6"}


def svg(scene: Scene) -> str:
    """The picture of `scene`."""
    columns = max(1, math.ceil(math.sqrt(len(scene.transforms))))
    points, radius = _points(scene, columns), min(RADIUS, LARGEST / columns)
    lines = [_line(points[each.first], points[each.second], DASHES[each.bearing]) for each in scene.relations]
    marks = [
        _MARKS[each.change]([points[index] for index in each.on], radius, WIDTHS[each.strength])
        for each in scene.transforms
    ]
    discs = [_disc(thing, point, radius) for thing, point in zip(scene.elements, points, strict=True)]
    return _picture(SIDE, [*lines, *marks, *discs])


def seed_glyph(seed_type: SceneSeed) -> str:
    """The sign of a seed type, 48 by 48, in the colour of the text around it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="48" height="48">{_SIGNS[seed_type]}</svg>'
    )


def _points(scene: Scene, columns: int) -> list[Point]:
    """A place for each thing: in the field of its transform, in its area, moved a little by its anchor and number."""
    field_of = {index: at for at, transform in enumerate(scene.transforms) for index in transform.on}
    scale, points = 1.0 / columns, []
    for at, thing in enumerate(scene.elements):
        row, column = divmod(field_of.get(at, 0), columns)
        digest = hashlib.sha256(f"{thing.anchor}|{at}".encode()).digest()
        x, y = AREAS[thing.place][0] + JITTER * digest[0], AREAS[thing.place][1] + JITTER * digest[1]
        points.append(((x + SIDE * column - 128.0 * JITTER) * scale, (y + SIDE * row - 128.0 * JITTER) * scale))
    return points


def _disc(thing: Thing, point: Point, radius: float) -> str:
    if thing.bin is None:
        colour = f"hsl(215 9% {38 + hashlib.sha256(thing.anchor.encode()).digest()[2] % 38}%)"
    else:
        colour = GREY if thing.bin == BINS else f"hsl({bin_hue(thing.bin % BINS, BINS):.1f} 62% 52%)"
    return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{radius:.1f}" fill="{colour}"/>'


def _line(first: Point, second: Point, dash: str) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{first[0]:.1f}" y1="{first[1]:.1f}" x2="{second[0]:.1f}" y2="{second[1]:.1f}" '
        f'stroke="{INK}" stroke-width="1"{dashes}/>'
    )


def _blend(points: Sequence[Point], radius: float, width: str) -> str:
    """One outline around all of them."""
    left, top, right, bottom = _box(points, 1.6 * radius)
    return _rect((left, top, right, bottom), 2.0 * radius, width)


def _echo(points: Sequence[Point], radius: float, width: str) -> str:
    """Arcs that go on from the last of them."""
    x, y = points[-1]
    arcs = (
        f'<path d="M {x + reach:.1f} {y - reach:.1f} A {reach:.1f} {reach:.1f} 0 0 1 {x + reach:.1f} {y + reach:.1f}" '
        f'fill="none" stroke="{INK}" stroke-width="{width}"/>'
        for reach in (1.4 * radius, 1.9 * radius, 2.4 * radius)
    )
    return "".join(arcs)


def _invert(points: Sequence[Point], radius: float, width: str) -> str:
    """A mirror axis between them."""
    y = sum(point[1] for point in points) / len(points)
    left, _, right, _ = _box(points, 3.0 * radius)
    return _stroke([(left, y), (right, y)], width)


def _connect(points: Sequence[Point], _radius: float, width: str) -> str:
    """A curve from the first over the third to the second."""
    (ax, ay), (bx, by), (cx, cy) = points[0], points[1], points[-1]
    return (
        f'<path d="M {ax:.1f} {ay:.1f} Q {2 * cx - (ax + bx) / 2:.1f} {2 * cy - (ay + by) / 2:.1f} {bx:.1f} {by:.1f}" '
        f'fill="none" stroke="{INK}" stroke-width="{width}"/>'
    )


def _compress(points: Sequence[Point], radius: float, width: str) -> str:
    """Walls above and below."""
    left, top, right, bottom = _box(points, 1.5 * radius)
    return _stroke([(left, top), (right, top)], width) + _stroke([(left, bottom), (right, bottom)], width)


def _hold(points: Sequence[Point], radius: float, width: str) -> str:
    """A frame around the one that is held."""
    return _rect(_box(points[-1:], 1.6 * radius), 0.0, width)


def _box(points: Sequence[Point], margin: float) -> tuple[float, float, float, float]:
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across) - margin, min(down) - margin, max(across) + margin, max(down) + margin


def _rect(box: tuple[float, float, float, float], rounding: float, width: str) -> str:
    left, top, right, bottom = box
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" '
        f'rx="{rounding:.1f}" fill="none" stroke="{INK}" stroke-width="{width}"/>'
    )


def _stroke(points: Sequence[Point], width: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="{width}"/>'


def _picture(side: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}">'
        f"{''.join(parts)}</svg>"
    )


_MARKS: Final[Mapping[Change, Callable[[Sequence[Point], float, str], str]]] = {
    "blend": _blend,
    "echo": _echo,
    "invert": _invert,
    "connect": _connect,
    "compress": _compress,
    "hold": _hold,
}
_LINES: Final = 'fill="none" stroke="currentColor" stroke-width="2.5"'
_SIGNS: Final[Mapping[SceneSeed, str]] = {
    "duplicate": f'<circle cx="19" cy="24" r="11" {_LINES}/><circle cx="29" cy="24" r="11" {_LINES}/>',
    "conflict": f'<path d="M 24 8 L 36 20 H 12 Z M 24 40 L 12 28 H 36 Z M 6 24 H 42" {_LINES}/>',
    "bridge": f'<path d="M 6 32 Q 24 8 42 32 M 6 32 V 40 M 42 32 V 40 M 24 20 V 40" {_LINES}/>',
    "budget_pressure": f'<path d="M 8 10 H 40 M 8 38 H 40 M 24 14 V 34 M 14 20 H 34 M 14 28 H 34" {_LINES}/>',
    "guard_overuse": f'<path d="M 10 8 V 40 M 38 8 V 40 M 10 16 H 38 M 10 32 H 38" {_LINES}/>'
    f'<circle cx="24" cy="24" r="4" {_LINES}/>',
}
