"""napari's Points files (CSV) as prompts: each row is a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import PlaneBounds, PromptBounds, check_object_id
from napari_sam2.io.prompts.tables import UNITS, Row, Table
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject

_YES = ("true", "1", "1.0", "yes", "positive", "+")
_NO = ("false", "0", "0.0", "no", "negative", "-")


@dataclass(frozen=True, slots=True)
class _Click:
    object_id: int
    frame_index: int
    point: PointPrompt


def point_prompts(
    table: Table, *, frame: int, bounds: PromptBounds
) -> list[PromptedObject]:
    """Read clicks as napari saves them.

    Parameters
    ----------
    table
        Columns ``axis-0, axis-1, axis-2`` (frame, row, column) or ``axis-0, axis-1``
        (row, column, on ``frame``), then ``label`` (object id) and ``positive``.
        Without ``label`` each click is an object of its own, numbered from 1; without
        ``positive`` all are positive.
    frame
        Frame of clicks that do not say theirs.

    Raises
    ------
    InputError
        Naming the line and the column.
    """
    clicks = _read_clicks(table, table.axes(), frame, bounds)
    return _as_objects(clicks, table, bounds)


def stack_point_prompts(
    table: Table, *, frame: int, bounds: PromptBounds, planes: PlaneBounds
) -> dict[int, list[PromptedObject]]:
    """Read clicks into a movie of stacks.

    Parameters
    ----------
    table, frame, bounds
        As for `point_prompts`, with the columns of frame, plane, row and column.
    planes
        Of the stacks.

    Returns
    -------
    dict
        By frame, the objects of its stack; their prompts have planes as frames.

    Raises
    ------
    InputError
        Naming the line and the column.
    """
    axes = table.axes("frame, plane")
    is_whole = len(axes) == 4
    seen_axes = [axes[0], *axes[2:]] if is_whole else axes
    by_frame: dict[int, list[_Click]] = {}
    clicks = _read_clicks(table, seen_axes, frame, bounds)
    for row, click in zip(table.rows, clicks, strict=True):
        said = row.whole(axes[1]) if is_whole else None
        plane = planes.plane(said, row.where)
        on_plane = replace(click, frame_index=plane)
        by_frame.setdefault(click.frame_index, []).append(on_plane)
    return {one: _as_objects(by_frame[one], table, bounds) for one in by_frame}


def _read_clicks(
    table: Table, axes: Sequence[str], frame: int, bounds: PromptBounds
) -> list[_Click]:
    """Read all rows; without a column ``label`` each is an object of its own."""
    clicks = [
        _read_click(row, axes, (number, frame), bounds)
        for number, row in enumerate(table.rows, start=1)
    ]
    if not clicks:
        raise InputError(f"{table.path} holds no points")
    return clicks


def _read_click(
    row: Row, axes: Sequence[str], defaults: tuple[int, int], bounds: PromptBounds
) -> _Click:
    """Read one row; ``defaults`` are the object id and the frame where it has none."""
    *before, y, x = axes
    frame_index = row.whole(before[0]) if before else defaults[1]
    bounds.check_frame(frame_index, row.where, hint=UNITS)
    point = PointPrompt(row.number(y), row.number(x), _is_positive(row))
    bounds.check_position(point.y, point.x, row.where, hint=UNITS)
    object_id = defaults[0]
    if "label" in row.cells:
        object_id = row.whole("label")
    elif not point.positive:
        raise InputError(
            f"{row.where}: a negative click needs the object that it is about; add a "
            "column label"
        )
    check_object_id(object_id, row.where)
    return _Click(object_id, frame_index, point)


def _is_positive(row: Row) -> bool:
    text = row.cells.get("positive", "true")
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise InputError(f"{row.where}, positive: {text!r:.60} is neither true nor false")


def _as_objects(
    clicks: Sequence[_Click], table: Table, bounds: PromptBounds
) -> list[PromptedObject]:
    by_object: dict[int, dict[int, list[PointPrompt]]] = {}
    for click in clicks:
        frames = by_object.setdefault(click.object_id, {})
        frames.setdefault(click.frame_index, []).append(click.point)
    for object_id, frames in by_object.items():
        for frame_index, points in frames.items():
            where = f"{table.path}: object {object_id}, frame {frame_index}"
            bounds.check_points(len(points), where)
    return [
        PromptedObject(
            object_id,
            tuple(
                FramePrompt(object_id, frame_index, tuple(points))
                for frame_index, points in sorted(frames.items())
            ),
        )
        for object_id, frames in sorted(by_object.items())
    ]
