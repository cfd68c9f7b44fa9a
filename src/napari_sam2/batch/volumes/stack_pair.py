"""Labels of stacks over time beside their truth: two planes in memory at a time."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.volume import VolumeLabels, is_of_stacks
from napari_sam2.io.prompts.label_volumes import LabelVolume
from napari_sam2.metrics.matching import Overlaps, count_overlaps, sum_of_overlaps

Shape = tuple[int, int, int, int]


class StackPair:
    """Two movies of label stacks, each in our OME-Zarr or in a file.

    Parameters
    ----------
    name
        Label group, where one is an OME-Zarr of ours.
    shape
        ``(T, Z, Y, X)`` of the movie; None where the labels are ours, and say it.

    Raises
    ------
    InputError
        If one cannot be read as labels, or the truth is of one time point only.
    """

    def __init__(
        self, truth: Path, labels: Path, name: str, shape: Shape | None = None
    ) -> None:
        self.shape = shape or VolumeLabels.open(labels, name, "r").shape
        with ExitStack() as opened:
            self._truth = opened.enter_context(closing(self._opened(truth, name)))
            self._labels = opened.enter_context(closing(self._opened(labels, name)))
            if isinstance(self._truth, LabelVolume) and not self._truth.has_time:
                raise InputError(
                    f"{truth}: holds one stack, but the movie has {self.shape[0]} time "
                    "points; give a truth (t, z, y, x)"
                )
            self._files = opened.pop_all()

    def close(self) -> None:
        """Release the files."""
        self._files.close()

    @property
    def frame_count(self) -> int:
        """Time points."""
        return self.shape[0]

    def overlaps(self, frame_index: int) -> Overlaps:
        """Return what the objects of truth and labels have in common at a time point.

        Raises
        ------
        InputError
            If one of them cannot be read, or has another shape than the movie.
        """
        return sum_of_overlaps(
            count_overlaps(
                self._truth.read(frame_index, plane),
                self._labels.read(frame_index, plane),
            )
            for plane in range(self.shape[1])
        )

    def _opened(self, path: Path, name: str) -> VolumeLabels | LabelVolume:
        if not OmeZarrLabelStore.is_ours(path, name):
            return LabelVolume(path, self.shape)
        if not is_of_stacks(path, name):
            raise InputError(
                f"{path}: holds masklets of single frames, not of stacks over time; "
                "give labels (t, z, y, x)"
            )
        volume = VolumeLabels.open(path, name, "r")
        if volume.shape != self.shape:
            raise InputError(
                f"{path}: has shape {volume.shape}, but the movie {self.shape} "
                "(t, z, y, x)"
            )
        return volume
