"""Draw the curves of a training run as SVG: scores on held-out pictures over steps.

python benchmarks/nano_curves.py runs/nano docs/nano-curves.svg
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 300, 200, 46
COLOURS = {
    "iou_click": "#d95f02",
    "iou_box": "#1b9e77",
    "iou_coarse": "#7570b3",
    "iou_frame1": "#e7298a",
    "iou_frame4": "#66a61e",
}

Curves = dict[str, dict[str, list[tuple[int, float]]]]


def read_curves(path: Path) -> Curves:
    """Return data → name → points of a ``validation.csv``."""
    curves: Curves = defaultdict(lambda: defaultdict(list))
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["name"] in COLOURS:
                point = int(row["step"]), float(row["value"])
                curves[row["group"]][row["name"]].append(point)
    return curves


def panel(title: str, curves: dict[str, list[tuple[int, float]]], last: int) -> str:
    """Return one SVG panel: IoU 0…1 over steps."""

    def place(step: int, value: float) -> str:
        x = MARGIN + step / last * (PANEL_WIDTH - MARGIN - 10)
        return f"{x:.1f},{PANEL_HEIGHT - 30 - value * (PANEL_HEIGHT - 60):.1f}"

    parts = [f'<text x="{MARGIN}" y="18" font-weight="bold">{title}</text>']
    for tenth in (0, 2, 4, 6, 8, 10):
        start, end = place(0, tenth / 10), place(last, tenth / 10)
        y = start.split(",")[1]
        parts.append(f'<polyline points="{start} {end}" stroke="#ddd" fill="none"/>')
        parts.append(f'<text x="{MARGIN - 24}" y="{y}">{tenth / 10}</text>')
    for step in (0, last // 2, last):
        x = place(step, 0).split(",")[0]
        parts.append(f'<text x="{x}" y="{PANEL_HEIGHT - 12}">{step}</text>')
    for name, points in curves.items():
        line = " ".join(place(*point) for point in points)
        parts.append(
            f'<polyline points="{line}" stroke="{COLOURS[name]}" fill="none" '
            'stroke-width="1.6"/>'
        )
    return "\n".join(parts)


def draw(curves: Curves) -> str:
    """Return the picture: a panel per source of pictures, and a legend."""
    last = max(p[0] for data in curves.values() for c in data.values() for p in c)
    width = PANEL_WIDTH * len(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{PANEL_HEIGHT + 24}" font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{PANEL_HEIGHT + 24}" fill="white"/>',
    ]
    for index, (title, data) in enumerate(curves.items()):
        shift = f'<g transform="translate({index * PANEL_WIDTH} 0)">'
        parts += [shift, panel(title, data, last), "</g>"]
    for index, (name, colour) in enumerate(COLOURS.items()):
        x = MARGIN + 110 * index
        parts.append(
            f'<text x="{x}" y="{PANEL_HEIGHT + 14}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    run, picture = Path(sys.argv[1]), Path(sys.argv[2])
    picture.write_text(draw(read_curves(run / "validation.csv")))
