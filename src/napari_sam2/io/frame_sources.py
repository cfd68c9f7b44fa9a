"""Where version 0.2 had `open_frames`: scripts import it from here."""

from napari_sam2.io.movies.frame_sources import open_frames

__all__ = ["open_frames"]
