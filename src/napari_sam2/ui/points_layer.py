"""napari's points layer as the place for clicks.

Each point carries its object (``label``) and its polarity (``positive``) as features;
its face has the object's colour, its rim tells the polarity.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap, label_colormap

from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.ui.layer_axes import LayerAxes

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Points
    from napari.viewer import Viewer

POSITIVE_COLOR, NEGATIVE_COLOR = "#00c8ff", "#ff6a00"
"""Told apart by people who cannot tell green from red."""

LABEL, POSITIVE = "label", "positive"
COLORED_OBJECTS = 1000
"""Objects that have the colour of their masks; later ones are coloured in turn."""

SHARED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What a layer must have in common with the image to lie on it."""


def placed_like(image: Image) -> dict[str, Any]:
    """Return the keyword arguments that put a new layer onto an image layer."""
    return {name: getattr(image, name) for name in SHARED}


@cache
def object_colors() -> Any:
    """Return the colormap that masks, clicks and swatches share; napari's usual one."""
    return label_colormap(49, seed=0.5, background_value=0)


def object_color(object_id: int) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1, the colour of the object's mask."""
    rgba: np.ndarray = np.asarray(object_colors().map(np.array([object_id])))[0]
    return rgba


def color_of(thing: ObjectState) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1: the object's own colour, or that of its id."""
    if thing.color is None:
        return object_color(thing.object_id)
    return np.asarray(thing.color, np.float32)


def color_in(book: BookState, object_id: int) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1 of an object, or what a new one would have."""
    if object_id in book:
        return color_of(book[object_id])
    return object_color(object_id)


def own_colors(book: BookState) -> dict[int, Color]:
    """Return the objects that have colours of their own, and these."""
    return {one.object_id: one.color for one in book.objects if one.color is not None}


def colormap_with(colors: Mapping[int, Sequence[float]]) -> Any:
    """Return a colormap for masks in which some objects have colours of their own.

    Parameters
    ----------
    colors
        RGBA in 0…1 by object id; without any, the usual colormap is returned.
    """
    if not colors:
        return object_colors()
    ids = np.union1d(np.arange(1, COLORED_OBJECTS + 1), list(colors))
    usual = dict(zip(ids.tolist(), object_colors().map(ids), strict=True))
    own = {one: np.asarray(rgba, np.float32) for one, rgba in colors.items()}
    shown: dict[Any, Any] = {None: "gray", 0: "transparent"}
    shown.update(usual)
    shown.update(own)
    return DirectLabelColormap(color_dict=shown)


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
    others = {name: column.iloc[0] for name, column in points.feature_defaults.items()}
    points.feature_defaults = {**others, LABEL: object_id, POSITIVE: positive}


def positions_in(
    image: Layer,
    layer: Layer,
    positions: np.ndarray,
    here: Sequence[float] | None = None,
) -> np.ndarray:
    """Return positions of one layer in pixels of another, by the world.

    Parameters
    ----------
    image
        The layer whose pixels are meant.
    layer
        The layer that the positions are of.
    positions
        ``(positions, dimensions)``.
    here
        Point of the world that stands in for dimensions that ``layer`` lacks.

    Returns
    -------
    ndarray
        ``(positions, dimensions)`` with the dimensions of ``image``.
    """
    positions = np.asarray(positions, float).reshape(-1, layer.ndim)
    if _lie_alike(image, layer):
        return positions
    lacking: Sequence[float] = () if here is None else here[: -layer.ndim]
    places = [
        image.world_to_data((*lacking, *layer.data_to_world(row))) for row in positions
    ]
    return np.array(places, float).reshape(-1, image.ndim)


def _lie_alike(one: Layer, other: Layer) -> bool:
    return one.ndim == other.ndim and all(
        np.array_equal(np.asarray(getattr(other, name)), np.asarray(value))
        for name, value in _transforms(one).items()
    )


def _transforms(image: Layer) -> dict[str, Any]:
    names = ("scale", "translate", "rotate", "shear", "affine")
    return {name: getattr(image, name) for name in names}


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
