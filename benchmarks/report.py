"""Tables on the screen and JSON under `benchmarks/results/`, the same for all benchmarks."""

import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed; not a number where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


def medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of several that measured the same: the median of each figure, any other value as in the first row."""
    return {
        name: statistics.median(row[name] for row in rows) if isinstance(value, float) else value
        for name, value in rows[0].items()
    }


def table(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under headings, as text; `columns` names what to show of a row and how it is headed."""
    cells = [list(columns.values())] + [[shown(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join([title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def shown(value: Any) -> str:
    """A figure with as many digits as it deserves."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def save(name: str, results: Mapping[str, Any]) -> Path:
    """Write `results/<name>.json`, with what it was measured on, and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **results}, indent=2, default=str), encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures depend on; the load says whether something else was running."""
    return {
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
