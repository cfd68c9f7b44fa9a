"""Labels as prompts: *Track these labels*.

Every label of a frame becomes an object with a mask prompt; further frames of the same
layer are further anchors. `picture_labels` is called in the main thread and knows
napari; a `LabelPicture` reads the pixels, in the worker.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, Spot, position_of
from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.intake import Intake, gathered, new_ids, sentence_of
from napari_sam2.session.book.state import Color

if TYPE_CHECKING:
    from napari.layers import Image, Labels

ALMOST = 1e-6
"""What is smaller comes from rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelPicture:
    """A labels layer as it was when somebody asked, and where it lies on the movie.

    Attributes
    ----------
    array
        Its pixels: numpy, dask, zarr; the finest level of a pyramid.
    origin
        Where in the array the first pixel of the movie's first frame is.
    steps
        ``(3, dimensions)``: how far in the array a frame, a row, a column are apart.
    colormap
        napari's colormap of the layer: from labels to colours.
    """

    name: str
    array: Any
    origin: np.ndarray
    steps: np.ndarray
    axes: LayerAxes
    colormap: Any

    @property
    def has_frames(self) -> bool:
        """Whether frames differ; otherwise its labels are those of any one frame."""
        return bool((np.abs(self.steps[0]) > ALMOST).any())

    def read(self, frame_index: int) -> np.ndarray:
        """Return the labels of a frame, ``(Y, X)``, 0 where the layer does not reach.

        Pixels are those nearest to the movie's; to be called in the worker.
        """
        start = self.origin + frame_index * self.steps[0]
        labels = np.zeros(self.axes.frame_shape, self.array.dtype)
        chosen: list[np.ndarray] = []
        inside: dict[int, tuple[int, np.ndarray]] = {}
        for axis, length in enumerate(self.array.shape):
            places = _nearest(start[axis])
            for side in (1, 2):
                if self._runs_along(axis, side):
                    pixels = np.arange(labels.shape[side - 1])
                    places = _nearest(start[axis] + self.steps[side][axis] * pixels)
                    inside[side] = axis, (places >= 0) & (places < length)
            chosen.append(places[(places >= 0) & (places < length)])
        if any(len(places) == 0 for places in chosen):
            return labels
        (row_axis, rows), (column_axis, columns) = inside[1], inside[2]
        around = tuple(slice(places.min(), places.max() + 1) for places in chosen)
        part = np.asarray(self.array[around])
        part = part[np.ix_(*(places - places.min() for places in chosen))]
        part = np.moveaxis(part, (row_axis, column_axis), (-2, -1))
        labels[np.ix_(rows, columns)] = part.reshape(rows.sum(), columns.sum())
        return labels

    def _runs_along(self, axis: int, side: int) -> bool:
        """Whether frames, rows or columns (0, 1, 2) of the movie run along an axis."""
        return bool(abs(self.steps[side][axis]) > ALMOST)


def picture_labels(
    layer: Labels, image: Image, axes: LayerAxes, here: Sequence[float]
) -> LabelPicture:
    """Take a picture of a labels layer; see `LabelPicture`.

    Parameters
    ----------
    here
        The point of the world that is shown, for dimensions that the movie lacks.

    Raises
    ------
    InputError
        If the labels are turned or skewed against the movie, or lack rows or columns.
    """
    array = layer.data[0] if layer.multiscale else layer.data
    corners = [Spot(0, 0, 0), Spot(1, 0, 0), Spot(0, 1, 0), Spot(0, 0, 1)]
    positions = [
        _position(layer, image.data_to_world(position_of(spot, axes)), here)
        for spot in corners
    ]
    origin = positions[0]
    steps = np.array([position - origin for position in positions[1:]])
    used = np.abs(steps) > ALMOST
    if (used.sum(axis=0) > 1).any() or (used[1:].sum(axis=1) != 1).any():
        raise InputError(
            f"{layer.name} is turned against {image.name}, or has other dimensions: "
            "choose labels that lie on the movie"
        )
    return LabelPicture(str(layer.name), array, origin, steps, axes, layer.colormap)


def labels_to_prompts(
    picture: LabelPicture, frames: Sequence[int], taken: Collection[int]
) -> Intake:
    """Turn the labels of some frames into prompts; to be called in the worker.

    Parameters
    ----------
    frames
        Which frames are anchors; see `anchor_frames`.
    taken
        Ids in use, instead of which objects get new ones.

    Raises
    ------
    InputError
        If there is no label on these frames.
    """
    source = f"labels of {picture.name}"
    masks: dict[tuple[int, int], np.ndarray] = {}
    for frame_index in frames if picture.has_frames else frames[:1]:
        labels = _whole(picture.read(frame_index), source)
        for label in np.unique(labels).tolist():
            if label != 0:
                masks[label, frame_index] = labels == label
    if not masks:
        where = f"frame {frames[0]}" if len(frames) == 1 else "the chosen frames"
        raise InputError(f"there is no label of {picture.name} on {where}")
    ids = new_ids(sorted({label for label, _ in masks}), taken)
    objects = gathered(
        FramePrompt(ids.get(label, label), frame_index, mask=MaskPrompt(mask))
        for (label, frame_index), mask in masks.items()
    )
    found = {
        ids.get(label, label): _color(picture.colormap, label) for label, _ in masks
    }
    # What is not seen there, because another label is chosen, is to be seen here.
    colors = {label: color for label, color in found.items() if color[3] > 0}
    return Intake(objects, source, sentence_of(objects, source, ids), ids, colors)


def anchor_frames(first: int, frame_count: int, every_nth: int | None) -> list[int]:
    """Return the current frame, and every nth after it unless that is None."""
    return [first] if every_nth is None else list(range(first, frame_count, every_nth))


def _nearest(places: np.ndarray | float) -> np.ndarray:
    """Return the pixels that positions lie in."""
    nearest: np.ndarray = np.floor(np.atleast_1d(places) + 0.5).astype(int)
    return nearest


def _position(layer: Labels, world: Sequence[float], here: Sequence[float]) -> Any:
    """Return a point of the world in the layer; what the movie lacks is as shown."""
    lacking = here[: max(0, len(here) - len(world))]
    return np.asarray(layer.world_to_data((*lacking, *world)), float)


def _whole(labels: np.ndarray, source: str) -> np.ndarray:
    if labels.dtype.kind not in "biu":
        raise InputError(f"{source}: labels are whole numbers, not {labels.dtype}")
    return labels


def _color(colormap: Any, label: int) -> Color:
    red, green, blue, alpha = (
        float(part) for part in np.ravel(colormap.map(label))[:4]
    )
    return red, green, blue, alpha
