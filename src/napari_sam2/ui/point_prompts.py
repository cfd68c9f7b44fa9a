"""Points of a layer as prompts, and what changed between two readings of them.

Pure functions: nothing of napari or Qt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.ui.layer_axes import LayerAxes

Place = tuple[int, int]
"""``(object_id, frame_index)``."""

MAX_OBJECT_ID = int(np.iinfo(np.uint16).max)
"""Masklets are uint16."""


@dataclass(frozen=True, slots=True)
class Clicks:
    """All prompts of a points layer.

    Attributes
    ----------
    prompts
        By object and frame.
    outside
        How many points lie outside the picture or the movie, or on another plane.
    nameless
        How many points have no object id from 1 to 65,535.
    """

    prompts: Mapping[Place, FramePrompt]
    outside: int = 0
    nameless: int = 0

    def objects(self) -> tuple[PromptedObject, ...]:
        """Return the prompted objects, by id."""
        by_object: dict[int, list[FramePrompt]] = {}
        for (object_id, _), prompt in sorted(self.prompts.items()):
            by_object.setdefault(object_id, []).append(prompt)
        return tuple(
            PromptedObject(object_id, tuple(prompts))
            for object_id, prompts in by_object.items()
        )

    def complaint(self) -> str:
        """Say in a line which points are not used, or nothing."""
        parts = []
        if self.outside:
            parts.append(f"{self.outside} outside the picture or on another plane")
        if self.nameless:
            parts.append(f"{self.nameless} whose label is no id from 1 to 65535")
        return f"Points not used: {', '.join(parts)}." if parts else ""


NO_CLICKS = Clicks({})


def read_clicks(
    positions: np.ndarray,
    labels: Sequence[object],
    positive: Sequence[object],
    axes: LayerAxes,
) -> Clicks:
    """Collect points by object and frame, in the order in which they were set.

    Parameters
    ----------
    positions
        ``(points, dimensions)`` in pixels of the image layer.
    labels, positive
        Object id and polarity of each point.
    axes
        Where frames lie in the image layer.
    """
    points: dict[Place, list[PointPrompt]] = {}
    outside = nameless = 0
    places = positions.tolist()
    for position, label, flag in zip(places, labels, positive, strict=True):
        object_id = _object_id(label)
        if not _is_inside(position, axes):
            outside += 1
        elif object_id is None:
            nameless += 1
        else:
            *_, y, x = position
            place = (object_id, axes.frame_at(position))
            points.setdefault(place, []).append(PointPrompt(y, x, bool(flag)))
    prompts = {
        place: FramePrompt(*place, tuple(group)) for place, group in points.items()
    }
    return Clicks(prompts, outside, nameless)


@dataclass(frozen=True, slots=True)
class ClickChanges:
    """What became different between two readings.

    Attributes
    ----------
    prompted
        By frame: the new or changed prompts.
    cleared
        By frame: objects that have prompts elsewhere only.
    removed
        Objects that have no prompts any more.
    """

    prompted: Mapping[int, tuple[FramePrompt, ...]]
    cleared: Mapping[int, tuple[int, ...]]
    removed: tuple[int, ...]

    def frames(self) -> list[int]:
        """Return all frames whose masks must be renewed."""
        return sorted({*self.prompted, *self.cleared})


def compare_clicks(before: Clicks, after: Clicks) -> ClickChanges:
    """Say what became different."""
    old, new = before.prompts, after.prompts
    changed = [
        place
        for place, prompt in sorted(new.items())
        if place not in old or old[place].points != prompt.points
    ]
    gone = sorted(old.keys() - new.keys())
    left = {object_id for object_id, _ in new}
    return ClickChanges(
        prompted=_by_frame((place[1], new[place]) for place in changed),
        cleared=_by_frame((frame, one) for one, frame in gone if one in left),
        removed=tuple(sorted({one for one, _ in gone if one not in left})),
    )


def _by_frame(pairs: Iterable[tuple[int, object]]) -> dict:
    frames: dict[int, list[object]] = {}
    for frame_index, item in pairs:
        frames.setdefault(frame_index, []).append(item)
    return {frame_index: tuple(items) for frame_index, items in frames.items()}


def _object_id(label: object) -> int | None:
    try:
        number = float(label)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not number.is_integer() or not 1 <= number <= MAX_OBJECT_ID:
        return None
    return int(number)


def _is_inside(position: Sequence[float], axes: LayerAxes) -> bool:
    height, width = axes.frame_shape
    *_, y, x = position
    return (
        -0.5 <= y <= height - 0.5
        and -0.5 <= x <= width - 0.5
        and 0 <= axes.frame_at(position) < axes.frame_count
        and axes.is_on_plane(position)
    )
