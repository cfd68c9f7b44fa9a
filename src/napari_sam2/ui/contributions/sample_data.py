"""Simulated movies as sample data: the movie, and its exact truth as a hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_sam2.synthetic import PRESETS, SimulatedMovie

SAMPLES = {
    "nuclei": "Dividing nuclei",
    "phase_contrast": "Cells in phase contrast",
    "bacteria": "Growing bacteria",
}
"""What people call the samples, by their keys in the manifest."""

LayerData = tuple[Any, dict[str, Any], str]

AXES = ("t", "y", "x")
UNITS = ("minute", "micrometer", "micrometer")
SHOWN_PERCENTILES = (0.1, 99.9)


def nuclei() -> list[LayerData]:
    """Fluorescent nuclei that move, divide and leave."""
    return _sample("nuclei", SAMPLES["nuclei"], (10.0, 0.5))


def phase_contrast() -> list[LayerData]:
    """Spread cells in phase contrast."""
    return _sample("phase", SAMPLES["phase_contrast"], (5.0, 0.65))


def bacteria() -> list[LayerData]:
    """Growing and dividing rods."""
    return _sample("bacteria", SAMPLES["bacteria"], (2.0, 0.065))


def _sample(
    preset: str, title: str, calibration: tuple[float, float]
) -> list[LayerData]:
    """Return the movie and its truth.

    Parameters
    ----------
    calibration
        Minutes from frame to frame, micrometres from pixel to pixel.
    """
    movie = SimulatedMovie(PRESETS[preset])
    limits = np.percentile(movie.frame(0), SHOWN_PERCENTILES)
    frames = _lazy(movie, movie.frame, movie.dtype)
    truth = _lazy(movie, movie.labels, np.dtype(np.uint16))
    minutes, micrometers = calibration
    placed = {
        "axis_labels": AXES,
        "scale": (minutes, micrometers, micrometers),
        "units": UNITS,
    }
    shown = {"contrast_limits": limits.tolist(), "colormap": "gray"}
    hidden = {"name": f"{title} (truth)", "visible": False}
    return [
        (frames, {"name": title, **placed, **shown}, "image"),
        (truth, {**hidden, **placed}, "labels"),
    ]


def _lazy(
    movie: SimulatedMovie, draw: Callable[[int], npt.NDArray[Any]], dtype: np.dtype
) -> da.Array:
    """Return ``(T, Y, X)`` of which each frame is drawn when it is looked at."""
    lazy = dask.delayed(draw)
    frames = [
        da.from_delayed(lazy(index), movie.frame_shape, dtype)
        for index in range(movie.frame_count)
    ]
    stacked: da.Array = da.stack(frames)
    return stacked
