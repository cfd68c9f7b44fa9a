"""Tables: napari's tracks, and measurements of all objects over time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.regions import FrameRegions, regions
from napari_sam2.io.optional_packages import optional_package

NAPARI_TRACKS = ("track_id", "t", "y", "x", "area", "mother")


def write_tracks(masklets: MaskletMovie, path: Path) -> None:
    """Write a CSV whose first four columns are what `viewer.add_tracks` takes.

    Rows are by frame; sort them by ``track_id`` and ``t``. Positions are in pixels.
    """
    mothers = masklets.mothers
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(NAPARI_TRACKS)
        for found in regions(masklets):
            for place, object_id in enumerate(found.object_ids.tolist()):
                table.writerow(
                    (
                        object_id,
                        found.frame_index,
                        f"{found.y[place]:.3f}",
                        f"{found.x[place]:.3f}",
                        int(found.area[place]),
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
    """Write the measurements of all objects as Parquet, a row group a frame.

    Raises
    ------
    InputError
        If pyarrow is not installed.
    """
    pyarrow = optional_package("pyarrow", "export")
    parquet = optional_package("pyarrow.parquet", "export")
    with ExitStack() as stack:
        writer = None
        for rows in measurements(masklets):
            batch = pyarrow.table(rows)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(path, batch.schema))
            if batch.num_rows:
                writer.write_table(batch)


def measurements(masklets: MaskletMovie) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of each frame; all frames have the same.

    Positions are in pixels, ``*_world`` in the units of the calibration; displacement
    is the way since the last frame on which the object was there, speed that way by the
    time (or frames) between.
    """
    known = {state.object_id: state for state in masklets.objects}
    last: dict[int, tuple[int, float, float]] = {}
    for found in regions(masklets):
        ids = found.object_ids.tolist()
        states = [known.get(object_id) for object_id in ids]
        rows: dict[str, Any] = {
            "object_id": found.object_ids,
            "name": np.array([state.name if state else "" for state in states], object),
            "mother": np.array(
                [state.parent or 0 if state else 0 for state in states], np.int64
            ),
            "frame": np.full(len(ids), found.frame_index, np.int64),
            "y": found.y.astype(np.float64),
            "x": found.x.astype(np.float64),
            "area": found.area,
        }
        rows |= {
            name: column.astype(np.float64) for name, column in found.shape.items()
        }
        rows |= _in_the_world(masklets, found) | _motion(masklets, found, last)
        if found.intensity is not None:
            for channel, means in enumerate(found.intensity.T):
                rows[f"mean_intensity_{channel}"] = means.astype(np.float64)
        rows |= _scores(masklets, found)
        yield rows


def _in_the_world(masklets: MaskletMovie, found: FrameRegions) -> dict[str, np.ndarray]:
    calibration = masklets.calibration
    (frame_step, *steps), (frame_start, *starts) = (
        calibration.scale,
        calibration.translation,
    )
    count = len(found.object_ids)
    return {
        f"{calibration.frame_axis}_world": np.full(
            count, found.frame_index * frame_step + frame_start
        ),
        "y_world": found.y * steps[0] + starts[0],
        "x_world": found.x * steps[1] + starts[1],
        "area_world": found.area * steps[0] * steps[1],
    }


def _motion(
    masklets: MaskletMovie,
    found: FrameRegions,
    last: dict[int, tuple[int, float, float]],
) -> dict[str, np.ndarray]:
    """Return displacement and speed, and remember where the objects are now."""
    frame_step, *steps = masklets.calibration.scale
    way = np.full(len(found.object_ids), np.nan)
    speed = way.copy()
    for place, object_id in enumerate(found.object_ids.tolist()):
        y, x = found.y[place] * steps[0], found.x[place] * steps[1]
        if object_id in last:
            frame_index, before_y, before_x = last[object_id]
            way[place] = np.hypot(y - before_y, x - before_x)
            speed[place] = way[place] / ((found.frame_index - frame_index) * frame_step)
        last[object_id] = (found.frame_index, y, x)
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
