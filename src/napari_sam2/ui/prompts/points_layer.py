"""napari's points layer as the place for clicks.

Each point carries its object (``label``) and its polarity (``positive``) as features;
its face has the object's colour, its rim tells the polarity.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.session.book.state import Color
from napari_sam2.ui.layers.colors import COLORED_OBJECTS, object_colors
from napari_sam2.ui.layers.placement import placed_like

if TYPE_CHECKING:
    from napari.layers import Image, Points
    from napari.viewer import Viewer

POSITIVE_COLOR, NEGATIVE_COLOR = "#00c8ff", "#ff6a00"
"""Told apart by people who cannot tell green from red."""

LABEL, POSITIVE = "label", "positive"


def add_points_layer(viewer: Viewer, image: Image, axes: LayerAxes) -> Points:
    """Add a points layer for clicks on an image layer, its adding tool chosen."""
    points = viewer.add_points(
        ndim=len(axes.shape),
        name=f"{image.name} clicks",
        features={LABEL: np.zeros(0, np.int64), POSITIVE: np.zeros(0, bool)},
        size=max(3.0, min(axes.frame_shape) / 45),
        border_width=0.2,
        **placed_like(image),
    )
    _color_by_features(points)
    points.mode = "add"
    return points


def adopt_points_layer(points: Points, first_id: int = 1) -> None:
    """Make a points layer of the person's own fit for clicks.

    Without ``label`` each point is an object of its own, numbered from ``first_id``;
    without ``positive`` all are positive.
    """
    features = points.features
    if LABEL in features and POSITIVE in features:
        return
    features = features.copy()
    if LABEL not in features:
        features[LABEL] = np.arange(first_id, first_id + len(features))
    if POSITIVE not in features:
        features[POSITIVE] = np.ones(len(features), bool)
    points.features = features
    _color_by_features(points)


def color_points(points: Points, own: Mapping[int, Color]) -> None:
    """Let clicks on some objects have other colours than those of their ids.

    A layer that its person coloured otherwise stays as it is.
    """
    if points.face_color_mode == "cycle":
        shown = _face_colors() | {one: np.asarray(rgba) for one, rgba in own.items()}
        points.face_color_cycle = {"colormap": shown}
        points.refresh_colors()


def set_next_click(points: Points, object_id: int, *, positive: bool) -> None:
    """Say what the next point is about."""
    defaults = points.feature_defaults
    before = {name: column.iloc[0] for name, column in defaults.items()}
    after = {**before, LABEL: object_id, POSITIVE: positive}
    if after != before:  # napari takes its time
        points.feature_defaults = after


def _color_by_features(points: Points) -> None:
    points.border_color = POSITIVE
    points.border_color_cycle = {
        "colormap": {True: POSITIVE_COLOR, False: NEGATIVE_COLOR}
    }
    with warnings.catch_warnings():
        # napari says that it takes object ids for categories: so they are meant.
        warnings.filterwarnings("ignore", "Feature 'label' looks like categorical")
        points.face_color = LABEL
    points.face_color_cycle = {"colormap": _face_colors()}
    points.refresh_colors()


@cache
def _face_colors() -> dict[int, np.ndarray]:
    ids = np.arange(1, COLORED_OBJECTS + 1)
    return dict(zip(ids.tolist(), object_colors().map(ids), strict=True))
