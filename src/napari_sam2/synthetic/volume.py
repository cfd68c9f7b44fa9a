"""A simulated movie of stacks: the cells of a movie as bodies, cut plane by plane."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cached_property, lru_cache

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.synthetic.cells import stature
from napari_sam2.synthetic.config import MovieConfig
from napari_sam2.synthetic.movie import Simulated, Track
from napari_sam2.synthetic.optics import Drawn
from napari_sam2.synthetic.silhouettes import Body, bodies, draw_body

PLANE_STEP = 4.0
"""From plane to plane, in pixels."""

MOST_PLANES = 10_000

OUT_OF_FOCUS = (0.7, 0.13, 0.02)
"""Share of a picture's light that comes from its own plane, and from each of the two
that are one and two planes away."""


class SimulatedVolume(Simulated):
    """A movie of stacks that is computed plane by plane, in any order.

    Each cell of the movie of the same config is as high as it is wide: its section at a
    distance from its centre is its silhouette, scaled as an ellipsoid's. Its centre
    stays at one depth, in the middle half of the stack; daughters are at their
    mother's.

    Parameters
    ----------
    plane_count
        Planes of a stack, 2 to `MOST_PLANES`.

    Raises
    ------
    InputError
        If there are fewer or more planes.
    """

    def __init__(self, config: MovieConfig, plane_count: int) -> None:
        if not 2 <= plane_count <= MOST_PLANES:
            raise InputError(
                f"simulated volume: planes is {plane_count}, must be between 2 and "
                f"{MOST_PLANES}"
            )
        super().__init__(config)
        self.plane_count = plane_count
        self._sections = lru_cache(maxsize=8)(self._cut)
        self._light = lru_cache(maxsize=8)(self._light_of)

    @property
    def provenance(self) -> dict[str, object]:
        """JSON-able description, enough to make the movie again."""
        return {"simulated": asdict(self.config), "planes": self.plane_count}

    def frame(self, frame_index: int, plane: int) -> np.ndarray:
        """Return one plane of a time point, ``(Y, X)`` uint8 or uint16.

        Light of the planes beside it is in it, too.

        Raises
        ------
        InputError
            If there is none.
        """
        self._check(frame_index, plane)
        light = np.zeros(self.frame_shape, np.float32)
        for away, share in enumerate(OUT_OF_FOCUS):
            for beside in {plane - away, plane + away}:
                light += np.float32(share) * self._light(frame_index, beside)
        exposure = frame_index * self.plane_count + plane
        return self._microscope.count(light, exposure)

    def labels(self, frame_index: int, plane: int) -> np.ndarray:
        """Return the truth of one plane, ``(Y, X)`` uint16, 0 where there is no cell.

        Raises
        ------
        InputError
            If there is none.
        """
        self._check(frame_index, plane)
        labels = np.zeros(self.frame_shape, np.uint16)
        for object_id, (_, section) in self._sections(frame_index, plane):
            labels[section.window][section.mask] = object_id
        return labels

    @cached_property
    def lineage(self) -> list[Track]:
        """Every cell that is seen on a plane at least once, in the order of ids."""
        spans: dict[int, tuple[int, int]] = {}
        for frame_index in range(self.frame_count):
            for plane in range(self.plane_count):
                for object_id in np.unique(self.labels(frame_index, plane)).tolist():
                    first, _ = spans.get(object_id, (frame_index, frame_index))
                    spans[object_id] = first, frame_index
        spans.pop(0, None)
        parents = self._population.lives(self.frame_count)["parent"].tolist()
        return [
            Track(one, parent if (parent := parents[one - 1]) in spans else None, *span)
            for one, span in sorted(spans.items())
        ]

    # --- drawing -------------------------------------------------------------

    def _check(self, frame_index: int, plane: int) -> None:
        inside = 0 <= frame_index < self.frame_count and 0 <= plane < self.plane_count
        if not inside:
            raise InputError(
                f"simulated volume has frames 0 … {self.frame_count - 1} and planes "
                f"0 … {self.plane_count - 1}, not frame {frame_index}, plane {plane}"
            )

    def _light_of(self, frame_index: int, plane: int) -> np.ndarray:
        drawn = [section for _, section in self._sections(frame_index, plane)]
        return self._microscope.light(drawn, frame_index)

    def _cut(self, frame_index: int, plane: int) -> list[tuple[int, Drawn]]:
        """Draw all sections of a plane, the lowest cell first, with their ids.

        Cells reach beyond the stack: there are planes before the first, too.
        """
        cells, frame = self._population.poses(frame_index)
        sizes = stature(cells, self.config.kind, frame_index)
        depths = self._depths(frame_index)
        found: list[tuple[int, Drawn]] = []
        all_bodies = bodies(cells, frame.pose, sizes)
        for index in np.argsort(cells["depth"], kind="stable"):
            row = int(frame.rows[index])
            section = _section(all_bodies[index], (plane - depths[row]) * PLANE_STEP)
            if section is None:
                continue
            shape = draw_body(section, self.config.kind, self.frame_shape, frame_index)
            if shape is not None:
                found.append((row + 1, (section, shape)))
        return found

    def _depths(self, frame_index: int) -> np.ndarray:
        """Return the plane that each cell's centre lies on, by row of all cells."""
        cells = self._population.lives(frame_index + 1)
        shares: np.ndarray = cells["depth"].copy()
        for row in np.flatnonzero(cells["parent"]):
            shares[row] = shares[cells["parent"][row] - 1]  # mothers come first
        return (0.25 + 0.5 * shares) * (self.plane_count - 1)


def _section(body: Body, height: float) -> Body | None:
    """Return what a plane cuts out of a body, so many pixels from its centre."""
    relative = height / body.half_width
    if abs(relative) >= 1:
        return None
    scale = float(np.sqrt(1 - relative * relative))
    return replace(
        body, half_length=body.half_length * scale, half_width=body.half_width * scale
    )
