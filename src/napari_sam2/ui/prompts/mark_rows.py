"""Marks of prompts as rows of layers, and what a person changed of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, spot_at
from napari_sam2.prompts import (
    MAX_OBJECT_ID,
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    Place,
    PointPrompt,
)
from napari_sam2.session.book.state import BookState

TOLERANCE = 1e-3
"""Pixels by which a mark may miss what it stands for, on its way through the world."""


@dataclass(frozen=True, slots=True)
class Row:
    """One point of a layer.

    Attributes
    ----------
    place
        Object and frame; None if it is none: outside, or without an id.
    point
        Where on the frame, and its polarity.
    """

    place: Place | None
    point: PointPrompt


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked, by object and frame.

    Attributes
    ----------
    points
        Clicks in their order.
    masks
        Areas that were drawn, which are taken in and not shown as marks.
    """

    points: Mapping[Place, tuple[PointPrompt, ...]] = field(default_factory=dict)
    boxes: Mapping[Place, BoxPrompt] = field(default_factory=dict)
    masks: Mapping[Place, MaskPrompt] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class MarkEdits:
    """What a person changed by way of marks.

    Attributes
    ----------
    prompts
        All that is said now where something else was said before.
    cleared
        Where nothing is said any more.
    """

    prompts: tuple[FramePrompt, ...]
    cleared: tuple[Place, ...]

    @property
    def text(self) -> str:
        """What was done, for the undo menu."""
        said = [(prompt.object_id, prompt.frame_index) for prompt in self.prompts]
        places = [*said, *self.cleared]
        if len(places) != 1:
            return f"prompts of {len(places)} anchors"
        ((object_id, frame_index),) = places
        verb = "prompts" if said else "no prompts"
        return f"{verb} of object {object_id}, frame {frame_index}"


def marks_of(book: BookState, places: Collection[Place] | None = None) -> Marks:
    """Return the marks of all objects that are not hidden, or only at some places."""
    ids = None if places is None else {object_id for object_id, _ in places}
    states = (
        book.objects
        if ids is None
        else [book[object_id] for object_id in ids if object_id in book]
    )
    said = [
        (place, prompt)
        for state in states
        if not state.is_hidden
        for prompt in state.prompts
        if (place := (state.object_id, prompt.frame_index))
        and (places is None or place in places)
    ]
    return Marks(
        points={place: prompt.points for place, prompt in said if prompt.points},
        boxes={place: prompt.box for place, prompt in said if prompt.box is not None},
    )


def changed_places(before: BookState, after: BookState) -> set[Place]:
    """Return where two states may show other marks."""
    changed = after.gone_since(before)
    for state in after.new_since(before):
        old = before.get(state.object_id)
        if old is None:
            changed.append(state)
        elif old.prompts is not state.prompts or old.is_hidden != state.is_hidden:
            changed += [old, state]
    return {
        (state.object_id, prompt.frame_index)
        for state in changed
        for prompt in state.prompts
    }


def edits_between(before: Marks, after: Marks, book: BookState) -> MarkEdits:
    """Return what a person changed between two readings of the marks.

    Parameters
    ----------
    book
        What is said besides: a box stays where clicks change, clicks where a box does.
    """
    prompts, cleared = [], []
    for place in _changed(before, after):
        object_id, frame_index = place
        if place in after.masks:
            mask = after.masks[place]
            prompts.append(FramePrompt(object_id, frame_index, mask=mask))
            continue
        points = after.points.get(place, ())
        box = after.boxes.get(place)
        if points or box is not None:
            prompts.append(FramePrompt(object_id, frame_index, points, box))
        elif object_id in book and book[object_id].prompt_at(frame_index) is not None:
            cleared.append(place)
    return MarkEdits(tuple(prompts), tuple(cleared))


def object_id_of(label: object) -> int | None:
    """Return the object id that a feature means; None if it means none."""
    try:
        number = float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not number.is_integer() or not 1 <= number <= MAX_OBJECT_ID:
        return None
    return int(number)


def rows_of(
    positions: np.ndarray,
    labels: Sequence[object],
    positive: Sequence[object],
    axes: LayerAxes,
) -> list[Row]:
    """Return the rows of a points layer.

    Parameters
    ----------
    positions
        ``(points, dimensions)`` in pixels of the image layer.
    labels, positive
        Object id and polarity of each point.
    """
    rows = []
    for position, label, flag in zip(positions.tolist(), labels, positive, strict=True):
        spot, object_id = spot_at(position, axes), object_id_of(label)
        point = PointPrompt(position[-2], position[-1], bool(flag))
        if spot is None or object_id is None:
            rows.append(Row(None, point))
        else:
            rows.append(Row((object_id, spot.frame_index), point))
    return rows


def points_in(rows: Sequence[Row]) -> dict[Place, tuple[PointPrompt, ...]]:
    """Return the clicks by object and frame, in their order."""
    points: dict[Place, list[PointPrompt]] = {}
    for row in rows:
        if row.place is not None:
            points.setdefault(row.place, []).append(row.point)
    return {place: tuple(clicks) for place, clicks in points.items()}


@dataclass(frozen=True, slots=True)
class RowPlan:
    """How the rows of a layer become those that are wanted.

    Attributes
    ----------
    kept
        Indices of the rows that stay, ascending; all others go.
    rows
        What the kept rows say then, and after them the new ones.
    is_change
        Whether anything changes at all.
    """

    kept: tuple[int, ...]
    rows: tuple[Row, ...]
    is_change: bool


def plan_rows(
    rows: Sequence[Row],
    wanted: Mapping[Place, tuple[PointPrompt, ...]],
    places: Collection[Place] | None = None,
) -> RowPlan:
    """Say how to show what is wanted; rows that are no prompts stay as they are.

    Parameters
    ----------
    wanted
        Clicks, in their order.
    places
        Where all is wanted that is to be seen there; None for everywhere.
    """
    owed = {place: list(points) for place, points in wanted.items()}
    kept, stay, is_change = [], [], False
    for index, row in enumerate(rows):
        if row.place is not None and (places is None or row.place in places):
            points = owed.get(row.place)
            if not points:
                is_change = True
                continue
            point = points.pop(0)
            if not _is_close(point, row.point):
                row, is_change = Row(row.place, point), True
        kept.append(index)
        stay.append(row)
    new = [Row(place, point) for place, points in owed.items() for point in points]
    return RowPlan(tuple(kept), (*stay, *new), is_change or bool(new))


def _changed(before: Marks, after: Marks) -> list[Place]:
    """Return where anything differs, in order."""
    places = set(after.masks)
    for old, new in ((before.points, after.points), (before.boxes, after.boxes)):
        places |= {place for place in {*old, *new} if old.get(place) != new.get(place)}
    return sorted(places)


def _is_close(one: PointPrompt, other: PointPrompt) -> bool:
    return (
        one.positive == other.positive
        and abs(one.y - other.y) < TOLERANCE
        and abs(one.x - other.x) < TOLERANCE
    )
