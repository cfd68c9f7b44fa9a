"""The axes of movies of stacks, ``(t, z, y, x)``: those of a movie, and the planes."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.interfaces import Calibration
from napari_sam2.io.ome_zarr.metadata import LevelGeometry, calibrated_axes
from napari_sam2.io.ome_zarr.planes import PlaneLayout


@dataclass(frozen=True, slots=True)
class PlaneAxis:
    """The planes of a stack.

    Attributes
    ----------
    count
        How many there are.
    scale, translation
        From one to the next, and where the first is, in ``unit``.
    unit
        UDUNITS name such as ``"micrometer"``; None where unknown.
    """

    count: int
    scale: float = 1.0
    translation: float = 0.0
    unit: str | None = None


def volume_axes(
    calibration: Calibration, planes: PlaneAxis | None
) -> list[dict[str, str]]:
    """Return the ``axes`` entry of a movie; with planes after its frames, if any."""
    axes = calibrated_axes(calibration)
    if planes is not None:
        as_frames = Calibration(
            units=(planes.unit, *calibration.units[1:]), frame_axis="z"
        )
        layout = PlaneLayout.plain("z")
        axes.insert(1, calibrated_axes(as_frames, layout)[0])
    return axes


def volume_geometry(
    calibration: Calibration, planes: PlaneAxis | None
) -> LevelGeometry:
    """Return scale and translation, axis by axis as `volume_axes` has them."""
    scale, translation = list(calibration.scale), list(calibration.translation)
    if planes is not None:
        scale.insert(1, planes.scale)
        translation.insert(1, planes.translation)
    return LevelGeometry(tuple(scale), tuple(translation))
