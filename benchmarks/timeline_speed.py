"""How long the timeline takes to repaint, and the scores behind it to be judged.

``python benchmarks/timeline_speed.py [FRAMES] [OBJECTS]`` prints milliseconds: the
median and the slowest of 30 repaints after a zoom, a scroll, a frame that was tracked,
and a step of the cursor, and the time of the processor, which other programs disturb
less; 10,000 frames and 200 objects unless told otherwise. Needs a screen, or Qt's
offscreen platform.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

os.environ.setdefault(
    "QT_QPA_PLATFORM", "offscreen" if not os.getenv("DISPLAY") else ""
)

from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import COLUMNS, ScoreRow, ScoreTables
from napari_sam2.session.scores.trust_rule import neighbour_trust

REPEATS = 30


def made_tables(frame_count: int, object_count: int, seed: int = 0) -> ScoreTables:
    """Return scores of cells that wander, grow, leave, and are sometimes mistaken."""
    rng = np.random.default_rng(seed)
    shape = (frame_count, object_count)
    tables = ScoreTables.empty(range(1, object_count + 1), frame_count)
    tables.y[:] = 200 + np.cumsum(rng.normal(0, 0.6, shape), axis=0)
    tables.x[:] = 200 + np.cumsum(rng.normal(0, 0.6, shape), axis=0)
    frames = np.arange(frame_count)[:, None]
    growth = 1 + 0.4 * np.sin(frames / 90 + np.arange(object_count))
    tables.area[:] = 320 * growth * rng.normal(1, 0.03, shape)
    tables.object_score[:] = rng.normal(6, 1.2, shape)
    tables.predicted_iou[:] = np.clip(rng.normal(0.88, 0.04, shape), 0, 1)
    tables.stability[:] = np.clip(rng.normal(0.95, 0.02, shape), 0, 1)
    tables.intensity[:] = 900 + 80 * np.sin(frames / 40)
    for column in range(object_count):
        _spoil(tables, column, rng)
    return tables


def _spoil(tables: ScoreTables, column: int, rng: np.random.Generator) -> None:
    """Let an object be mistaken here and there, leave, or be tracked in part."""
    frame_count = tables.frame_count
    for _ in range(3):
        first = int(rng.integers(0, frame_count))
        stop = first + int(rng.integers(1, max(2, frame_count // 40)))
        tables.predicted_iou[first:stop, column] *= rng.uniform(0.5, 0.8)
        tables.stability[first:stop, column] *= rng.uniform(0.6, 0.9)
    if column % 3 == 1:
        gone = slice(int(frame_count * rng.uniform(0.5, 0.8)), None)
        tables.area[gone, column] = 0
        tables.object_score[gone, column] = -5
        for name in ("y", "x", "intensity"):
            getattr(tables, name)[gone, column] = np.nan
    if column % 4 == 2:
        for name in COLUMNS:
            getattr(tables, name)[: frame_count // 5, column] = np.nan


def made_state(frame_count: int, object_count: int) -> BookState:
    """Return a book with anchors of both kinds, locks, reviews and stale frames."""
    mask = MaskPrompt(np.ones((2, 2), bool))
    things = []
    for object_id in range(1, object_count + 1):
        clicked = (frame_count * object_id // 7) % frame_count
        drawn = (clicked + frame_count // 3) % frame_count
        prompts = [
            FramePrompt(object_id, clicked, points=(PointPrompt(1, 1),)),
            FramePrompt(object_id, drawn, mask=mask),
        ]
        tenth = frame_count // 10
        things.append(
            ObjectState(
                object_id,
                name=f"cell {object_id}" if object_id % 5 else "",
                parent=object_id - 1 if object_id % 4 == 0 else None,
                prompts=tuple(sorted(prompts, key=lambda one: one.frame_index)),
                is_hidden=object_id % 6 == 0,
                locked=FrameSet.between(0, 2 * tenth if object_id % 3 == 0 else -1),
                reviewed=FrameSet.between(3 * tenth, 5 * tenth),
                stale=FrameSet.between(
                    clicked, clicked + tenth if object_id % 4 == 3 else -1
                ),
            )
        )
    return BookState(tuple(things))


def timed(name: str, step: Callable[[], object], repeats: int = REPEATS) -> None:
    """Print the median, the slowest, and the processor's mean of some repetitions."""
    spent = []
    worked = time.process_time()
    for _ in range(repeats):
        begin = time.perf_counter()
        step()
        spent.append(1000 * (time.perf_counter() - begin))
    worked = 1000 * (time.process_time() - worked) / repeats
    print(f"{name:<44} {np.median(spent):9.2f} {max(spent):9.2f} {worked:9.2f}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", nargs="?", type=int, default=10_000)
    parser.add_argument("objects", nargs="?", type=int, default=200)
    chosen = parser.parse_args()
    from qtpy.QtWidgets import QApplication

    application = QApplication([])
    tables = made_tables(chosen.frames, chosen.objects)
    state = made_state(chosen.frames, chosen.objects)
    print(f"{chosen.frames} frames × {chosen.objects} objects, milliseconds")
    print(f"{'':<44} {'median':>9} {'slowest':>9} {'processor':>9}")
    measure_scores(tables, state)
    measure_timeline(tables, state)
    measure_plots(tables, state)
    print("1000 frames × 1000 objects")
    measure_table(made_tables(1000, 1000), made_state(1000, 1000))
    application.quit()
    return 0


def measure_scores(tables: ScoreTables, state: BookState) -> None:
    """Print how long judgements take."""
    timed("trust of all", lambda: tables.with_trust(neighbour_trust).trust(), 5)
    tables.trust()
    timed("worst frame", lambda: tables.worst_unreviewed(state), 5)
    timed("doubtful frames", lambda: tables.doubtful(state), 5)
    row = ScoreRow(50, tables.object_ids, {"area": tables.area[50].copy()})
    timed("one frame more", lambda: tables.write(row))


def measure_timeline(tables: ScoreTables, state: BookState) -> None:
    """Print how long repaints take, of a timeline of 1200 × 600 pixels."""
    from napari_sam2.ui.timeline.timeline import Timeline

    timeline = Timeline()
    timeline.resize(1200, 600)
    timeline.show_movie(tables.frame_count)
    timed("new objects", lambda: timeline.show_state(state), 5)
    timeline.show_scores(tables)
    timeline.show()
    frames = iter(range(10**9))
    bar = timeline.verticalScrollBar()

    def painted(change: Callable[[], object]) -> Callable[[], object]:
        def step() -> None:
            change()
            timeline.viewport().grab()

        return step

    timed(
        "repaint, zoomed out, after a tracked frame",
        painted(lambda: timeline.show_scores(tables)),
    )
    timed(
        "repaint after a step of the cursor",
        painted(lambda: timeline.show_frame(next(frames))),
    )
    timed("repaint after scrolling", painted(lambda: bar.setValue(bar.value() + 40)))
    timed("repaint after zooming in", painted(lambda: timeline.zoom(1.25)))


def measure_plots(tables: ScoreTables, state: BookState) -> None:
    """Print how long it takes to draw eight objects."""
    from napari_sam2.ui.plots.panel import PlotsPanel

    panel = PlotsPanel()
    panel.resize(460, 500)
    panel.show_movie(tables.frame_count)
    panel.show_state(state)
    panel.show_scores(tables)
    panel.show_selected(range(1, 9))
    panel.show()

    def redraw() -> None:
        panel._draw()
        panel.grab()

    def follow() -> None:
        panel.show_frame(next(frames))
        panel.grab()

    frames = iter(range(10**9))
    timed("plots of 8 objects, new numbers", redraw, 10)
    timed("plots of 8 objects, a step of the cursor", follow, 10)


def measure_table(tables: ScoreTables, state: BookState) -> None:
    """Print how long the table of objects takes."""
    from napari_sam2.ui.objects.panel import ObjectPanel

    panel = ObjectPanel()
    panel.resize(460, 600)
    panel.show_movie(tables.frame_count)
    panel.show_scores(tables)
    timed("table of objects, all new", lambda: panel.show_state(state), 1)
    panel.show()
    panel.grab()
    hidden = iter(range(1, 10**9))

    def edit() -> None:
        changed = replace(state[next(hidden)], name="another")
        panel.show_state(state.with_objects([changed]))
        panel.grab()

    timed("table of objects, one renamed, repainted", edit, 10)
    timed(
        "table of objects, all chosen",
        lambda: panel.show_selected(range(1, 1 + next(hidden) * 50)),
        10,
    )
    timed(
        "table of objects, searched",
        lambda: panel.search_edit.setText(str(next(hidden))),
        10,
    )


if __name__ == "__main__":
    sys.exit(main())
