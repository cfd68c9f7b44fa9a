"""The movie behind masklets, opened as it was tracked, and where they were followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameSource
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.sessions.document import InputMapping
from napari_sam2.session.planning.frame_set import FrameSet


def open_movie(store: OmeZarrLabelStore, said: InputMapping, given: Any) -> FrameSource:
    """Open the movie of masklets with the axes, channels and contrast they came from.

    Parameters
    ----------
    said
        What their session says of the movie.
    given
        Path or array of the movie; None for the one that the session names or, if it
        names none, the image of the same OME-Zarr.

    Raises
    ------
    InputError
        If the movie cannot be found or read, or has another shape.
    """
    movie = given if given is not None else said.source
    if movie is None:
        source = open_frames(store.path, mapping=said.intensity)
    else:
        source = open_frames(
            movie,
            axes=said.axes,
            t=said.fixed.get("T"),
            z=said.fixed.get("Z"),
            position=said.fixed.get("P"),
            channels=list(said.channels) or said.fixed.get("C"),
            mapping=said.intensity,
            name=said.layer or "the movie",
        )
    try:
        _check_fits(source, store)
    except InputError:
        source.close()
        raise
    return source


def tracked_frames(store: OmeZarrLabelStore) -> dict[int, FrameSet]:
    """Return object → frames that it was followed to."""
    known = ~np.isnan(store.read_score_table("object_score"))
    known &= store.whole_frames[:, None]
    columns = zip(store.object_ids, known.T, strict=True)
    return {one: FrameSet.of(np.flatnonzero(at).tolist()) for one, at in columns}


def _check_fits(source: FrameSource, store: OmeZarrLabelStore) -> None:
    if (source.frame_count, source.frame_shape) != (
        store.frame_count,
        store.frame_shape,
    ):
        raise InputError(
            f"the movie has {source.frame_count} frames of {source.frame_shape}, but "
            f"the masklets in {Path(store.path)} {store.frame_count} of "
            f"{store.frame_shape}: give the movie that was tracked"
        )
