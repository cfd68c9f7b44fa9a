"""Shapes as prompts: rectangles are boxes, other areas masks, lines are scribbles.

`read_outlines` alone knows napari; the rest is geometry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, box_between, is_on_frame
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.outlines import (
    AREAS,
    LINES,
    RECTANGLE,
    mask_inside,
    points_along,
)
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, Place
from napari_sam2.session.book.intake import Intake, free_ids, gathered, sentence_of
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.prompts.mark_rows import object_id_of

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

LABEL, POSITIVE = "label", "positive"

OPEN, ELSEWHERE, EMPTY, TWICE, NAMELESS, REFUSING = (
    "open lines",
    "on another plane or frame, or across several",
    "outside the picture or without a pixel",
    "on which the object has another shape",
    "whose label is no id from 1 to 65535",
    "of lines that say where an object is not, but not which one",
)
"""Why shapes are left out."""

NO = ("false", "0", "0.0", "no")
ANY_OBJECT = 1


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
    is_positive
        False of a line that says where the object is not: its feature ``positive``.
    """

    kind: str
    vertices: np.ndarray
    label: object = None
    is_positive: bool = True

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
        The layer, with or without features ``label`` and ``positive``.
    here
        The point of the world that is shown: where shapes without a frame belong;
        needed for such shapes only.
    """
    # Imported here: `points_layer` draws on napari, and this module is geometry else.
    from napari_sam2.ui.layers.placement import positions_in

    features = shapes.features
    labels = features[LABEL].tolist() if LABEL in features else [None] * shapes.nshapes
    flags = features.get(POSITIVE, [True] * shapes.nshapes)
    return [
        Outline(str(kind), positions_in(image, shapes, vertices, here), label, is_on)
        for kind, vertices, label, is_on in zip(
            shapes.shape_type, shapes.data, labels, map(_is_on, flags), strict=True
        )
    ]


def _is_on(flag: object) -> bool:
    """Return what a feature says; nothing and text that is no "no" are yes."""
    return str(flag).strip().lower() not in NO


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
    said: BookState | None = None,
) -> Intake:
    """Turn shapes into prompts; each is an object of its own unless it has a label.

    What has the same label on the same frame is united: areas, and lines with each
    other, with a rectangle and with what is said there already. Of rectangles, and of
    areas and others, only the first counts.

    Parameters
    ----------
    source
        What they come from, for the undo menu: "shapes of Lasso".
    taken
        Ids in use, which shapes without a label do not get.
    said
        What is said already, which lines add to.

    Raises
    ------
    InputError
        If no shape can be used.
    """
    outlines = list(outlines)
    left_out: Counter[str] = Counter()
    free = free_ids({*taken, *_labelled(outlines)})
    prompts: dict[tuple[int, int], FramePrompt] = {}
    for outline in outlines:
        found = said_by(outline, axes)
        if isinstance(found, str):
            left_out[found] += 1
            continue
        object_id = object_id_of(outline.label) if outline.is_labelled else next(free)
        if object_id is None:
            left_out[NAMELESS] += 1
            continue
        place = (object_id, found.frame_index)
        before = prompts.get(place) or _said_before(said, place, found)
        united = _united(before, replace(found, object_id=object_id))
        if united is None:
            left_out[TWICE] += 1
            continue
        prompts[place] = united
    objects = gathered(prompts.values())
    sentence = sentence_of(objects, source, {}, left_out)
    if not objects:
        raise InputError(
            f"{sentence} Draw rectangles, ellipses, polygons or paths on cells."
        )
    return Intake(objects, source, sentence)


def _labelled(outlines: Iterable[Outline]) -> set[int]:
    """Return the objects that shapes name."""
    named = (object_id_of(one.label) for one in outlines if one.is_labelled)
    return {one for one in named if one is not None}


def said_by(outline: Outline, axes: LayerAxes) -> FramePrompt | str:
    """Return what a shape says, of any object; or why nothing."""
    if outline.kind not in LINES:
        found = area_of(outline, axes)
        if isinstance(found, str):
            return found
        frame_index, area = found
        if isinstance(area, BoxPrompt):
            return FramePrompt(ANY_OBJECT, frame_index, box=area)
        return FramePrompt(ANY_OBJECT, frame_index, mask=area)
    if not _is_flat(outline.vertices, axes):
        return ELSEWHERE
    if not (outline.is_positive or outline.is_labelled):
        return REFUSING
    line, is_positive = outline.vertices[:, -2:], outline.is_positive
    points = points_along(line, axes.frame_shape, is_positive=is_positive)
    frame_index = axes.frame_at(outline.vertices[0])
    return FramePrompt(ANY_OBJECT, frame_index, points) if points else EMPTY


def _said_before(
    said: BookState | None, place: Place, found: FramePrompt
) -> FramePrompt | None:
    """Return the clicks and the box that a line adds to; None of areas and masks."""
    state = None if said is None else said.get(place[0])
    if state is None or not found.points:
        return None
    before = state.prompt_at(place[1])
    return None if before is None or before.mask is not None else before


def _united(one: FramePrompt | None, other: FramePrompt) -> FramePrompt | None:
    """Return two prompts as one; None if that cannot be said."""
    if one is None:
        return other
    if one.mask is not None and other.mask is not None:
        return replace(one, mask=MaskPrompt(one.mask.mask | other.mask.mask))
    is_mixed = one.mask is not None or other.mask is not None
    if is_mixed or (one.box is not None and other.box is not None):
        return None
    new = tuple(point for point in other.points if point not in one.points)
    return replace(one, points=one.points + new, box=one.box or other.box)


def _is_flat(vertices: np.ndarray, axes: LayerAxes) -> bool:
    """Whether all vertices lie on one and the same frame of the movie."""
    before = np.round(vertices[:, :-2])
    return bool((before == before[0]).all()) and is_on_frame(vertices[0], axes)
