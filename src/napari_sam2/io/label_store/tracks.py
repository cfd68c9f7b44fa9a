"""Masklets as tracks: one row for each object and frame, for napari's Tracks layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.measure import regionprops_table

from napari_sam2.io.label_store.store import OmeZarrLabelStore

TABLES: tuple[Literal["object_score", "predicted_iou", "stability"], ...] = (
    "object_score",
    "predicted_iou",
    "stability",
)


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """What `viewer.add_tracks` takes.

    Attributes
    ----------
    rows
        ``(rows, 4)`` float64 of object id, frame, y, x in pixels, by object and frame.
    graph
        Mother of each daughter, as ``{daughter: [mother]}``; both have rows.
    features
        ``(rows,)`` arrays: ``area`` in pixels, and scores where they are known.
    """

    rows: np.ndarray
    graph: dict[int, list[int]]
    features: dict[str, np.ndarray]


def track_rows(frames: Iterable[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    """Measure label images one by one.

    Parameters
    ----------
    frames
        Frame numbers and their ``(Y, X)`` label images.

    Yields
    ------
    np.ndarray
        ``(objects, 5)`` float64 of object id, frame, y, x, area: the objects of one
        frame by id.
    """
    for frame_index, labels in frames:
        measured = _measure(labels)
        columns = [measured[f"centroid-{axis}"] for axis in (0, 1)]
        ids = measured["label"]
        yield np.stack(
            [ids, np.full(len(ids), frame_index), *columns, measured["area"]], axis=1
        ).astype(np.float64)


def _measure(labels: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = regionprops_table(  # type: ignore[no-untyped-call]
        labels, properties=("label", "centroid", "area")
    )
    return found


def track_table(
    rows: Iterable[np.ndarray],
    parents: Mapping[int, int | None],
    scores: Mapping[str, np.ndarray] | None = None,
    object_ids: Sequence[int] = (),
) -> TrackTable:
    """Collect the rows of all frames.

    Parameters
    ----------
    rows
        As `track_rows` yields them.
    parents
        Mother by object; None for objects that were not born in a division.
    scores
        ``(T, objects)`` arrays by name, which become features.
    object_ids
        Ids of the columns of ``scores``.
    """
    table = np.concatenate([np.empty((0, 5)), *rows])
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    seen = {int(object_id) for object_id in np.unique(table[:, 0])}
    graph = {
        child: [mother]
        for child, mother in parents.items()
        if mother is not None and child in seen and mother in seen
    }
    features: dict[str, np.ndarray] = {"area": table[:, 4].astype(np.int64)}
    column_of = {one: column for column, one in enumerate(object_ids)}
    columns = np.array(
        [column_of.get(int(object_id), -1) for object_id in table[:, 0]], np.int64
    )
    frames = table[:, 1].astype(np.int64)
    for name, values in (scores or {}).items():
        known = np.full(len(table), np.nan, np.float32)
        has_column = columns >= 0
        known[has_column] = values[frames[has_column], columns[has_column]]
        features[name] = known
    return TrackTable(table[:, :4], graph, features)


def tracks_of(
    store: OmeZarrLabelStore, frames: Iterable[int] | None = None
) -> TrackTable:
    """Return the tracks of a store, reading one frame at a time.

    Parameters
    ----------
    frames
        Frames to look at; all unless given.

    Raises
    ------
    OutputError
        If the store cannot be read.
    """
    chosen = range(store.frame_count) if frames is None else frames
    images = ((frame, store.read_labels(frame)) for frame in chosen)
    parents = {labelled.object_id: labelled.parent for labelled in store.objects}
    return table_of(store, track_rows(images), parents)


def table_of(
    store: OmeZarrLabelStore,
    rows: Iterable[np.ndarray],
    parents: Mapping[int, int | None],
) -> TrackTable:
    """Add the scores of a store to rows that were measured in its frames.

    Parameters
    ----------
    rows, parents
        As for `track_table`.

    Raises
    ------
    OutputError
        If the store cannot be read.
    """
    scores: dict[str, np.ndarray] = {
        name: store.read_score_table(name) for name in TABLES
    }
    scores["mean_intensity"] = store.read_measurements("mean_intensity")
    return track_table(rows, parents, scores, store.object_ids)
