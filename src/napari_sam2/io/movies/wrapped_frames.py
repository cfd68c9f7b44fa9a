"""What a frame source has that gets its frames from another."""

from __future__ import annotations

from collections.abc import Mapping

from napari_sam2.interfaces import Calibration, FrameSource


class WrappedFrames:
    """The facts of another `FrameSource`, handed on; how it is read is left open.

    Parameters
    ----------
    source
        The other one; closed together with this.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self._source.frame_count

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self._source.frame_shape

    @property
    def calibration(self) -> Calibration:
        """Physical scale, for the labels."""
        return self._source.calibration

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description of the movie."""
        return self._source.provenance

    def close(self) -> None:
        """Release what the source holds."""
        self._source.close()
