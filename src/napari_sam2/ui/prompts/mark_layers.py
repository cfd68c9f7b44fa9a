"""The two layers in which marks are seen: clicks as points, boxes as shapes."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, Spot, corners_of, position_of
from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, MaskPrompt, Place, PointPrompt
from napari_sam2.session.book.state import Color
from napari_sam2.ui.layers.colors import COLORED_OBJECTS, object_color, object_colors
from napari_sam2.ui.layers.placement import placed_like, positions_in
from napari_sam2.ui.prompts.from_shapes import Outline, area_of, read_outlines
from napari_sam2.ui.prompts.mark_rows import (
    TOLERANCE,
    Row,
    RowPlan,
    object_id_of,
    plan_rows,
    points_in,
    rows_of,
)
from napari_sam2.ui.widgets.connections import Connections

if TYPE_CHECKING:
    from napari.layers import Image, Points, Shapes
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
        canvas_size_limits=MARK_PIXELS,
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


MARK_PIXELS = (7, 15)
"""Between these sizes on the screen a click is seen, and hides no cell."""

BOX_LINES = 250
"""The rim of a box is a pixel wide for each so many rows of the picture."""


class PointView:
    """Clicks in a points layer.

    Parameters
    ----------
    layer
        With the features ``label`` and ``positive``.
    is_own
        Whether the layer is ours, and is taken away in the end.
    """

    def __init__(
        self, layer: Points, image: Image, axes: LayerAxes, *, is_own: bool
    ) -> None:
        self.layer = layer
        self.is_own = is_own
        self.events = Connections()
        self._image = image
        self._axes = axes
        self._known: list[Row] | None = None

    @property
    def complaint(self) -> str:
        """Which points are not used, in a line."""
        unused = sum(row.place is None for row in self._rows())
        if not unused:
            return ""
        return (
            f"Points not used: {unused}, outside the picture, on another plane, or "
            "whose label is no id from 1 to 65535."
        )

    def is_on(self, layer: Any) -> bool:
        """Whether it shows clicks in this layer."""
        return bool(self.layer.unique_id == layer.unique_id)

    def forget(self) -> None:
        """Read the layer anew: somebody else has changed it."""
        self._known = None

    def read(
        self, places: Collection[Place] | None = None
    ) -> dict[Place, tuple[PointPrompt, ...]]:
        """Return the clicks, or only those at some places.

        Raises
        ------
        InputError
            If somebody took the features away.
        """
        rows = self._rows()
        if places is not None:
            rows = [row for row in rows if row.place in places]
        return points_in(rows)

    def show(
        self,
        wanted: Mapping[Place, tuple[PointPrompt, ...]],
        places: Collection[Place] | None = None,
    ) -> bool:
        """Show clicks instead of those that are there; say if anything changed.

        Parameters
        ----------
        wanted
            Clicks, in their order.
        places
            Where all is wanted that is to be seen there; None for everywhere.
        """
        rows = self._rows()
        plan = plan_rows(rows, wanted, places)
        if not plan.is_change:
            return False
        # Marks that stay are not moved, not even by rounding on the way.
        stay = {number: rows[index] for number, index in enumerate(plan.kept)}
        new = [n for n, row in enumerate(plan.rows) if row is not stay.get(n)]
        layer = self.layer
        positions = np.zeros((len(plan.rows), layer.ndim))
        positions[: len(plan.kept)] = np.asarray(layer.data, float)[list(plan.kept)]
        positions[new] = self._positions([plan.rows[number] for number in new])
        self._write(rows, plan, positions)
        # As they will be read again: on the way through the world they are rounded.
        self._known = list(plan.rows)
        read = rows_of(
            positions_in(self._image, layer, positions[new]),
            [row.place[0] if (row := plan.rows[n]).place else 0 for n in new],
            [plan.rows[n].point.positive for n in new],
            self._axes,
        )
        for number, row in zip(new, read, strict=True):
            self._known[number] = row
        return True

    def _write(self, rows: Sequence[Row], plan: RowPlan, positions: np.ndarray) -> None:
        """Change the layer as little as possible: napari takes its time."""
        layer, count = self.layer, len(plan.kept)
        added = {(row.place, row.point.positive) for row in plan.rows[count:]}
        stays = count == len(rows) and all(
            old.point.positive == new.point.positive
            for old, new in zip(rows, plan.rows, strict=False)
        )
        if stays and len(added) <= 1:
            for place, is_positive in added:  # new points are like the next click
                set_next_click(layer, place[0] if place else 0, positive=is_positive)
            self._move(positions)
            return
        features = self._features(plan.kept, plan.rows)
        if count < len(rows):
            layer.selected_data = set()
        self._move(positions)
        layer.features = features
        layer.refresh_colors()

    def _move(self, positions: np.ndarray) -> None:
        if not self.is_own:
            self.layer.data = positions
            return
        # The viewer would measure the world anew, twice, which clicks do not change.
        with self.layer.events.data.blocker():
            self.layer.data = positions

    def show_colors(self, own: Mapping[int, Color]) -> None:
        """Know the objects that have colours of their own."""
        color_points(self.layer, own)

    def set_next(self, object_id: int, *, is_positive: bool) -> None:
        """Say what a point that is set by hand is about."""
        set_next_click(self.layer, object_id, positive=is_positive)

    def _rows(self) -> list[Row]:
        if self._known is None:
            self._known = self._read_all()
        return self._known

    def _read_all(self) -> list[Row]:
        features = self.layer.features
        if LABEL not in features or POSITIVE not in features:
            raise InputError(
                f"{self.layer.name} has lost its features {LABEL} and {POSITIVE}: "
                "choose it again"
            )
        positions = positions_in(self._image, self.layer, self.layer.data)
        return rows_of(positions, features[LABEL], features[POSITIVE], self._axes)

    def _positions(self, rows: Sequence[Row]) -> np.ndarray:
        spots = [
            Spot(row.place[1] if row.place else 0, row.point.y, row.point.x)
            for row in rows
        ]
        positions = [position_of(spot, self._axes) for spot in spots]
        return positions_in(self.layer, self._image, np.array(positions))

    def _features(self, kept: Sequence[int], rows: Sequence[Row]) -> Any:
        """Return the table of features; what else it holds of kept points stays."""
        before = self.layer.features.iloc[list(kept)].reset_index(drop=True)
        table = before.reindex(range(len(rows)))
        labels = before[LABEL].tolist() + [0] * (len(rows) - len(kept))
        for index, row in enumerate(rows):
            if row.place is not None:
                labels[index] = row.place[0]
        # Whole numbers, also where there are none: napari colours by them.
        is_whole = all(isinstance(label, int) for label in labels)
        table[LABEL] = np.array(labels, np.int64 if is_whole else object)
        table[POSITIVE] = np.array([row.point.positive for row in rows], bool)
        return table


class BoxView:
    """Boxes in a shapes layer; other areas drawn there are masks.

    Parameters
    ----------
    layer
        With the feature ``label``.
    """

    def __init__(self, layer: Shapes, image: Image, axes: LayerAxes) -> None:
        self.layer = layer
        self.events = Connections()
        self._image = image
        self._axes = axes
        self._colors: Mapping[int, Color] = {}

    @classmethod
    def add(cls, viewer: Viewer, image: Image, axes: LayerAxes) -> BoxView:
        """Add the layer to a viewer; what was chosen stays chosen."""
        active = viewer.layers.selection.active
        layer = viewer.add_shapes(
            ndim=len(axes.shape),
            name=f"{image.name} boxes",
            features={LABEL: np.zeros(0, np.int64)},
            face_color="transparent",
            metadata={"napari-sam2 view": "boxes"},
            edge_width=max(0.5, min(axes.frame_shape) / BOX_LINES),
            **placed_like(image),
        )
        layer.mode = "pan_zoom"
        viewer.layers.selection.active = active
        return cls(layer, image, axes)

    def is_on(self, layer: Any) -> bool:
        """Whether it shows boxes in this layer."""
        return bool(self.layer.unique_id == layer.unique_id)

    def read(
        self, here: Sequence[float], object_id: int
    ) -> tuple[dict[Place, BoxPrompt], dict[Place, MaskPrompt]]:
        """Return boxes and masks; the last shape of an object on a frame counts.

        Parameters
        ----------
        here
            The point of the world that is shown.
        object_id
            What shapes without a label are about.
        """
        boxes: dict[Place, BoxPrompt] = {}
        masks: dict[Place, MaskPrompt] = {}
        for outline in read_outlines(self.layer, self._image, here):
            found = area_of(outline, self._axes)
            if isinstance(found, str):
                continue
            frame_index, area = found
            about = object_id_of(outline.label) if outline.is_labelled else object_id
            if about is None:
                continue
            if isinstance(area, MaskPrompt):
                masks[about, frame_index] = area
            else:
                boxes[about, frame_index] = area
        return boxes, masks

    def show(self, wanted: Mapping[Place, BoxPrompt]) -> bool:
        """Show boxes instead of those that are there; say if anything changed."""
        if self._shows(wanted):
            return False
        layer = self.layer
        if layer.nshapes:
            layer.selected_data = set()
            layer.remove(list(range(layer.nshapes)))
        places = sorted(wanted)
        if places:
            layer.add_rectangles(
                [self._corners(place, wanted[place]) for place in places]
            )
        labels = np.array([object_id for object_id, _ in places], np.int64)
        layer.features = {LABEL: labels}
        if places:
            layer.edge_color = np.array(
                [self._rim_color(int(object_id)) for object_id in labels]
            )
        return True

    def show_colors(self, own: Mapping[int, Color]) -> None:
        """Know the objects that have colours of their own."""
        self._colors = own
        features = self.layer.features
        if self.layer.nshapes and LABEL in features:
            ids = [object_id_of(label) or 0 for label in features[LABEL]]
            self.layer.edge_color = np.array(
                [self._rim_color(object_id) for object_id in ids]
            )

    def set_next(self, object_id: int, *, is_positive: bool) -> None:
        """Say what a shape that is drawn by hand is about; areas have no polarity."""
        del is_positive
        # Chosen boxes keep what they are about, and their colours.
        with self.layer.block_update_properties():
            self.layer.feature_defaults = {LABEL: object_id}
            self.layer.current_edge_color = self._rim_color(object_id)
            self.layer.current_face_color = "transparent"

    def _shows(self, wanted: Mapping[Place, BoxPrompt]) -> bool:
        """Whether the layer holds these very boxes, upright, and nothing else."""
        outlines = read_outlines(self.layer, self._image)
        shown = {}
        for outline in outlines:
            found = area_of(outline, self._axes)
            one = object_id_of(outline.label)
            if isinstance(found, str) or not isinstance(found[1], BoxPrompt):
                return False
            shown[one, found[0]] = (outline, found[1])
        return (
            len(outlines) == len(wanted)
            and shown.keys() == wanted.keys()
            and all(_is_same(*shown[place], box) for place, box in wanted.items())
        )

    def _rim_color(self, object_id: int) -> np.ndarray:
        """Return the object's colour, half way to white: thin lines must be seen."""
        color = np.asarray(self._colors.get(object_id, object_color(object_id)))
        rim: np.ndarray = (color + 1) / 2
        return rim

    def _corners(self, place: Place, box: BoxPrompt) -> np.ndarray:
        spots = [Spot(place[1], y, x) for y, x in corners_of(box)]
        positions = np.array([position_of(spot, self._axes) for spot in spots])
        return positions_in(self.layer, self._image, positions)


def _is_same(outline: Outline, shown: BoxPrompt, box: BoxPrompt) -> bool:
    sides = zip(_sides(shown), _sides(box), strict=True)
    corners = outline.vertices[:, -2:]
    is_upright = all(len(set(np.round(corners[:, axis], 3))) == 2 for axis in (0, 1))
    return is_upright and all(abs(one - other) < TOLERANCE for one, other in sides)


def _sides(box: BoxPrompt) -> tuple[float, ...]:
    return box.y0, box.x0, box.y1, box.x1
