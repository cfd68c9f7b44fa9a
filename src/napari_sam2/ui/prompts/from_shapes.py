"""Shapes as prompts: rectangles are boxes, all other areas are masks.

`read_outlines` alone knows napari; the rest is geometry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, box_between, is_on_frame
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.outlines import AREAS, RECTANGLE, mask_inside
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt
from napari_sam2.session.book.intake import Intake, free_ids, gathered, sentence_of
from napari_sam2.ui.prompts.mark_rows import object_id_of

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

LABEL = "label"

OPEN, ELSEWHERE, EMPTY, TWICE, NAMELESS = (
    "open lines",
    "on another plane or frame, or across several",
    "outside the picture or without a pixel",
    "on which the object has another shape",
    "whose label is no id from 1 to 65535",
)
"""Why shapes are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One shape.

    Attributes
    ----------
    kind
        napari's word for it: ``"rectangle"``, ``"ellipse"``, ``"polygon"``, ….
    vertices
        ``(vertices, dimensions)`` in pixels of the image layer; of ellipses and
        rectangles the four corners.
    label
        What its feature ``label`` says; None without.
    """

    kind: str
    vertices: np.ndarray
    label: object = None

    @property
    def is_labelled(self) -> bool:
        """Whether somebody said which object it is."""
        return self.label is not None and self.label == self.label  # NaN is not


Area = BoxPrompt | MaskPrompt


def read_outlines(
    shapes: Shapes, image: Image, here: Sequence[float] | None = None
) -> list[Outline]:
    """Read the shapes of a layer.

    Parameters
    ----------
    shapes
        The layer, with or without a feature ``label``.
    image
        The movie's layer.
    here
        The point of the world that is shown: where shapes without a frame belong;
        needed for such shapes only.
    """
    # Imported here: `points_layer` draws on napari, and this module is geometry else.
    from napari_sam2.ui.layers.placement import positions_in

    features = shapes.features
    labels = features[LABEL].tolist() if LABEL in features else [None] * shapes.nshapes
    return [
        Outline(str(kind), positions_in(image, shapes, vertices, here), label)
        for kind, vertices, label in zip(
            shapes.shape_type, shapes.data, labels, strict=True
        )
    ]


def area_of(outline: Outline, axes: LayerAxes) -> tuple[int, Area] | str:
    """Return the frame of a shape and its box or mask; or why there is none."""
    vertices = outline.vertices
    if outline.kind not in AREAS:
        return OPEN
    if not _is_flat(vertices, axes):
        return ELSEWHERE
    corners = vertices[:, -2:]
    area: Area | None
    if outline.kind == RECTANGLE:
        area = box_between(corners.min(axis=0), corners.max(axis=0), axes.frame_shape)
    else:
        area = mask_inside(outline.kind, corners, axes.frame_shape)
    return EMPTY if area is None else (axes.frame_at(vertices[0]), area)


def shapes_to_prompts(
    outlines: Iterable[Outline],
    axes: LayerAxes,
    *,
    source: str,
    taken: Collection[int],
) -> Intake:
    """Turn shapes into prompts; each is an object of its own unless it has a label.

    Areas with the same label on the same frame are united; of rectangles, and where
    there are both, only the first area counts.

    Parameters
    ----------
    outlines
        The shapes.
    axes
        Where frames lie in the image layer.
    source
        What they come from, for the undo menu: "shapes of Lasso".
    taken
        Ids in use, which shapes without a label do not get.

    Raises
    ------
    InputError
        If no shape can be used.
    """
    outlines = list(outlines)
    left_out: Counter[str] = Counter()
    labelled = {
        one
        for outline in outlines
        if outline.is_labelled and (one := object_id_of(outline.label)) is not None
    }
    free = free_ids({*taken, *labelled})
    areas: dict[tuple[int, int], Area] = {}
    for outline in outlines:
        found = area_of(outline, axes)
        if isinstance(found, str):
            left_out[found] += 1
            continue
        object_id = object_id_of(outline.label) if outline.is_labelled else next(free)
        if object_id is None:
            left_out[NAMELESS] += 1
            continue
        frame_index, area = found
        united = _united(areas.get((object_id, frame_index)), area)
        if united is None:
            left_out[TWICE] += 1
        else:
            areas[object_id, frame_index] = united
    objects = gathered(_prompt(*place, area) for place, area in areas.items())
    sentence = sentence_of(objects, source, {}, left_out)
    if not objects:
        raise InputError(f"{sentence} Draw rectangles, ellipses or polygons on cells.")
    return Intake(objects, source, sentence)


def _prompt(object_id: int, frame_index: int, area: Area) -> FramePrompt:
    if isinstance(area, BoxPrompt):
        return FramePrompt(object_id, frame_index, box=area)
    return FramePrompt(object_id, frame_index, mask=area)


def _united(one: Area | None, other: Area) -> Area | None:
    """Return two areas as one; None if that cannot be said."""
    if one is None:
        return other
    if isinstance(one, MaskPrompt) and isinstance(other, MaskPrompt):
        return MaskPrompt(one.mask | other.mask)
    return None


def _is_flat(vertices: np.ndarray, axes: LayerAxes) -> bool:
    """Whether all vertices lie on one and the same frame of the movie."""
    before = np.round(vertices[:, :-2])
    return bool((before == before[0]).all()) and is_on_frame(vertices[0], axes)
