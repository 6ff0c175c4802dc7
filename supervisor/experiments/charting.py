"""A line chart as a PNG: a few series over the same steps, a legend, nothing else.

In: named series of equal meaning, captions. Out: the bytes of a PNG, the same for the same series on the same Pillow.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 960
HEIGHT: Final = 540
LEFT: Final = 80
RIGHT: Final = 200
TOP: Final = 50
BOTTOM: Final = 60
TICKS: Final = 5
TEXT_SIZE: Final = 15
PALETTE: Final = ("#4c4c4c", "#1f77b4", "#d1495b", "#2a9d6f", "#b07aa1", "#e1903b")
GRID: Final = "#dddddd"
INK: Final = "#222222"
Point = tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """What is drawn; value i of a series stands at `first` + i, None leaves its place empty."""

    title: str
    across: str
    series: Mapping[str, Sequence[float | None]]
    first: int = 0


def draw_chart(chart: Chart) -> bytes:
    """The chart as PNG."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT_SIZE)
    frame = _Frame.around(chart)
    pen.text((LEFT, TOP / 3), chart.title, INK, font)
    pen.text((LEFT, HEIGHT - BOTTOM / 2), chart.across, INK, font)
    for share in (number / TICKS for number in range(TICKS + 1)):
        value, step = frame.low + share * (frame.high - frame.low), share * frame.steps
        y, x = frame.place(0, value)[1], frame.place(step, frame.low)[0]
        pen.line(((LEFT, y), (WIDTH - RIGHT, y)), GRID)
        pen.text((LEFT - 8, y), f"{value:.2f}", INK, font, anchor="rm")
        pen.text((x, HEIGHT - BOTTOM + 12), f"{chart.first + step:.0f}", INK, font, anchor="mm")
    for number, (name, values) in enumerate(chart.series.items()):
        colour = PALETTE[number % len(PALETTE)]
        places = [frame.place(step, value) for step, value in enumerate(values) if value is not None]
        pen.line(places, colour, width=3, joint="curve")
        pen.text((WIDTH - RIGHT + 16, TOP + 24 * number), name, colour, font)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


@dataclass(frozen=True)
class _Frame:
    low: float
    high: float
    steps: int
    """From the first to the last."""

    @classmethod
    def around(cls, chart: Chart) -> "_Frame":
        values = [value for series in chart.series.values() for value in series if value is not None]
        low, high = min(values, default=0.0), max(values, default=1.0)
        margin = 0.05 * (high - low) or 0.5
        steps = max(len(series) for series in chart.series.values()) - 1
        return cls(low - margin, high + margin, max(1, steps))

    def place(self, step: float, value: float) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / self.steps
        y = TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)
        return x, y
