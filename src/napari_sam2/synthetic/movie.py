"""A simulated movie: frames, exact label images and lineage, each frame by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.synthetic.cells import Stature, stature
from napari_sam2.synthetic.config import MovieConfig
from napari_sam2.synthetic.optics import Drawn, Microscope
from napari_sam2.synthetic.population import Population
from napari_sam2.synthetic.silhouettes import Body, Silhouette, bodies, draw_body


@dataclass(frozen=True, slots=True)
class Track:
    """The life of one cell in the picture.

    Attributes
    ----------
    object_id
        Its value in the label images; never used again.
    parent
        Id of the mother if it was born in a division, else None. Where that happened
        outside of the picture, frames without either lie between the two tracks.
    first_frame, last_frame
        First and last frame on which at least one pixel of it is seen. In between it
        may be hidden by others or be outside for a while.
    """

    object_id: int
    parent: int | None
    first_frame: int
    last_frame: int


class Simulated:
    """What is simulated by a config, in planes or not."""

    def __init__(self, config: MovieConfig) -> None:
        self.config = config
        self._population = Population(config)

    @property
    def frame_count(self) -> int:
        """Number of frames, or of stacks."""
        return self.config.frame_count

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self.config.frame_shape

    @property
    def dtype(self) -> np.dtype:
        """uint8 or uint16."""
        return self.config.dtype

    @cached_property
    def _microscope(self) -> Microscope:
        return Microscope(self.config)


class SimulatedMovie(Simulated):
    """A movie that is computed frame by frame, in any order, with equal results.

    May be shared by threads. Pickles as its config alone.
    """

    def __init__(self, config: MovieConfig) -> None:
        super().__init__(config)
        self._scene = lru_cache(maxsize=2)(self._draw_scene)

    def __reduce__(self) -> tuple[type[SimulatedMovie], tuple[MovieConfig]]:
        return SimulatedMovie, (self.config,)

    def __len__(self) -> int:
        return self.config.frame_count

    @property
    def provenance(self) -> dict[str, object]:
        """JSON-able description, enough to make the movie again."""
        return {"simulated": asdict(self.config)}

    def frame(self, frame_index: int) -> np.ndarray:
        """Return one frame, ``(Y, X)`` uint8 or uint16.

        Raises
        ------
        InputError
            If there is no such frame.
        """
        self._check(frame_index)
        return self._microscope.expose(
            [drawn for _, drawn in self._scene(frame_index)], frame_index
        )

    def labels(self, frame_index: int) -> np.ndarray:
        """Return the truth of one frame, ``(Y, X)`` uint16, 0 where there is no cell.

        Where cells overlap the pixel belongs to the upper one.

        Raises
        ------
        InputError
            If there is no such frame.
        """
        self._check(frame_index)
        return self._paint(self._scene(frame_index))

    def clip(self, first_frame: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``count`` frames and their labels, each ``(count, Y, X)``.

        Raises
        ------
        InputError
            If the clip does not lie in the movie.
        """
        frames = range(first_frame, first_frame + count)
        if count < 1:
            raise InputError(f"clip of {count} frames: ask for 1 or more")
        images = np.stack([self.frame(index) for index in frames])
        return images, np.stack([self.labels(index) for index in frames])

    @cached_property
    def lineage(self) -> list[Track]:
        """Every cell that is seen at least once, in the order of ids.

        Needs the motion of the whole movie (a fraction of a millisecond per frame),
        but no images.
        """
        tracks: dict[int, Track] = {}
        cells = self._population.lives(self.frame_count)
        for object_id, cell in enumerate(cells, start=1):
            start = max(int(cell["birth"]), 0)
            stop = min(int(cell["last"]), self.frame_count - 1)
            lifetime = range(start, stop + 1)
            first = next((i for i in lifetime if self._is_seen(object_id, i)), None)
            if first is None:
                continue
            last = next(i for i in reversed(lifetime) if self._is_seen(object_id, i))
            parent = int(cell["parent"])
            tracks[object_id] = Track(
                object_id, parent if parent in tracks else None, first, last
            )
        return list(tracks.values())

    # --- drawing -------------------------------------------------------------

    def _check(self, frame_index: int) -> None:
        if not 0 <= frame_index < self.frame_count:
            raise InputError(
                f"simulated movie has frames 0 … {self.frame_count - 1}, "
                f"not {frame_index}"
            )

    def _draw_scene(self, frame_index: int) -> list[tuple[int, Drawn]]:
        """Draw all cells of a frame, the lowest first, with their ids."""
        cells, frame = self._population.poses(frame_index)
        all_bodies = bodies(cells, frame.pose, self._stature(cells, frame_index))
        scene = []
        for index in np.argsort(cells["depth"], kind="stable"):
            shape = self._draw(all_bodies[index], frame_index)
            if shape is not None:
                object_id = int(frame.rows[index]) + 1
                scene.append((object_id, (all_bodies[index], shape)))
        return scene

    def _draw(self, body: Body, frame_index: int) -> Silhouette | None:
        return draw_body(body, self.config.kind, self.frame_shape, frame_index)

    def _stature(self, cells: np.ndarray, frame_index: int) -> Stature:
        return stature(cells, self.config.kind, frame_index)

    def _paint(self, scene: list[tuple[int, Drawn]]) -> np.ndarray:
        labels = np.zeros(self.frame_shape, np.uint16)
        for object_id, (_, shape) in scene:
            labels[shape.window][shape.mask] = object_id
        return labels

    def _is_seen(self, object_id: int, frame_index: int) -> bool:
        """Tell whether any pixel is seen, drawing only the cell and what covers it."""
        cells, frame = self._population.poses(frame_index)
        sizes = self._stature(cells, frame_index)
        all_bodies = bodies(cells, frame.pose, sizes)
        own = int(np.flatnonzero(frame.rows == object_id - 1)[0])
        shape = self._draw(all_bodies[own], frame_index)
        if shape is None or not shape.mask.any():
            return False
        open_pixels = np.zeros(self.frame_shape, bool)
        open_pixels[shape.window] = shape.mask
        apart = np.hypot(*(frame.pose[:, :2] - frame.pose[own, :2]).T)
        covering = cells["depth"] > cells["depth"][own]
        for index in np.flatnonzero(
            covering & (apart < sizes.reach + sizes.reach[own])
        ):
            cover = self._draw(all_bodies[index], frame_index)
            if cover is not None:
                open_pixels[cover.window] &= ~cover.mask
        return bool(open_pixels.any())
