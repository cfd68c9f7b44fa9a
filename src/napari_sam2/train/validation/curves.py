"""Curves of a run as SVG, drawn from its tables with nothing but text."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 300, 200, 46
LEGEND_LINE, LEGEND_COLUMNS = 12, 2
COLUMNS = 4

COLOURS = (
    "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d", "#1f78b4",
    "#666666", "#e6ab02", "#b15928",
)  # fmt: skip

VALIDATED = (
    "iou_click", "iou_3clicks", "iou_box", "iou_coarse", "j_and_f", "iou_frame1",
    "iou_frame4", "presence_balanced", "still_presence_balanced",
)  # fmt: skip
"""Names of ``validation.csv`` that are drawn, all between 0 and 1."""

SMOOTHED = 60
"""Curves of ``log.csv`` are means over one part in so many of the run."""

Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Some curves over the steps with one axis.

    Attributes
    ----------
    title
        Above the panel.
    curves
        Name → points (step, value) in the order of steps.
    top
        Upper end of the axis, which starts at 0; None for the largest value.
    """

    title: str
    curves: Mapping[str, Sequence[Point]]
    top: float | None = None


def read_table(path: Path) -> dict[str, dict[str, list[Point]]]:
    """Return group → name → points of a ``log.csv`` or ``validation.csv``.

    What a broken run wrote twice, before and after it was resumed, counts once.
    """
    found: dict[str, dict[str, dict[int, float]]] = defaultdict(dict)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            points = found[row["group"]].setdefault(row["name"], {})
            points[int(row["step"])] = float(row["value"])
    return {
        group: {name: sorted(points.items()) for name, points in curves.items()}
        for group, curves in found.items()
    }


def validation_panels(path: Path) -> list[Panel]:
    """Return a panel for each held-out collection of a ``validation.csv``."""
    return [
        Panel(group, {name: curves[name] for name in VALIDATED if name in curves}, 1.0)
        for group, curves in read_table(path).items()
    ]


def log_panels(path: Path) -> list[Panel]:
    """Return panels of a ``log.csv``: loss, IoU on what is trained, rate, gradient."""
    joined: dict[str, list[Point]] = defaultdict(list)
    for curves in read_table(path).values():
        for name, points in curves.items():
            joined[name] += points
    smooth = {name: smoothed(sorted(points)) for name, points in joined.items()}
    groups: dict[str, list[str]] = {
        "loss": [name for name in ("loss", "dense") if name in smooth],
        "IoU in training": sorted(name for name in smooth if name.startswith("iou_")),
        "learning rate": [name for name in smooth if name == "rate"],
        "norm of the gradient": [name for name in smooth if name == "norm"],
    }
    return [
        Panel(title, {name: smooth[name] for name in names}, _top(title))
        for title, names in groups.items()
        if names
    ]


def _top(title: str) -> float | None:
    return 1.0 if title.startswith("IoU") else None


def smoothed(points: Sequence[Point]) -> list[Point]:
    """Return means over `SMOOTHED` parts of the points, each at its last step."""
    length = math.ceil(len(points) / SMOOTHED)
    parts = [points[i : i + length] for i in range(0, len(points), length or 1)]
    return [
        (part[-1][0], sum(value for _, value in part) / len(part)) for part in parts
    ]


def draw(panels: Sequence[Panel]) -> str:
    """Return a picture of panels, four in a row, each with its legend, as SVG."""
    panels = [panel for panel in panels if any(panel.curves.values())]
    legend = max((math.ceil(len(p.curves) / LEGEND_COLUMNS) for p in panels), default=0)
    height = PANEL_HEIGHT + legend * LEGEND_LINE + 6
    rows = math.ceil(len(panels) / COLUMNS)
    size = min(len(panels), COLUMNS) * PANEL_WIDTH, rows * height
    last = max((p[-1][0] for panel in panels for p in panel.curves.values()), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="10">',
        f'<rect width="{size[0]}" height="{size[1]}" fill="white"/>',
    ]
    for index, panel in enumerate(panels):
        row, column = divmod(index, COLUMNS)
        parts.append(
            f'<g transform="translate({column * PANEL_WIDTH} {row * height})">'
        )
        parts += [*_axes(panel, last), *_curves(panel, last), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _scale(panel: Panel) -> float:
    values = [v for points in panel.curves.values() for _, v in points]
    finite = [value for value in values if math.isfinite(value)]
    return panel.top or max(finite, default=1.0) or 1.0


def _place(step: int, value: float, last: int) -> tuple[float, float]:
    """Return x, y in a panel of a step and a value in parts of the axis."""
    x = MARGIN + step / last * (PANEL_WIDTH - MARGIN - 10)
    return x, PANEL_HEIGHT - 30 - min(max(value, 0.0), 1.0) * (PANEL_HEIGHT - 60)


def _axes(panel: Panel, last: int) -> list[str]:
    parts = [
        f'<text x="{MARGIN}" y="18" font-weight="bold">{escape(panel.title)}</text>'
    ]
    top = _scale(panel)
    for tenth in (0, 2, 4, 6, 8, 10):
        left, y = _place(0, tenth / 10, last)
        right, _ = _place(last, 0, last)
        parts.append(
            f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#ddd" fill="none"/>'
        )
        text = f"{tenth / 10 * top:.3g}"
        parts.append(
            f'<text x="{MARGIN - 4}" y="{y + 3:.1f}" text-anchor="end">{text}</text>'
        )
    for step in (0, last // 2, last):
        x, _ = _place(step, 0, last)
        anchor = "end" if step == last else "middle"  # inside of the picture
        parts.append(
            f'<text x="{x:.1f}" y="{PANEL_HEIGHT - 14}" text-anchor="{anchor}">{step}'
            "</text>"
        )
    return parts


def _curves(panel: Panel, last: int) -> list[str]:
    parts = []
    top = _scale(panel)
    for index, (name, points) in enumerate(panel.curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        line = " ".join(
            "{:.1f},{:.1f}".format(*_place(step, value / top, last))
            for step, value in points
            if math.isfinite(value)
        )
        parts.append(
            f'<polyline points="{line}" stroke="{colour}" fill="none" '
            'stroke-width="1.6"/>'
        )
        row, column = divmod(index, LEGEND_COLUMNS)
        x = MARGIN - 20 + column * (PANEL_WIDTH - MARGIN + 10) // LEGEND_COLUMNS
        y = PANEL_HEIGHT + 2 + row * LEGEND_LINE
        parts.append(f'<text x="{x}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return parts
