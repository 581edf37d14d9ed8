"""Charts as SVG, drawn on the server: shapes with classes, no script or inline style, for any theme to colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 360, 96
LEFT, BOTTOM, TOP = 4, 16, 6

Value = float | None


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A figure of the dashboard. `rows` are the table behind it: (day, one text per series)."""

    title: str
    headline: str
    note: str
    names: Sequence[str]
    bars: Sequence[Bar]
    lines: Sequence[str]  # points of a polyline for each series
    rows: Sequence[tuple[date, Sequence[str]]]
    top: str  # what the highest point is worth
    first: date
    last: date

    @property
    def view_box(self) -> str:
        return f"0 0 {WIDTH} {HEIGHT}"

    @property
    def floor(self) -> int:
        return HEIGHT - BOTTOM


def bars(
    *, title: str, headline: str, days: Sequence[date], values: Sequence[float], unit: str = "", decimals: int = 0
) -> Chart:
    """One bar a day."""
    most = max(values, default=0) or 1
    step = (WIDTH - LEFT) / max(1, len(days))
    shown = [spell(value, unit, decimals) for value in values]
    drawn = [
        Bar(round(LEFT + number * step, 2), round(_y(value, most), 2), round(step * 0.8, 2), _height(value, most), text)
        for number, (value, text) in enumerate(
            zip(values, (f"{d}: {s}" for d, s in zip(days, shown, strict=True)), strict=True)
        )
    ]
    rows = [(day, [text]) for day, text in zip(days, shown, strict=True)]
    return Chart(title, headline, "", [title], drawn, [], rows, spell(most, unit, decimals), days[0], days[-1])


def lines(
    *,
    title: str,
    headline: str,
    note: str,
    days: Sequence[date],
    series: dict[str, Sequence[Value]],
    unit: str = "",
) -> Chart:
    """A line for each series. A day without a value is a gap in the table and no point on the line."""
    most = max((value for values in series.values() for value in values if value is not None), default=0) or 1
    step = (WIDTH - LEFT) / max(1, len(days) - 1)
    placed = [
        [
            f"{LEFT + number * step:.1f},{_y(value, most):.1f}"
            for number, value in enumerate(values)
            if value is not None
        ]
        for values in series.values()
    ]
    # A single day is a line to itself: its round ends show as a dot.
    drawn = [" ".join(points * 2 if len(points) == 1 else points) for points in placed]
    rows = [
        (day, ["" if values[number] is None else spell(values[number] or 0, unit) for values in series.values()])
        for number, day in enumerate(days)
    ]
    return Chart(title, headline, note, list(series), [], drawn, rows, spell(most, unit), days[0], days[-1])


def spell(value: float, unit: str = "", decimals: int = 0) -> str:
    """The number with its unit: $1.20, 30 %, 1,200 ms."""
    text = f"{value:,.{decimals}f}"
    if unit == "$":
        return f"${text}"
    return f"{text} {unit}".strip()


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP)


def _height(value: float, most: float) -> float:
    return round(value / most * (HEIGHT - BOTTOM - TOP), 2)
