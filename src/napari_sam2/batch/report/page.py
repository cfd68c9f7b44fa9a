"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from napari_sam2.batch.report.outcome import MovieOutcome
from napari_sam2.batch.self_check.result import SelfCheck

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;
padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}
section{margin:2.2rem 0;border-top:2px solid #ddd}
figure{display:inline-block;margin:.4rem}figcaption{color:#666;font-size:.85em}
.refused,.failed{color:#a40000}.cancelled{color:#8a5a00}.done,.complete{color:#1b6e1b}
svg{background:#fafafa;border:1px solid #ddd}
code{font-size:.85em;overflow-wrap:anywhere}
"""
WIDTH, HEIGHT = 420, 90
ORDER = ("refused", "failed", "cancelled", "done", "complete")


def page_of(
    movies: Sequence[MovieOutcome],
    version: str,
    checks: Mapping[str, SelfCheck] | None = None,
) -> str:
    """Return the page; what went wrong stands first.

    Parameters
    ----------
    version
        Of napari-sam2.
    checks
        By title: self-checks that were run on the masklets since.
    """
    counts = ", ".join(
        f"{number} {state}"
        for state in ORDER
        if (number := sum(one.state == state for one in movies))
    )
    by_state = sorted(movies, key=lambda one: ORDER.index(one.state))
    rows = "".join(_row(number, one) for number, one in enumerate(by_state))
    known = checks or {}
    sections = "".join(
        _section(number, one, known.get(one.title))
        for number, one in enumerate(by_state)
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>SAM 2 batch</title><style>{STYLE}</style></head><body>"
        f"<h1>SAM 2 batch: {len(movies)} movies</h1>"
        f"<p>{escape(counts) or 'nothing was done'} · napari-sam2 {escape(version)}</p>"
        "<table><thead><tr><th>Movie</th><th>State</th><th>Frames</th><th>Objects</th>"
        "<th>Frames/s</th><th>Lost</th><th>Doubtful</th><th>What is wrong</th></tr>"
        f"</thead><tbody>{rows}</tbody></table>{sections}</body></html>\n"
    )


def _row(number: int, movie: MovieOutcome) -> str:
    summary = movie.summary
    numbers = (
        movie.frames,
        movie.objects,
        f"{movie.frames_per_second:.2f}" if movie.frames_computed else "",
        *("" if one is None else one for one in (summary.lost, summary.doubtful)),
    )
    cells = "".join(f"<td class='n'>{one}</td>" for one in numbers)
    return (
        f"<tr><td><a href='#m{number}'>{escape(movie.title)}</a></td>"
        f"<td class='{movie.state}'>{movie.state}</td>{cells}"
        f"<td>{escape(movie.error or movie.remark)}</td></tr>"
    )


def _section(number: int, movie: MovieOutcome, check: SelfCheck | None) -> str:
    summary = movie.summary
    pictures = "".join(
        f"<figure><img alt='frame {frame} with outlines' "
        f"src='data:image/png;base64,{png}'><figcaption>frame {frame}</figcaption>"
        "</figure>"
        for frame, png in summary.pictures
    )
    curves = _curve("mean area, pixels", summary.frames, summary.area, None)
    curves += _curve("mean trust", summary.frames, summary.trust, 1.0)
    return (
        f"<section id='m{number}'><h2>{escape(movie.title)}</h2>"
        f"<p class='{movie.state}'>{movie.state}"
        f"{': ' + escape(movie.error) if movie.error else ''}</p>{pictures}"
        f"<div>{curves}</div>{_facts(movie)}{_self_check(check)}</section>"
    )


def _self_check(check: SelfCheck | None) -> str:
    """Return how well models follow the movie, if that was tried."""
    if check is None:
        return ""
    rows = [one.row() for one in check.measured]
    heads = "".join(f"<th>{escape(name)}</th>" for name in (rows[0] if rows else ()))
    cells = [
        "".join(f"<td class='n'>{escape(str(value))}</td>" for value in row.values())
        for row in rows
    ]
    lines = [f"recommended: {check.recommended}; {check.reason}"] * bool(rows)
    lines += [f"{one.model}: {one.refused}" for one in check.models if one.refused]
    return (
        f"<h3>Self-check: {check.frames} trusted masks of {check.objects} objects, "
        f"hidden and tracked to</h3><table><thead><tr>{heads}</tr></thead><tbody>"
        + "".join(f"<tr>{row}</tr>" for row in cells)
        + "</tbody></table>"
        + "".join(f"<p>{escape(line)}</p>" for line in (*lines, *check.remarks))
    )


def _facts(movie: MovieOutcome) -> str:
    summary = movie.summary
    facts: dict[str, Any] = {
        "movie": movie.movie,
        "masklets": movie.labels,
        "exports": ", ".join(movie.exports),
        "model": summary.model,
        "weights (SHA-256)": summary.weights,
        "computed": f"{summary.device} {summary.precision}".strip(),
        "threads": summary.threads,
        "attempts": movie.attempts if movie.attempts > 1 else "",
        "remark": movie.remark,
        "verified": movie.verified,
    }
    rows = "".join(
        f"<tr><th>{key}</th><td><code>{escape(str(value))}</code></td></tr>"
        for key, value in facts.items()
        if value not in ("", None)
    )
    return f"<table>{rows}</table>"


def _curve(
    title: str, frames: Sequence[int], values: Sequence[float | None], top: float | None
) -> str:
    """Draw a curve as SVG, with a gap where nothing is known."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    top = top or max(known) or 1.0
    span = max(frames[-1] - frames[0], 1)
    parts, is_open = [], False
    for frame, value in zip(frames, values, strict=True):
        if value is None:
            is_open = False
            continue
        x = WIDTH * (frame - frames[0]) / span
        y = HEIGHT * (1 - value / top)
        parts.append(f"{'L' if is_open else 'M'}{x:.1f} {y:.1f}")
        is_open = True
    return (
        f"<figure><svg viewBox='0 -4 {WIDTH} {HEIGHT + 8}' width='{WIDTH}' "
        f"height='{HEIGHT + 8}' role='img' aria-label='{title}'><path "
        f"d='{' '.join(parts)}' fill='none' stroke='#2a6fb0' stroke-width='1.6'/></svg>"
        f"<figcaption>{title}: {known[0]:.3g} … {known[-1]:.3g}; frames {frames[0]} to "
        f"{frames[-1]}</figcaption></figure>"
    )
