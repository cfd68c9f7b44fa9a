"""napari's Points files (CSV) as prompts: each row is a click."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.errors import InputError
from napari_sam2.io.movies.image_stacks import one_line
from napari_sam2.io.prompts.bounds import PromptBounds, check_object_id
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject

_YES = ("true", "1", "1.0", "yes", "positive", "+")
_NO = ("false", "0", "0.0", "no", "negative", "-")


@dataclass(frozen=True, slots=True)
class _Click:
    object_id: int
    frame_index: int
    point: PointPrompt


def read_point_prompts(
    path: Path, *, frame: int, bounds: PromptBounds
) -> list[PromptedObject]:
    """Read clicks as napari saves them.

    Parameters
    ----------
    path
        Columns ``axis-0, axis-1, axis-2`` (frame, row, column) or ``axis-0, axis-1``
        (row, column, on ``frame``), then ``label`` (object id) and ``positive``.
        Without ``label`` each click is an object of its own, numbered from 1; without
        ``positive`` all are positive.
    frame
        Frame of clicks that do not say theirs.
    bounds
        The movie.

    Raises
    ------
    InputError
        Naming the line and the column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            rows = list(table)
            columns = [name.strip() for name in table.fieldnames or ()]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {one_line(error)}") from error
    axes = [f"axis-{number}" for number in range(4) if f"axis-{number}" in columns]
    if len(axes) not in (2, 3) or axes[0] != "axis-0":
        raise InputError(
            f"{path}: points need the columns axis-0, axis-1 (row, column) or axis-0, "
            f"axis-1, axis-2 (frame, row, column); found {', '.join(columns) or 'none'}"
        )
    clicks = [
        _read_click(row, axes, f"{path}, line {number}", (number - 1, frame), bounds)
        for number, row in enumerate(rows, start=2)
    ]
    if not clicks:
        raise InputError(f"{path} holds no points")
    return _as_objects(clicks)


def _read_click(
    row: dict[str, str | None],
    axes: Sequence[str],
    where: str,
    defaults: tuple[int, int],
    bounds: PromptBounds,
) -> _Click:
    """Read one row; ``defaults`` are the object id and the frame where it has none."""
    cells = {str(key).strip(): value for key, value in row.items()}
    *before, y, x = (_number(cells, axis, where) for axis in axes)
    frame_index = _whole(before[0], axes[0], where) if before else defaults[1]
    bounds.check_frame(frame_index, where)
    bounds.check_position(y, x, where)
    positive = _flag(cells.get("positive"), where)
    if "label" in cells:
        object_id = _whole(_number(cells, "label", where), "label", where)
        check_object_id(object_id, where)
    else:
        object_id = defaults[0]
        if not positive:
            raise InputError(
                f"{where}: a negative click needs the object that it is about; add a "
                "column label"
            )
    return _Click(object_id, frame_index, PointPrompt(y, x, positive))


def _number(cells: dict[str, str | None], column: str, where: str) -> float:
    text = cells.get(column)
    try:
        return float(text or "")
    except ValueError:
        raise InputError(f"{where}, {column}: {text!r} is no number") from None


def _whole(value: float, column: str, where: str) -> int:
    if not value.is_integer():
        raise InputError(f"{where}, {column}: {value:g} is no whole number")
    return int(value)


def _flag(text: str | None, where: str) -> bool:
    word = "true" if text is None else text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise InputError(f"{where}, positive: {text!r} is neither true nor false")


def _as_objects(clicks: Sequence[_Click]) -> list[PromptedObject]:
    by_object: dict[int, dict[int, list[PointPrompt]]] = {}
    for click in clicks:
        frames = by_object.setdefault(click.object_id, {})
        frames.setdefault(click.frame_index, []).append(click.point)
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
