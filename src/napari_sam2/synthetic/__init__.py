"""Simulated microscopy movies with exact truth."""

from napari_sam2.synthetic.config import PRESETS, CellKind, MovieConfig, preset
from napari_sam2.synthetic.movie import SimulatedMovie, Track
from napari_sam2.synthetic.volume import SimulatedVolume

__all__ = [
    "PRESETS",
    "CellKind",
    "MovieConfig",
    "SimulatedMovie",
    "SimulatedVolume",
    "Track",
    "preset",
]
