"""How long a click takes to be answered, once the frame's embedding is there.

``python benchmarks/click_latency.py`` clicks on twenty cells of a simulated movie of
512² pixels with the bundled model, twice each, then moves a preview, and prints the
median and the 95th percentile of the time until the labels are shown, until everything
is written, and until a preview is there. Target: 100 ms to the answer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_sam2.engine import FrameChanged, Request, TrackingEngine
from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.engine.movie.image_input import (
    GREY,
    ChannelSource,
    ImageInput,
    Look,
    SeenChannel,
)
from napari_sam2.interfaces import Calibration
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

OBJECTS, FRAMES = 20, 16
LIMITS = (100.0, 3000.0)


@dataclass
class Times:
    """Seconds, one for each click."""

    shown: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    hovered: list[float] = field(default_factory=list)


def main() -> None:
    """Click, and print how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="nano")
    parser.add_argument("--side", type=int, default=512, help="pixels of a frame")
    options = parser.parse_args()
    movie, array = simulated(options.side)
    with tempfile.TemporaryDirectory() as folder:
        request = Request(movie_input(array), options.model, Path(folder) / "x.zarr")
        times = measured(request, centres(movie))
    for name in ("shown", "written", "hovered"):
        values = 1000 * np.array(getattr(times, name))
        print(
            f"{name}: median {np.median(values):.1f} ms, "
            f"95 % {np.percentile(values, 95):.1f} ms"
        )


def simulated(side: int) -> tuple[SimulatedMovie, np.ndarray]:
    """Return a movie, and its frames."""
    movie = SimulatedMovie(
        MovieConfig(
            frame_count=FRAMES,
            frame_shape=(side, side),
            cell_count=OBJECTS,
            cell_size=side // 12,
            division_rate=0,
            seed=1,
        )
    )
    return movie, np.stack([movie.frame(index) for index in range(FRAMES)])


def movie_input(array: np.ndarray) -> ImageInput:
    """Return an array as an image layer would give it."""
    source = ChannelSource("layer", None, "movie")
    channel = SeenChannel(GREY, source, Look(LIMITS), id(array), array)
    axes = lay_out_layer(array.shape, ("t", "y", "x"), 0, {})
    return ImageInput(
        "layer", id(array), "movie", axes, False, (channel,), Calibration(), array
    )


def centres(movie: SimulatedMovie) -> list[tuple[float, float]]:
    """Return ``(y, x)`` in the middle of each cell on frame 0."""
    labels = movie.labels(0)
    found = [np.argwhere(labels == one).mean(axis=0) for one in np.unique(labels)[1:]]
    return [(float(y), float(x)) for y, x in found]


def measured(request: Request, places: list[tuple[float, float]]) -> Times:
    """Click twice on each place; the first clicks, which load things, do not count."""
    engine, book, times = TrackingEngine(print), PromptBook(FRAMES), Times()
    list(engine.prepare(request))
    list(engine.warm(request, 0, lambda: True))
    for number, (y, x) in enumerate(places, start=1):
        points = (PointPrompt(y, x),)
        for said in (points, (*points, PointPrompt(3, 3, positive=False))):
            edit = book.set_prompt(FramePrompt(number, 0, said))
            begun = time.perf_counter()
            for event in engine.apply(request, edit, lambda _frame: True, 0):
                if isinstance(event, FrameChanged) and number > 1:
                    times.shown.append(time.perf_counter() - begun)
            if number > 1:
                times.written.append(time.perf_counter() - begun)
    for y, x in places:
        begun = time.perf_counter()
        said = FramePrompt(book.state.next_id, 0, (PointPrompt(y + 3, x + 3),))
        list(engine.hover(request, book.state, said, lambda: True))
        times.hovered.append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
