"""napari's Shapes files (CSV) as prompts: rectangles are boxes, other areas masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import PromptBounds, check_object_id
from napari_sam2.io.prompts.outlines import AREAS, RECTANGLE, mask_inside
from napari_sam2.io.prompts.tables import UNITS, Row, Table
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PromptedObject

KIND, VERTEX = "shape-type", "vertex-index"


@dataclass(frozen=True, slots=True)
class _Shape:
    """The rows of one shape, each with a corner."""

    where: str
    rows: Sequence[Row]

    @property
    def kind(self) -> str:
        return self.rows[0].cells.get(KIND, "").strip().lower()


def holds_shapes(table: Table) -> bool:
    """Return whether a table is of shapes: points have neither kind nor corners."""
    return KIND in table.columns or VERTEX in table.columns


def shape_prompts(
    table: Table, *, frame: int, bounds: PromptBounds
) -> list[PromptedObject]:
    """Read shapes as napari saves them, one corner a row.

    Parameters
    ----------
    table
        Columns ``index``, ``shape-type``, ``vertex-index``, the axes as points have
        them, and perhaps ``label`` (object id); without it each shape is an object of
        its own, numbered from 1.
    frame
        Frame of shapes that do not say theirs.
    bounds
        The movie; what reaches beyond its frame is cut off.

    Raises
    ------
    InputError
        Naming the line; also for lines and paths, which have no inside.
    """
    axes = table.axes()
    objects: dict[int, dict[int, FramePrompt]] = {}
    for number, shape in enumerate(_shapes(table), start=1):
        prompt = _prompt(shape, axes, (number, frame), bounds)
        frames = objects.setdefault(prompt.object_id, {})
        known = frames.get(prompt.frame_index)
        frames[prompt.frame_index] = _united(known, prompt, shape.where)
    if not objects:
        raise InputError(f"{table.path} holds no shapes")
    return [
        PromptedObject(
            object_id, tuple(frames[frame_index] for frame_index in sorted(frames))
        )
        for object_id, frames in sorted(objects.items())
    ]


def _shapes(table: Table) -> list[_Shape]:
    missing = [name for name in ("index", KIND) if name not in table.columns]
    if missing:
        raise InputError(
            f"{table.path}: shapes need the columns index and {KIND}, as napari saves "
            f"them; {' and '.join(missing)} is missing"
        )
    by_index: dict[int, list[Row]] = {}
    for row in table.rows:
        by_index.setdefault(row.whole("index"), []).append(row)
    if VERTEX in table.columns:
        for rows in by_index.values():
            rows.sort(key=lambda row: row.whole(VERTEX))
    for rows in by_index.values():
        for name in (KIND, "label"):
            if len({cell for row in rows if (cell := row.cells.get(name))}) > 1:
                raise InputError(
                    f"{rows[0].where}: the rows of one shape (index) have several "
                    f"values of {name}; give each shape an index of its own"
                )
    return [_Shape(rows[0].where, rows) for _, rows in sorted(by_index.items())]


def _prompt(
    shape: _Shape, axes: Sequence[str], defaults: tuple[int, int], bounds: PromptBounds
) -> FramePrompt:
    """Read one shape; ``defaults`` are the object id and the frame if it has none."""
    *before, y, x = axes
    frames = {row.whole(before[0]) for row in shape.rows} if before else set()
    if len(frames) > 1:
        raise InputError(f"{shape.where}: the shape lies across several frames")
    frame_index = frames.pop() if frames else defaults[1]
    bounds.check_frame(frame_index, shape.where, hint=UNITS)
    object_id = defaults[0]
    if "label" in shape.rows[0].cells:
        object_id = shape.rows[0].whole("label")
    check_object_id(object_id, shape.where)
    corners = np.array([(row.number(y), row.number(x)) for row in shape.rows])
    area = _area(shape, corners, bounds)
    if isinstance(area, BoxPrompt):
        return FramePrompt(object_id, frame_index, box=area)
    return FramePrompt(object_id, frame_index, mask=area)


def _area(
    shape: _Shape, corners: np.ndarray, bounds: PromptBounds
) -> BoxPrompt | MaskPrompt:
    if shape.kind not in AREAS:
        raise InputError(
            f"{shape.where}: a {shape.kind or 'shape without a kind'} has no inside; "
            "draw rectangles, ellipses or polygons on cells"
        )
    least = 3 if shape.kind == "polygon" else 4
    if len(corners) < least:
        raise InputError(
            f"{shape.where}: a {shape.kind} has {least} corners or more, not "
            f"{len(corners)}"
        )
    size = np.array(bounds.frame_shape)
    low, high = corners.min(axis=0), corners.max(axis=0)
    is_inside = (high >= -0.5).all() and (low <= size - 0.5).all()
    if not (is_inside and np.isfinite(corners).all()):
        # Says where it is, and why that may be.
        for y, x in (low.tolist(), high.tolist()):
            bounds.check_position(y, x, shape.where, hint=UNITS)
    if shape.kind == RECTANGLE:
        low, high = np.clip(low, 0, size - 1), np.clip(high, 0, size - 1)
        return BoxPrompt(*low.tolist(), *high.tolist())
    mask = mask_inside(shape.kind, corners, bounds.frame_shape)
    if mask is None:
        raise InputError(f"{shape.where}: the {shape.kind} has no pixel inside")
    return mask


def _united(known: FramePrompt | None, new: FramePrompt, where: str) -> FramePrompt:
    """Return two areas of an object on a frame as one."""
    if known is None:
        return new
    if known.mask is None or new.mask is None:
        raise InputError(
            f"{where}: object {new.object_id} has another shape on frame "
            f"{new.frame_index}; only masks can be put together"
        )
    return replace(new, mask=MaskPrompt(known.mask.mask | new.mask.mask))
