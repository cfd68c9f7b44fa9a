"""What an exporter is given: masklets as a stream of label images, and who they are.

The label image of a frame is one section of a movie, or all those of a stack: exporters
go through sections, one by one.
"""

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
from napari_sam2.io.label_store.volume import VolumeLabels, is_of_stacks
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.ome_zarr.metadata import LabelledObject, LevelGeometry
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis, volume_geometry
from napari_sam2.io.sessions.folder import session_names

UNUSED_MAPPING = IntensityMapping(limits=((0.0, 1.0),))
"""Intensities are read raw; a given mapping saves measuring one."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskletMovie:
    """Masklets of a movie, or of stacks over time; one section is in memory at a time.

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
        Returns the ``(Y, X)`` label image of a frame; in stacks of frame and plane.
    scored_ids, scores
        Objects and ``(T, objects)`` tables by name of what was scored while tracking.
    labels_path
        Where the label images lie on disk: one path, or none.
    image
        Returns the intensities of the same, ``(Y, X)`` or ``(Y, X, channels)``; None
        where the movie is not at hand.
    planes
        The planes of each frame; None for a movie of single frames.
    """

    name: str
    frame_count: int
    frame_shape: tuple[int, int]
    objects: tuple[LabelledObject, ...]
    calibration: Calibration
    read: Callable[..., np.ndarray]
    scored_ids: tuple[int, ...] = ()
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels_path: tuple[Path, ...] = ()
    image: Callable[..., np.ndarray] | None = None
    planes: PlaneAxis | None = None

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each frame's number and its ``(Y, X)`` label image."""
        for frame_index in range(self.frame_count):
            yield frame_index, self.read(frame_index)

    def places(self, frame_index: int) -> list[tuple[int, ...]]:
        """Return what `read` and `image` are given for each section of a frame."""
        if self.planes is None:
            return [(frame_index,)]
        return [(frame_index, plane) for plane in range(self.planes.count)]

    def sections(self, frame_index: int) -> Iterator[np.ndarray]:
        """Yield the ``(Y, X)`` label images of a frame: one, or those of its stack."""
        return (self.read(*place) for place in self.places(frame_index))

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of frame axis, planes if there are, rows and columns."""
        names = "zyx" if self.planes is not None else "yx"
        return (self.calibration.frame_axis, *names)

    @property
    def stack_shape(self) -> tuple[int, ...]:
        """Shape of a frame, ``(Y, X)``, or of its stack, ``(Z, Y, X)``."""
        planes = () if self.planes is None else (self.planes.count,)
        return (*planes, *self.frame_shape)

    @property
    def size_name(self) -> str:
        """What the number of an object's pixels is called: area, or volume."""
        return "area" if self.planes is None else "volume"

    @property
    def geometry(self) -> LevelGeometry:
        """Scale and translation along `axes`."""
        return volume_geometry(self.calibration, self.planes)

    @property
    def units(self) -> tuple[str | None, ...]:
        """Units along `axes`; None where unknown."""
        frame, *others = self.calibration.units
        along_z = () if self.planes is None else (self.planes.unit,)
        return (frame, *along_z, *others)

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


def masklets_of_stacks(volume: VolumeLabels) -> MaskletMovie:
    """Return the masklets of open labels of stacks over time."""
    names, geometry, units = volume.placed
    t, z, y, x = map(names.index, "tzyx")
    scale, start = geometry.scale, geometry.translation
    frame_count, plane_count, height, width = volume.shape
    return MaskletMovie(
        volume.path.stem,
        frame_count,
        (height, width),
        tuple(volume.objects),
        Calibration(
            (scale[t], scale[y], scale[x]),
            (start[t], start[y], start[x]),
            (units[t], units[y], units[x]),
        ),
        volume.read,
        labels_path=(volume.path.absolute() / "labels" / volume.name,),
        planes=PlaneAxis(plane_count, scale[z], start[z], units[z]),
    )


def open_masklets(path: Path, name: str = DEFAULT_NAME) -> MaskletMovie:
    """Open the masklets of an OME-Zarr for reading, of frames or of stacks.

    Raises
    ------
    InputError
        If there are none of that name.
    OutputError
        If they cannot be read.
    """
    if not OmeZarrLabelStore.exists(path, name):
        there = ", ".join(session_names(path))
        raise InputError(
            f"{path}: holds no masklets named {name!r}"
            + (f", but {there}" if there else "")
            + "; give the OME-Zarr that `napari-sam2 track --out` or the window wrote, "
            "and --name"
        )
    if is_of_stacks(path, name):
        return masklets_of_stacks(VolumeLabels.open(path, name, "r"))
    return masklets_of(OmeZarrLabelStore.open(path, name, mode="r"))


@contextmanager
def with_intensities(masklets: MaskletMovie, movie: Path) -> Iterator[MaskletMovie]:
    """Open the movie that masklets were tracked in, and give them its intensities.

    Raises
    ------
    InputError
        If the movie cannot be read, or has other frames.
    """
    with closing(_Intensities(movie, masklets)) as intensities:
        yield replace(masklets, image=intensities.read)


class _Intensities:
    """The intensities of a movie; of stacks, those of one time point are open."""

    def __init__(self, movie: Path, masklets: MaskletMovie) -> None:
        self._movie, self._is_of_stacks = movie, masklets.planes is not None
        self._open_at = 0
        self._frames = self._opened(0)
        try:
            self._check(masklets)
        except InputError:
            self.close()
            raise

    def close(self) -> None:
        self._frames.close()

    def read(self, frame_index: int, plane: int = 0) -> np.ndarray:
        if not self._is_of_stacks:
            return np.moveaxis(self._frames.read_raw(frame_index), 0, -1)
        if frame_index != self._open_at:
            self._frames.close()
            self._frames, self._open_at = self._opened(frame_index), frame_index
        return np.moveaxis(self._frames.read_raw(plane), 0, -1)

    def _opened(self, frame_index: int) -> StackFrames:
        at = frame_index if self._is_of_stacks else None
        return open_frames(self._movie, mapping=UNUSED_MAPPING, t=at)

    def _check(self, masklets: MaskletMovie) -> None:
        """Refuse a movie of another shape than the masklets."""
        names, count = "(frames, rows, columns)", masklets.frame_count
        shape: tuple[int, ...] = (count, *masklets.frame_shape)
        found: tuple[int, ...] = (self._frames.frame_count, *self._frames.frame_shape)
        if masklets.planes is not None:
            names = "(time points, planes, rows, columns)"
            shape = (count, masklets.planes.count, *masklets.frame_shape)
            found = (self._frames.layout.length("T"), *found)
        if found != shape:
            raise InputError(
                f"{self._movie}: {names} are {found}, those of the masklets {shape}; "
                "give the movie that they were tracked in"
            )
