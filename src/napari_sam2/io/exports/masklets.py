"""What an exporter is given: masklets as a stream of label images, and who they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.label_store.tracks import TABLES
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.ome_zarr.metadata import LabelledObject

UNUSED_MAPPING = IntensityMapping(limits=((0.0, 1.0),))
"""Intensities are read raw; a given mapping saves measuring one."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskletMovie:
    """Masklets of a movie; one frame is in memory at a time.

    Attributes
    ----------
    name
        What people call the movie.
    frame_count, frame_shape
        T, and ``(Y, X)`` in pixels.
    objects
        Who they are, by id; ids that are only in pixels belong to nobody.
    calibration
        Scale and units of ``(frame, y, x)``.
    read
        Returns the ``(Y, X)`` label image of a frame.
    scored_ids, scores
        Objects and ``(T, objects)`` tables by name of what was scored while tracking.
    labels_path
        Where the label images lie on disk: one path, or none.
    image
        Returns the intensities of a frame, ``(Y, X)`` or ``(Y, X, channels)``; None
        where the movie is not at hand.
    """

    name: str
    frame_count: int
    frame_shape: tuple[int, int]
    objects: tuple[LabelledObject, ...]
    calibration: Calibration
    read: Callable[[int], np.ndarray]
    scored_ids: tuple[int, ...] = ()
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels_path: tuple[Path, ...] = ()
    image: Callable[[int], np.ndarray] | None = None

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each frame's number and its ``(Y, X)`` label image."""
        for frame_index in range(self.frame_count):
            yield frame_index, self.read(frame_index)

    @property
    def mothers(self) -> dict[int, int]:
        """Mother of each daughter."""
        return {
            state.object_id: state.parent
            for state in self.objects
            if state.parent is not None
        }


def masklets_of(store: OmeZarrLabelStore) -> MaskletMovie:
    """Return the masklets of an open store."""
    return MaskletMovie(
        store.path.stem,
        store.frame_count,
        store.frame_shape,
        tuple(store.objects),
        store.calibration,
        store.read_labels,
        store.object_ids,
        {name: store.read_score_table(name) for name in TABLES},
        (store.path.absolute() / "labels" / store.name,),
    )


def open_masklets(path: Path, name: str = DEFAULT_NAME) -> MaskletMovie:
    """Open the masklets of an OME-Zarr for reading.

    Raises
    ------
    InputError
        If there are none of that name.
    OutputError
        If they cannot be read.
    """
    if not OmeZarrLabelStore.exists(path, name):
        raise InputError(
            f"{path}: holds no masklets named {name!r}; give the OME-Zarr that "
            "`napari-sam2 track --out` or the window wrote, and --name"
        )
    return masklets_of(OmeZarrLabelStore.open(path, name, mode="r"))


@contextmanager
def with_intensities(masklets: MaskletMovie, movie: Path) -> Iterator[MaskletMovie]:
    """Open the movie that masklets were tracked in, and give them its intensities.

    Raises
    ------
    InputError
        If the movie cannot be read, or has other frames.
    """
    with closing(open_frames(movie, mapping=UNUSED_MAPPING)) as frames:
        shape = (masklets.frame_count, *masklets.frame_shape)
        found = (frames.frame_count, *frames.frame_shape)
        if found != shape:
            raise InputError(
                f"{movie}: (frames, rows, columns) are {found}, those of the masklets "
                f"{shape}; give the movie that they were tracked in"
            )

        def image(frame_index: int) -> np.ndarray:
            return np.moveaxis(frames.read_raw(frame_index), 0, -1)

        yield replace(masklets, image=image)
