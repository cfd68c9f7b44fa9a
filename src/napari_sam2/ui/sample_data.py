"""Simulated movies as sample data: the movie, and its exact truth as a hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_sam2.synthetic import PRESETS, SimulatedMovie

LayerData = tuple[Any, dict[str, Any], str]

AXES = ("t", "y", "x")
SHOWN_PERCENTILES = (0.1, 99.9)


def nuclei() -> list[LayerData]:
    """Fluorescent nuclei that move, divide and leave."""
    return _sample("nuclei", "Dividing nuclei")


def phase_contrast() -> list[LayerData]:
    """Spread cells in phase contrast."""
    return _sample("phase", "Cells in phase contrast")


def bacteria() -> list[LayerData]:
    """Growing and dividing rods."""
    return _sample("bacteria", "Growing bacteria")


def _sample(preset: str, title: str) -> list[LayerData]:
    movie = SimulatedMovie(PRESETS[preset])
    limits = np.percentile(movie.frame(0), SHOWN_PERCENTILES)
    frames = _lazy(movie, movie.frame, movie.dtype)
    truth = _lazy(movie, movie.labels, np.dtype(np.uint16))
    shown = {"contrast_limits": limits.tolist(), "colormap": "gray"}
    return [
        (frames, {"name": title, "axis_labels": AXES, **shown}, "image"),
        (
            truth,
            {"name": f"{title} (truth)", "axis_labels": AXES, "visible": False},
            "labels",
        ),
    ]


def _lazy(
    movie: SimulatedMovie, draw: Callable[[int], npt.NDArray[Any]], dtype: np.dtype
) -> da.Array:
    """Return ``(T, Y, X)`` of which each frame is drawn when it is looked at."""
    lazy = dask.delayed(draw)
    frames = [
        da.from_delayed(lazy(index), movie.frame_shape, dtype)  # type: ignore[no-untyped-call]
        for index in range(movie.frame_count)
    ]
    stacked: da.Array = da.stack(frames)  # type: ignore[no-untyped-call]
    return stacked
