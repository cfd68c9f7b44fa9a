"""A folder of the Cell Tracking Challenge: masks, and a table of tracks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.imports.tracked_labels import TrackedLabels
from napari_sam2.io.movies.label_images import read_label_image
from napari_sam2.paths import read_text

TABLES = ("res_track.txt", "man_track.txt")
MASK = re.compile(r"(?:mask|man_track)(\d+)\.tiff?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    number
        Of the line, from 1.
    label, first, last, parent
        Track, its frames (inclusive), and the track that it goes on from, or 0.
    """

    number: int
    label: int
    first: int
    last: int
    parent: int


def read_ctc(folder: Path) -> TrackedLabels:
    """Open a result (``01_RES``) or a truth (``01_GT/TRA``).

    A track that alone goes on from another one after a gap is the same object.

    Raises
    ------
    InputError
        If table or masks are missing or contradict themselves or each other; the
        message names row or frame.
    """
    table = next((folder / name for name in TABLES if (folder / name).exists()), None)
    if table is None:
        raise InputError(f"{folder}: holds no {TABLES[0]}; give a folder as 01_RES")
    rows = _rows(table)
    _check_family(table, rows)
    files = _masks(folder)
    _check_ends(table, rows, len(files))
    shape = read_label_image(files[0]).shape
    owners, mothers = _objects(rows)
    seen: set[int] = set()

    def read(frame_index: int) -> np.ndarray:
        found = read_label_image(files[frame_index])
        if found.shape != shape:
            raise InputError(
                f"{files[frame_index]} is {found.shape}, but {files[0].name} is "
                f"{shape}: all masks have one shape"
            )
        ids = set(np.unique(found[found != 0]).tolist())
        _check_frame(table, rows, files[frame_index], frame_index, ids)
        seen.update(ids)
        if frame_index == len(files) - 1:
            _check_seen(table, rows, seen)
        return _renamed(found, owners)

    return TrackedLabels(str(folder), len(files), (shape[0], shape[1]), read, mothers)


def _rows(table: Path) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for number, line in enumerate(read_text(table, "tracks").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{table}, row {number}"
        try:
            label, first, last, parent = (int(word) for word in line.split())
        except ValueError as error:
            raise InputError(
                f"{where}: give four whole numbers: track, first frame, last, parent"
            ) from error
        if label < 1 or not 0 <= first <= last or parent < 0:
            raise InputError(
                f"{where}: track {label} from frame {first} to {last} cannot be: "
                "tracks count from 1, frames from 0, and no track ends before it begins"
            )
        if label in rows:
            raise InputError(
                f"{where}: track {label} is in row {rows[label].number} already; give "
                "each track a number of its own"
            )
        rows[label] = Row(number, label, first, last, parent)
    if not rows:
        raise InputError(f"{table}: holds no track")
    return rows


def _check_family(table: Path, rows: Mapping[int, Row]) -> None:
    """Refuse parents that are not there, or not there before: so circles, too."""
    for row in rows.values():
        where = f"{table}, row {row.number}"
        if row.parent and row.parent not in rows:
            raise InputError(
                f"{where}: parent {row.parent} of track {row.label} is in no row"
            )
        if row.parent and rows[row.parent].last >= row.first:
            raise InputError(
                f"{where}: track {row.label} begins on frame {row.first}, but its "
                f"parent {row.parent} is there until frame "
                f"{rows[row.parent].last}; a parent ends before its daughters begin"
            )


def _masks(folder: Path) -> list[Path]:
    """Return the masks by frame; their numbers may begin anywhere, without a gap."""
    found = {
        int(match.group(1)): path
        for path in folder.iterdir()
        if (match := MASK.fullmatch(path.name))
    }
    if not found:
        raise InputError(f"{folder}: holds no mask000.tif")
    frames = sorted(found)
    missing = next((at for at, frame in enumerate(frames) if at != frame), None)
    if missing is not None:
        raise InputError(
            f"{folder}: the mask of frame {missing} is missing; masks are numbered "
            "from 0 without a gap"
        )
    return [found[frame] for frame in frames]


def _check_ends(table: Path, rows: Mapping[int, Row], frame_count: int) -> None:
    """Refuse tracks that are there longer than the masks are."""
    for row in rows.values():
        if row.last >= frame_count:
            raise InputError(
                f"{table}, row {row.number}: track {row.label} is there until frame "
                f"{row.last}, but the masks end with frame {frame_count - 1}; give all "
                "masks, or correct the row"
            )


def _objects(rows: Mapping[int, Row]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the object of each track, and the mother of each object with one."""
    children = Counter(row.parent for row in rows.values())
    owners: dict[int, int] = {}
    mothers: dict[int, int] = {}
    for row in sorted(rows.values(), key=lambda row: row.first):
        owner = owners.get(row.parent, row.label)
        is_alone = row.parent and children[row.parent] == 1
        if is_alone and row.first > rows[row.parent].last + 1:
            owners[row.label] = owner
            continue
        owners[row.label] = row.label
        if row.parent:
            mothers[row.label] = owner
    return owners, mothers


def _check_frame(
    table: Path, rows: Mapping[int, Row], file: Path, frame_index: int, ids: set[int]
) -> None:
    for label in sorted(ids):
        row = rows.get(label)
        if row is None:
            raise InputError(
                f"{file} (frame {frame_index}): id {label} is in no row of {table.name}"
            )
        if not row.first <= frame_index <= row.last:
            raise InputError(
                f"{file} (frame {frame_index}): id {label} is there, but row "
                f"{row.number} of {table.name} has it from {row.first} to {row.last}"
            )


def _check_seen(table: Path, rows: Mapping[int, Row], seen: set[int]) -> None:
    for row in rows.values():
        if row.label not in seen:
            raise InputError(
                f"{table}, row {row.number}: track {row.label} is in no mask; remove "
                "the row, or give all masks"
            )


def _renamed(labels: np.ndarray, owners: Mapping[int, int]) -> np.ndarray:
    """Return a label image with objects instead of tracks."""
    ids, places = np.unique(labels, return_inverse=True)
    objects = np.array([owners.get(int(one), 0) for one in ids])
    named: np.ndarray = objects[places].reshape(labels.shape)
    return named
