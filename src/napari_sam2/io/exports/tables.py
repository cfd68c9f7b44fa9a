"""Tables: napari's tracks, and measurements of all objects over time."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.regions import FrameRegions, places, regions
from napari_sam2.io.optional_packages import optional_package

GROUP_ROWS = 10_000
"""Rows of Parquet that are held in memory before they are written."""


def write_tracks(masklets: MaskletMovie, path: Path) -> None:
    """Write a CSV whose first columns are what `viewer.add_tracks` takes.

    These are ``track_id``, ``t``, ``z`` in a movie of stacks, ``y`` and ``x``, in
    pixels. Rows are by frame; sort them by ``track_id`` and ``t``.
    """
    space = masklets.axes[1:]
    mothers = masklets.mothers
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("track_id", "t", *space, masklets.size_name, "mother"))
        for found in places(masklets):
            for place, object_id in enumerate(found.object_ids.tolist()):
                table.writerow(
                    (
                        object_id,
                        found.frame_index,
                        *(f"{found.centre[axis][place]:.3f}" for axis in space),
                        int(found.size[place]),
                        mothers.get(object_id, ""),
                    )
                )


def write_csv(masklets: MaskletMovie, path: Path) -> None:
    """Write the measurements of all objects as CSV; an unknown value is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        for number, rows in enumerate(measurements(masklets)):
            if number == 0:
                table.writerow(rows)
            columns = (column.tolist() for column in rows.values())
            for values in zip(*columns, strict=True):
                table.writerow("" if value != value else value for value in values)


def write_parquet(masklets: MaskletMovie, path: Path) -> None:
    """Write the measurements of all objects as Parquet, in groups of many frames.

    A file lists its groups at its end: a group a frame would need memory for each.

    Raises
    ------
    InputError
        If pyarrow is not installed.
    """
    pyarrow = optional_package("pyarrow", "export")
    parquet = optional_package("pyarrow.parquet", "export")
    with ExitStack() as stack:
        writer = None
        for frames in _gathered(measurements(masklets)):
            group = pyarrow.concat_tables(pyarrow.table(rows) for rows in frames)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(path, group.schema))
            writer.write_table(group)


def _gathered(
    frames: Iterable[dict[str, np.ndarray]],
) -> Iterator[list[dict[str, np.ndarray]]]:
    """Yield the columns of as many frames as make up a group of rows."""
    waiting: list[dict[str, np.ndarray]] = []
    count = 0
    for rows in frames:
        waiting.append(rows)
        count += len(rows["object_id"])
        if count >= GROUP_ROWS:
            yield waiting
            waiting, count = [], 0
    if waiting:
        yield waiting


def measurements(masklets: MaskletMovie) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of each frame; all frames have the same.

    Positions are in pixels, ``*_world`` in the units of the calibration; displacement
    is the way since the last frame on which the object was there, speed that way by the
    time (or frames) between.
    """
    known = {state.object_id: state for state in masklets.objects}
    last: dict[int, tuple[int, np.ndarray]] = {}
    for found in regions(masklets):
        ids = found.object_ids.tolist()
        states = [known.get(object_id) for object_id in ids]
        rows: dict[str, Any] = {
            "object_id": found.object_ids,
            "name": np.array([state.name if state else "" for state in states], str),
            "mother": np.array(
                [state.parent or 0 if state else 0 for state in states], np.int64
            ),
            "frame": np.full(len(ids), found.frame_index, np.int64),
            **_as_floats(found.centre),
            masklets.size_name: found.size,
        }
        rows |= _as_floats(found.shape)
        rows |= _in_the_world(masklets, found) | _motion(masklets, found, last)
        if found.intensity is not None:
            for channel, means in enumerate(found.intensity.T):
                rows[f"mean_intensity_{channel}"] = means.astype(np.float64)
        rows |= _scores(masklets, found)
        yield rows


def _as_floats(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: column.astype(np.float64) for name, column in columns.items()}


def _in_the_world(masklets: MaskletMovie, found: FrameRegions) -> dict[str, np.ndarray]:
    time = np.full(len(found.object_ids), found.frame_index)
    pixels = (time, *found.centre.values())
    steps, starts = masklets.geometry.scale, masklets.geometry.translation
    world = {
        f"{axis}_world": column * step + start
        for axis, column, step, start in zip(
            masklets.axes, pixels, steps, starts, strict=True
        )
    }
    return world | {f"{masklets.size_name}_world": found.size * math.prod(steps[1:])}


def _motion(
    masklets: MaskletMovie, found: FrameRegions, last: dict[int, tuple[int, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return displacement and speed, and remember where the objects are now."""
    frame_step, *steps = masklets.geometry.scale
    positions = np.stack(tuple(found.centre.values()), axis=1) * steps
    way = np.full(len(found.object_ids), np.nan)
    speed = way.copy()
    for place, object_id in enumerate(found.object_ids.tolist()):
        if object_id in last:
            frame_index, before = last[object_id]
            way[place] = np.linalg.norm(positions[place] - before)
            speed[place] = way[place] / ((found.frame_index - frame_index) * frame_step)
        last[object_id] = (found.frame_index, positions[place])
    return {"displacement_world": way, "speed_world": speed}


def _scores(masklets: MaskletMovie, found: FrameRegions) -> dict[str, np.ndarray]:
    """Return what was scored while tracking; NaN where nothing was."""
    column_of = {object_id: n for n, object_id in enumerate(masklets.scored_ids)}
    columns = np.array([column_of.get(i, -1) for i in found.object_ids.tolist()], int)
    scored = {}
    for name, table in masklets.scores.items():
        values = np.full(len(columns), np.nan)
        values[columns >= 0] = table[found.frame_index, columns[columns >= 0]]
        scored[name] = values
    return scored
