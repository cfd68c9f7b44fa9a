"""Draw the curves of a training run as SVG: scores on held-out pictures over steps.

Needs matplotlib, which no other part does.

python benchmarks/nano_curves.py runs/nano/validation.csv docs/nano-curves.svg
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

SCORES = (
    "iou_click", "iou_3clicks", "iou_box", "iou_coarse", "j_and_f", "iou_frame1",
    "iou_frame4", "presence_balanced", "still_presence_balanced",
)  # fmt: skip

Curves = dict[str, dict[str, dict[int, float]]]


def read(table: Path) -> Curves:
    """Return collection → score → step → value."""
    curves: Curves = defaultdict(lambda: defaultdict(dict))
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            curves[row["group"]][row["name"]][int(row["step"])] = float(row["value"])
    return curves


def draw(curves: Curves, picture: Path) -> None:
    """Draw a panel for each held-out collection."""
    from matplotlib.figure import Figure

    figure = Figure((4 * len(curves), 4), layout="constrained")
    for axes, (group, named) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
    ):
        for name in SCORES:
            axes.plot(named[name].keys(), named[name].values(), label=name)
        axes.set(title=group, xlabel="step", ylim=(0, 1))
        axes.grid(alpha=0.3)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=5
    )
    figure.savefig(picture)


if __name__ == "__main__":
    draw(read(Path(sys.argv[1])), Path(sys.argv[2]))
