"""How long the window is deaf while twenty objects are tracked through 200 frames.

``xvfb-run -a python benchmarks/event_loop.py`` opens a viewer that is not shown (so
that nothing is painted by OpenGL), clicks on twenty cells of 512² pixels, tracks, and
follows the tracker. A timer of 5 ms tells by how much each of its ticks is late.
Target: the 95th percentile below 50 ms.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from click_latency import centres, simulated

TICK_MS = 5
PATIENCE = 3600.0


def main() -> None:
    """Track, and print how late the ticks were."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--side", type=int, default=512, help="pixels of a frame")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = home
        delays, seconds = measured(options.frames, options.side)
    print(
        f"{options.frames} frames in {seconds:.1f} s; ticks late by: "
        f"median {np.median(delays):.1f} ms, 95 % {np.percentile(delays, 95):.1f} ms, "
        f"99 % {np.percentile(delays, 99):.1f} ms, longest {delays.max():.0f} ms"
    )


def measured(frame_count: int, side: int) -> tuple[np.ndarray, float]:
    """Return milliseconds by which ticks were late, and seconds of the run."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_sam2.prompts import FramePrompt, PointPrompt
    from napari_sam2.ui.dock.dock import TrackerDock

    movie, frames = simulated(side)
    there_and_back = np.concatenate([frames, frames[::-1]])
    stack = np.resize(there_and_back, (frame_count, *frames.shape[1:]))
    viewer = napari.Viewer(show=False)
    viewer.add_image(stack, name="movie", contrast_limits=(100, 3000))
    dock = TrackerDock(viewer)
    viewer.window.add_dock_widget(dock)
    parts = dock.parts
    viewer.dims.set_current_step(0, 0)
    prompts = [
        FramePrompt(number, 0, (PointPrompt(y, x),))
        for number, (y, x) in enumerate(centres(movie), start=1)
    ]
    parts.conductor.set_prompts(prompts, "clicks")
    wait_for(parts, QApplication.processEvents)
    ticks: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(TICK_MS)
    parts.run_bar.toggle()
    begun = time.perf_counter()
    wait_for(parts, QApplication.processEvents)
    seconds = time.perf_counter() - begun
    timer.stop()
    viewer.close()
    return np.diff(np.array(ticks)) * 1000 - TICK_MS, seconds


def wait_for(parts: object, process_events: object) -> None:
    """Let the window live until its worker has nothing to do."""
    end = time.monotonic() + PATIENCE
    process_events()
    while time.monotonic() < end and not parts.conductor.worker.is_idle:
        process_events()
        time.sleep(0.001)


if __name__ == "__main__":
    main()
