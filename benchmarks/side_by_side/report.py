"""Rows as a table to read, as JSON, and as a picture."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import torch

MEGABYTE = 1e6
BAR, GAP, LEFT, WIDTH = 14, 6, 330, 760


def table(rows: Sequence[dict]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| case | what | contender | seconds (least … most) | × ours "
        "| peak MB: host, device |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        what = f"| {row['case']} | {row['verb']} | {row['contender']} "
        if "missing" in row:
            lines.append(f"{what}| not measured: {row['missing']} | | |")
            continue
        took = f"{row['seconds']:.3f} ({row['least']:.3f} … {row['most']:.3f})"
        ratio = ""
        if "ratio" in row:
            low, high = row["ratios"]
            ratio = f"{row['ratio']:.2f} ({low:.2f} … {high:.2f})"
        peak = ", ".join(f"{size / MEGABYTE:.0f}" for size in row["peak"].values())
        lines.append(f"{what}| {took} | {ratio} | {peak} |")
    return "\n".join(lines)


def parts_table(rows: Sequence[dict]) -> str:
    """Return where the time of ours went, in milliseconds."""
    lines = []
    for row in rows:
        if row.get("parts"):
            parts = ", ".join(f"{k} {1000 * v:.1f}" for k, v in row["parts"].items())
            title = f"{row['case']}, {row['verb']}, {row['contender']}"
            lines.append(f"{title} (ms): {parts}")
    return "\n".join(lines)


def write(folder: Path, name: str, rows: Sequence[dict], **notes: object) -> None:
    """Write ``name.json``, ``name.md`` and ``name.svg`` anew."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    content = {"machine": machine, **notes, "rows": list(rows)}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table(rows) + "\n")
    (folder / f"{name}.svg").write_text(picture(rows))


def picture(rows: Sequence[dict]) -> str:
    """Draw a bar for each row, as long as its ratio to ours."""
    shown = [row for row in rows if "missing" not in row]
    longest = max((row.get("ratio", 1.0) for row in shown), default=1.0)
    height = (BAR + GAP) * len(shown) + GAP
    bars = []
    for place, row in enumerate(shown):
        y, ratio = GAP + place * (BAR + GAP), row.get("ratio", 1.0)
        length = (WIDTH - LEFT - 50) * ratio / longest
        colour = "#e8833a" if row["contender"] == "ours" else "#7a8793"
        text = escape(f"{row['case']}, {row['verb']}: {row['contender']}")
        bars.append(
            f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{text}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" '
            f'fill="{colour}"/>'
            f'<text x="{LEFT + length + 4:.1f}" y="{y + 11}">{ratio:.2f} ×</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" '
        'fill="white"/>\n' + "\n".join(bars) + "\n</svg>\n"
    )
